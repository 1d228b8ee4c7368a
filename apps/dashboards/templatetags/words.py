"""Template filters: numbers, names and times as apps.dashboards.words says them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.dashboards import actors, words
from apps.dashboards.actors import Names
from apps.dashboards.assets import plotly_style_ids

register = template.Library()
register.filter("attribute_name", words.attribute_name)
register.filter("group_name", words.group_name)
register.filter("metric_name", words.metric_name)
register.filter("count", words.count)


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    return words.percent(share, digits)


@register.filter
def window_name(window: str) -> str:
    return words.WINDOWS.get(window, window)


@register.filter
def age(span: timedelta | None) -> str:
    return "never" if span is None else words.duration(span.total_seconds())


@register.filter
def cell(value: Any) -> str:
    """A table cell as text: times in UTC, numbers short, nothing as a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, float):
        return words.number(value, 4)
    if isinstance(value, int):
        return words.count(value)
    return str(value).replace("<br>", ", ")


@register.filter
def money(amount: Decimal) -> str:
    """An amount with separators and a true minus sign; whole hundredths, or none where it has none."""
    whole = amount == amount.to_integral_value()
    return f"{amount:,.{0 if whole else 2}f}".replace("-", "−")


@register.filter
def actor_name(actor: str, names: Names) -> str:
    """Who did something, as `actors.actor_name` says it; `names` are those that the page has at hand."""
    return actors.actor_name(actor, names)


@register.simple_tag
def moment(at: datetime | None, kind: str = "time") -> SafeString | str:
    """A <time> in UTC, with UTC in its title; a script writes it in the reader's zone. kind: `time` or `date`."""
    if at is None:
        return "–"
    utc = at.astimezone(UTC)
    shown = f"{utc.day} {utc:%b}" if kind == "date" else f"{utc.day} {utc:%b %H:%M} UTC"
    date = " data-date" if kind == "date" else ""
    return format_html(
        '<time datetime="{}" title="{} UTC"{}>{}</time>',
        utc.isoformat(timespec="seconds"),
        utc.strftime("%Y-%m-%d %H:%M"),
        SafeString(date),
        shown,
    )


@register.simple_tag
def options(pairs: Sequence[tuple[str, str]], chosen: str) -> SafeString:
    """The options of a select, `chosen` selected: a loop in a template takes too long for hundreds of them."""
    known = ((value, SafeString(" selected" if value == chosen else ""), text) for value, text in pairs)
    return format_html_join("", '<option value="{}"{}>{}</option>', known)


@register.simple_tag
def cells(rows: Sequence[Sequence[Any]]) -> SafeString:
    """The rows of a table of values, each as `cell` says it; written here for the reason that `options` has."""
    told = ("".join(f"<td>{escape(cell(value))}</td>" for value in row) for row in rows)
    return SafeString("".join(f"<tr>{row}</tr>" for row in told))


@register.simple_tag
def bounds(pairs: Sequence[tuple[str, str]]) -> SafeString:
    """Metrics with their bounds, one below the other; written here for the reason that `options` has."""
    if not pairs:
        return format_html('<span class="muted">{}</span>', "no bound")
    return format_html_join("", '<div>{} <span class="number nowrap">{}</span></div>', pairs)


@register.simple_tag
def status(badge: words.Badge) -> SafeString:
    """A badge in words and colour. Written here: a template included for every row takes longer than the row."""
    return format_html('<span class="status status-{}">{}</span>', badge.kind, badge.text)


@register.simple_tag
def style_ids() -> tuple[str, ...]:
    """Ids of the style elements that the Plotly bundle must find in the page (see assets.plotly_style_ids)."""
    return plotly_style_ids()
