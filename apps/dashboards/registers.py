"""What the registers share: addresses that carry a filter, tabs with counts, kept views, files written part by part."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.dashboards.acting import done, person_of
from apps.dashboards.tables import Table
from apps.incidents.services import view_forget, view_save

SHOWN_AT_ONCE = 50
EXPORTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Address:
    """The filter that an address carries.

    page: the name of the register's page. given: the parts that narrow or order it, as its form shows them. show: the
    chosen tab; first: the one that is shown where an address names none.
    """

    page: str
    given: Mapping[str, str]
    show: str
    first: str

    @classmethod
    def read(
        cls,
        query: QueryDict,
        page: str,
        parts: Mapping[str, Collection[str] | None],
        shows: Collection[str],
        first: str,
    ) -> Self:
        """Read `query`. parts: the names of the parts with the values that each may have, None where any may stand.

        What makes no sense narrows nothing: people change addresses by hand, and kept ones outlive what they name.
        """
        asked = {name: query.get(name, "").replace("\0", "").strip() for name in parts}
        given = {name: value for name, value in asked.items() if value and _makes_sense(value, parts[name])}
        show = query.get("show", "")
        return cls(page, given, show if show in shows else first, first)

    @property
    def query(self) -> str:
        """The same filter as a query string."""
        return self.with_()

    @property
    def narrowed(self) -> bool:
        return any(name != "order" for name in self.given)

    def with_(self, **changes: str) -> str:
        """The query string of the same filter with these parts changed."""
        query = QueryDict(mutable=True)
        query.update({**self.given, "show": self.show, **changes})
        if query["show"] == self.first:
            del query["show"]
        return query.urlencode()

    def url(self, **changes: str) -> str:
        """The address of the register's page with these parts changed."""
        query = self.with_(**changes)
        return f"{reverse(self.page)}?{query}" if query else reverse(self.page)


@dataclass(frozen=True, slots=True)
class Tab:
    title: str
    count: int
    url: str
    current: bool


def tabs_of(
    address: Address, shows: Mapping[str, Collection[str]], titles: Mapping[str, str], counts: Mapping[str, int]
) -> tuple[Tab, ...]:
    """A tab for each of `shows`, which name their states (none: all), with how many stand in it."""
    return tuple(
        Tab(titles[show], sum(counts[state] for state in among or counts), address.url(show=show), show == address.show)
        for show, among in shows.items()
    )


def csv_file(name: str, parts: Iterable[Table]) -> StreamingHttpResponse:
    """The parts of one table as one file, written as they come, so that memory stays bounded."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingHttpResponse(_lines(parts), content_type="text/csv; charset=utf-8", headers=headers)


def view_kept(request: HttpRequest, address: Address) -> HttpResponse:
    """Keep the filter of an address under the name that was sent, and lead back to it."""
    name = request.POST.get("name", "")
    done(
        request,
        lambda: view_save(person=person_of(request), register=address.page, name=name, query=address.query),
        f"Kept as “{name.strip()}”.",
    )
    return redirect(address.url())


def view_forgotten(request: HttpRequest, page: str, view_id: int) -> HttpResponse:
    """Forget one of one's own filters; somebody else's does not exist."""
    if not view_forget(person=person_of(request), view_id=view_id):
        raise Http404("You keep no such view.")
    return redirect(page)


def _lines(parts: Iterable[Table]) -> Iterator[str]:
    for place, part in enumerate(parts):
        yield part.csv(headed=place == 0)


def _makes_sense(value: str, allowed: Collection[str] | None) -> bool:
    return allowed is None or value in allowed
