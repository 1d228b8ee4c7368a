"""The ethics board: its cases, one case, voting, minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.confirmation import confirmed_at, requires_confirmation
from apps.accounts.permissions import may, requires
from apps.accounts.selectors import person as person_called
from apps.board import selectors, services
from apps.board.rules import rules_in_force
from apps.board.selectors import CaseDetail
from apps.common.errors import Refused
from apps.dashboards.acting import done, person_of
from apps.dashboards.approvals.reading import url_of
from apps.dashboards.board import conditions, reading
from apps.dashboards.board.minutes import minutes_of
from apps.dashboards.board.minutes import minutes_pdf as pdf_of
from apps.dashboards.taken import taken
from apps.incidents import services as incidents

if TYPE_CHECKING:
    from apps.accounts.models import User

_RULES = ("quorum_share", "quorum_least", "papers_hours", "voting_hours")


@require_GET
@requires("board.view")
def cases(request: HttpRequest) -> HttpResponse:
    """The cases of the board, the open ones or all."""
    open_only = request.GET.get("show") != "all"
    before = request.GET.get("before", "")
    lines = reading.list_of(request.user, open_only=open_only, before_id=int(before) if before.isdecimal() else None)
    rules = rules_in_force()
    context = {
        "lines": lines,
        "open_only": open_only,
        "more": lines[-1].id if len(lines) == reading.SHOWN_AT_ONCE else None,
        "rules": rules,
        "rules_text": reading.rules_text(rules),
        "may_convene": may(request.user, "board.convene"),
        "may_manage": may(request.user, "board.manage"),
    }
    return render(request, "board/list.html", context)


@require_POST
@requires("board.convene")
def convene(request: HttpRequest) -> HttpResponse:
    """Put an incident to the board by hand."""
    number = request.POST.get("incident", "").strip()
    if not number.isdecimal() or len(number) > 18:
        messages.error(request, "Give the number of an incident.")
        return redirect("board")
    try:
        made = services.case_convene(
            kind="incident",
            subject_id=int(number),
            person=person_of(request),
            question=request.POST.get("question", ""),
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
        back = (
            request.POST.get("from") == "incident" and refusal.code != "unknown" and may(request.user, "incident.view")
        )
        return redirect("incident", number=int(number)) if back else redirect("board")
    messages.success(request, "The board is convened; its members are told.")
    return redirect("case", case_id=made.pk)


@require_POST
@requires("board.manage")
def rules(request: HttpRequest) -> HttpResponse:
    """Ask the board to decide by other rules."""
    wanted: dict[str, Any] = rules_in_force().plain()
    for name in _RULES:
        given = request.POST.get(name, "").strip()
        wanted[name] = int(given) if given.isdecimal() and len(given) < 6 else given
    wanted["chair"] = request.POST.get("chair", "").strip()
    wanted["tie"] = "chair" if wanted["chair"] else "fails"
    try:
        asked = services.rules_propose(person=person_of(request), rules=wanted, reason=request.POST.get("reason", ""))
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("board")
    messages.success(request, "Asked. The board votes on it in a case of its own.")
    return redirect(url_of(asked))


@require_GET
@requires("board.view")
def case(request: HttpRequest, case_id: int) -> HttpResponse:
    """One case."""
    page = reading.page_of(request.user, _case(case_id))
    return render(request, "board/case.html", {"page": page})


@require_POST
@requires("board.manage")
def question(request: HttpRequest, case_id: int) -> HttpResponse:
    """Put the question in other words."""
    text = request.POST.get("question", "")
    return _then_back(
        request,
        case_id,
        lambda person: services.question_change(case_id=case_id, person=person, question=text),
        "The question is changed.",
    )


@require_POST
@requires("board.view")
def paper(request: HttpRequest, case_id: int) -> HttpResponse:
    """Put a paper before the board."""
    given = {name: request.POST.get(name, "") for name in ("title", "text", "link")}
    return _then_back(
        request,
        case_id,
        lambda person: services.paper_add(case_id=case_id, person=person, **given),
        "The paper is before the board.",
    )


@require_POST
@requires("board.view")
def condition(request: HttpRequest, case_id: int) -> HttpResponse:
    """Add a condition of saying yes."""
    title, hours = request.POST.get("title", ""), request.POST.get("hours", "")

    def add(person: User) -> Any:
        try:
            owner = person_called(request.POST.get("owner", ""))
        except ObjectDoesNotExist:
            raise Refused("owner", "Choose who has to do it.") from None
        number = int(hours) if hours.isdecimal() and len(hours) < 6 else 0
        return services.condition_add(case_id=case_id, person=person, title=title, owner=owner, hours=number)

    return _then_back(request, case_id, add, "The condition is part of what is voted on.")


@require_POST
@requires("board.view")
def condition_drop(request: HttpRequest, case_id: int, condition_id: int) -> HttpResponse:
    """Take a condition out again."""
    return _then_back(
        request,
        case_id,
        lambda person: services.condition_drop(case_id=case_id, condition_id=condition_id, person=person),
        "The condition is taken out.",
    )


@require_http_methods(["GET", "POST"])
@requires("inbox.view")
def condition_met(request: HttpRequest, action_id: int) -> HttpResponse:
    """A condition that belongs to a case alone, and what became of it."""
    page = conditions.page_of(request.user, action_id)
    if request.method == "POST":
        try:
            incidents.action_end(
                action_id=action_id,
                person=person_of(request),
                done=request.POST.get("end") != "dropped",
                outcome=request.POST.get("outcome", ""),
            )
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, "Written down in your name.")
        return redirect("board-condition", action_id=action_id)
    return render(request, "board/condition.html", {"page": page})


@require_POST
@requires("board.manage")
def open_vote(request: HttpRequest, case_id: int) -> HttpResponse:
    """Open the vote before the papers' time is over."""
    return _then_back(
        request,
        case_id,
        lambda person: services.voting_open(case_id=case_id, person=person),
        "Voting is open; the members are told.",
    )


@require_POST
@requires("board.vote")
def conflict(request: HttpRequest, case_id: int) -> HttpResponse:
    """Declare one's own conflict of interest."""
    reason = request.POST.get("reason", "")
    return _then_back(
        request,
        case_id,
        lambda person: services.conflict_declare(case_id=case_id, person=person, reason=reason),
        "Noted. You read this case and take no part in it.",
    )


@require_http_methods(["GET", "POST"])
@requires("board.vote")
@requires_confirmation
def vote(request: HttpRequest, case_id: int) -> HttpResponse:
    """What exactly is voted on; then the vote."""
    view = _case(case_id)
    given = {name: request.POST.get(name, "") for name in ("choice", "reason", "digest")}
    if request.method == "POST":
        try:
            services.vote_cast(case_id=case_id, person=person_of(request), confirmed_at=confirmed_at(request), **given)
        except Refused as refusal:
            messages.error(request, refusal.message)
            if refusal.field not in ("choice", "reason"):
                return redirect("case", case_id=case_id)
        else:
            messages.success(request, "Your vote is given.")
            return redirect("case", case_id=case_id)
    page = reading.page_of(request.user, view)
    if not page.may_vote:
        messages.error(request, "There is no vote here that you could give.")
        return redirect("case", case_id=case_id)
    return render(request, "board/vote.html", {"page": page, "choices": reading.CHOICES, "given": given})


@require_GET
@requires("board.view")
def minutes(request: HttpRequest, case_id: int) -> HttpResponse:
    """The minutes of a case that has ended."""
    view = _ended(case_id)
    return render(request, "board/minutes.html", {"minutes": minutes_of(view), "row": view.row})


@require_GET
@requires("board.view")
def minutes_pdf(request: HttpRequest, case_id: int) -> HttpResponse:
    """The same as a PDF file."""
    name = f"board-case-{case_id}-minutes.pdf"
    ended = _ended(case_id)
    taken(request, "the minutes", subject=f"case:{case_id}")
    return HttpResponse(
        pdf_of(minutes_of(ended)),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _case(case_id: int) -> CaseDetail:
    view = selectors.case(case_id)
    if view is None:
        raise Http404("There is no such case.")
    return view


def _ended(case_id: int) -> CaseDetail:
    view = _case(case_id)
    if view.row.ended_at is None:
        raise Http404("A case has minutes once it has ended.")
    return view


def _then_back(request: HttpRequest, case_id: int, verb: Callable[[User], Any], said: str) -> HttpResponse:
    _case(case_id)
    done(request, lambda: verb(person_of(request)), said)
    return redirect("case", case_id=case_id)
