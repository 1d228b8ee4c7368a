"""The threshold register and its proposals in the browser's eyes: what they say, who may, and what a click brings."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services import ownership_grant, person_create
from apps.approvals.selectors import ApprovalView
from apps.approvals.selectors import approval as approval_view
from apps.common import clock
from apps.dashboards.providers import PROVIDERS
from apps.dashboards.waiting import waiting_count
from apps.incidents.services import complaint_record
from apps.registry.models import MonitoredModel
from apps.thresholds import services
from apps.thresholds.models import Backtest
from apps.thresholds.selectors import assessments_of, newest_version, policy_versions
from biasgov.fairness.policy import PRESETS, Bound, Policy
from tests.apps.thresholds.test_assessments import GOOD
from tests.apps.thresholds.world import EO, FAR, LOOSER, STRICT, computed, drafted, proposed, registered, sign
from tests.cast import Cast, confirmed, model, signed_in
from tests.sides import side

pytestmark = pytest.mark.django_db

FOUND = {
    "from": "2026-01-01T00:00:00+00:00",
    "until": "2026-04-01T00:00:00+00:00",
    "days": 90,
    "evaluations": 2160,
    "judged": 6480,
    "hidden": 12,
    "checked": 6480,
    "repeated": 6480,
    "kept": 2,
    "lost": 15,
    "gained": 0,
    "severer": 0,
    "milder": 1,
    "alerts": [
        {
            "metric": EO, "attribute": "region", "group": None, "window": "7d", "value": 0.06, "fate": "lost",
            "today": "2026-02-01T00:00:00+00:00", "proposed": None, "severity_today": "low", "severity_proposed": "",
        }
    ],
    "alerts_left_out": 16,
    "lines": [
        {
            "metric": EO, "attribute": "region", "group": None, "window": "7d",
            "days": [["2026-02-01T00:00:00+00:00", 0.06, "lost"], ["2026-02-02T00:00:00+00:00", 0.04, ""]],
        },
        {
            "metric": EO, "attribute": "sex", "group": None, "window": "30d",
            "days": [["2026-02-01T00:00:00+00:00", 0.08, "kept"]],
        },
    ],
    "budget": {
        "today": {"per_year": 1.2, "low": 0.5, "high": 2.1, "delay_hours": 22.0},
        "proposed": {"per_year": 0.7, "low": 0.2, "high": 1.4, "delay_hours": 31.0},
        "looked_for": [EO, 0.14],
        "population": {"events_per_day": 240.0, "groups": 2, "selection_rate": 0.3, "tpr": 0.8, "fpr": 0.1},
        "not_simulated": [],
        "streams": 20,
        "delay_streams": 15,
        "delay_horizon_hours": 4380,
        "seed": 2024,
    },
    "no_budget": "",
}  # fmt: skip


@pytest.fixture
def cast() -> Cast:
    assembled = Cast.assemble()
    registered(assembled.owned)
    return assembled


def seen(who: User, name: str, *args: Any, query: str = "") -> str:
    answer = signed_in(who).get(reverse(name, args=args) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def asked(cast: Cast, policy: Policy = LOOSER, found: dict[str, Any] | None = None) -> ApprovalView:
    """A submitted proposal of the owner's."""
    view = drafted(cast.owned, cast.owner, policy)
    computed(found or FOUND)
    return services.proposal_submit(approval_id=view.id, person=cast.owner)


def filled(cast: Cast, **changes: str) -> dict[str, Any]:
    """The proposal's form as the page offers it, with some fields changed."""
    answer = signed_in(cast.owner).get(reverse("threshold-propose", args=[cast.owned.slug]))
    form = answer.context["form"]
    sent: dict[str, Any] = dict(form.values) | {"legal_basis": sorted(form.legal_basis), "reason": "Other forms."}
    return sent | changes


def send(cast: Cast, **changes: str) -> Any:
    fields = filled(cast, **changes)
    return signed_in(cast.owner).post(reverse("threshold-propose", args=[cast.owned.slug]), fields)


def test_the_register_shows_what_is_in_force_and_what_it_rests_on(cast: Cast) -> None:
    text = seen(cast.compliance, "thresholds")
    assert "1 model has thresholds in force." in text
    assert "at most 0.05" in text
    assert "RA-2026-014" in text


def test_an_owner_sees_their_own_models_only(cast: Cast) -> None:
    registered(model("other"))
    assert "Other" not in seen(cast.owner, "thresholds")
    assert "Other" in seen(cast.compliance, "thresholds")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=all", True),
        ("?state=superseded", False),
        (f"?metric={EO}", True),
        ("?metric=brier", False),
        ("?industry=insurance", True),
        ("?industry=banking", False),
        ("?way=registration", True),
        ("?way=emergency", False),
        ("?text=RA-2026", True),
        ("?text=nothing", False),
        ("?text=%00&model=%00claims-triage", True),
        ("?model=claims-triage&state=strange&page=99999999", True),
    ],
)
def test_filters_narrow_the_register(cast: Cast, query: str, found: bool) -> None:
    rows = signed_in(cast.compliance).get(reverse("thresholds") + query).context["register"].lines
    assert [line.row.model_slug for line in rows] == ["claims-triage"] * found


def test_the_register_is_saved_as_csv_under_its_filters(cast: Cast) -> None:
    registered(model("other"), Policy(bounds={"brier": Bound(None, 0.2), EO: Bound(None, 0.1)}))
    answer = signed_in(cast.compliance).get(reverse("thresholds-csv") + "?model=other")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(row["model"], row["metric"], row["upper"]) for row in rows] == [
        ("other", "brier", "0.2"),
        ("other", EO, "0.1"),
    ]
    assert answer["Content-Type"].startswith("text/csv")


def test_a_version_says_what_it_changed_and_who_signed(cast: Cast) -> None:
    view = asked(cast)
    sign(view, cast.compliance)
    text = seen(cast.auditor, "threshold-version", newest_version(cast.owned.id).id)
    assert "Version 2 changed equalised odds difference from at most 0.05 to at most 0.07." in text
    assert reverse("threshold-proposal", args=[view.id]) in text
    assert "by no lawyer yet" in text


def test_the_proposal_says_first_what_the_past_would_have_been(cast: Cast) -> None:
    text = seen(cast.compliance, "threshold-proposal", asked(cast).id)
    assert "With the new bounds, 15 of 17 alerts of the last 90 days would not have been raised." in text
    assert "False alarms expected fall from 1.2 to 0.7 a year." in text
    assert "31\u00a0h instead of 22\u00a0h" in text
    assert "6,480 of 6,480 stored verdicts" in text
    assert "at most 0.07" in text
    assert "not needed: within the limit of 0.08" in text


def test_the_other_lines_of_a_back_test_can_be_drawn_and_saved(cast: Cast) -> None:
    view = asked(cast)
    assert "Equalised odds difference, sex, 30" in seen(cast.compliance, "threshold-proposal", view.id, query="?line=1")
    saved = signed_in(cast.compliance).get(reverse("threshold-backtest-csv", args=[view.id]) + "?line=1")
    assert saved.content.decode().splitlines()[1].startswith("2026-02-01,0.08,breach by both")


def test_what_is_beyond_the_limit_names_the_board(cast: Cast) -> None:
    text = seen(cast.compliance, "threshold-proposal", asked(cast, FAR).id)
    assert "thics board" in text
    assert "needs the board" in text


def test_while_the_back_test_is_computed_the_page_asks_again_and_then_is_loaded_anew(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    address, client = reverse("threshold-proposal", args=[view.id]), signed_in(cast.owner)
    assert "every 4s" in client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "Submit for signature" not in client.get(address).content.decode()
    computed(FOUND)
    assert client.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "Submit for signature" in client.get(address).content.decode()


def test_a_failed_back_test_is_computed_again_on_the_requesters_wish_alone(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    with side("compute"):
        asked_for = services.backtest_lease()
        assert asked_for is not None
        services.backtest_fail(asked=asked_for, note="It could not be computed (KeyError).")
    assert "Compute it again" in seen(cast.owner, "threshold-proposal", view.id)
    address = reverse("threshold-repeat", args=[view.id])
    assert signed_in(cast.officer).post(address).status_code == 404
    signed_in(cast.owner).post(address)
    assert Backtest.objects.get().state == "waiting"


def test_a_back_test_that_is_computed_says_how_far_it_is_and_one_that_waits_again_nothing_of_before(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    with side("compute"):
        asked_for = services.backtest_lease()
        assert asked_for is not None
        services.backtest_tell(asked=asked_for, note="200 of 2,161 evaluations are judged.")
    assert "200 of 2,161 evaluations are judged." in seen(cast.owner, "threshold-proposal", view.id)
    with side("compute"):
        services.backtest_fail(asked=asked_for, note="It could not be computed (KeyError).")
    signed_in(cast.owner).post(reverse("threshold-repeat", args=[view.id]))
    waiting = seen(cast.owner, "threshold-proposal", view.id)
    assert "The back-test is being computed." in waiting
    assert "KeyError" not in waiting


def test_the_form_offers_the_newest_version_and_a_change_of_nothing_is_refused(cast: Cast) -> None:
    answer = send(cast)
    assert answer.status_code == 422
    assert "Nothing is changed." in answer.content.decode()


def test_a_proposal_is_written_by_the_form_and_submitted(cast: Cast) -> None:
    answer = send(cast, **{f"bounds.{EO}.upper": "0.06", "assessment_reference": "RA-2026-031"})
    assert answer.status_code == 302
    view = approval_view(int(answer.url.strip("/").split("/")[-1]))
    assert view is not None
    assert view.title == "Relax the equalised odds difference bound of Claims triage"
    computed(FOUND)
    signed_in(cast.owner).post(reverse("threshold-submit", args=[view.id]))
    sign(approval_view(view.id) or view, cast.compliance)
    assert newest_version(cast.owned.id).policy == Policy(bounds={EO: Bound(None, 0.06)})


def test_nothing_of_a_refused_form_is_lost(cast: Cast) -> None:
    answer = send(cast, **{f"bounds.{EO}.upper": "a lot", "reason": "Because of <b>this</b>."})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "&#x27;a lot&#x27; is no number." in text
    assert "Because of &lt;b&gt;this&lt;/b&gt;." in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (f"bounds.{EO}.upper", "nan"),
        (f"bounds.{EO}.upper", "1e400"),
        (f"bounds.{EO}.lower", "0.9"),
        ("minimum_group", "30.5"),
        ("minimum_group", ""),
        ("alpha", "2"),
        ("ladder.opens", "18"),
        ("ladder.persist_window", "8d"),
        ("ladder.calendar", "XX"),
        ("ladder.time_zone", "Mars/Olympus"),
        ("ladder.blocked_decision_types", ""),
        ("severity_bands.high", "0.5"),
        (f"limit.bounds.{EO}.upper", "much"),
        ("effective_from", "yesterday"),
        ("effective_from", "2001-01-01T00:00"),
        ("review_due", "soon"),
        ("review_due", "2001-01-01"),
        ("assessment_reference", " "),
        ("assessment_reference", "x" * 201),
        ("reason", " "),
        ("title", "x" * 201),
        ("title", "a\0b"),
        ("reason", "a\0b"),
        ("assessment_reference", "a\0b"),
        (f"bounds.{EO}.upper", "0.\0"),
        ("ladder.time_zone", "\0"),
    ],
)
def test_a_form_with_nonsense_is_refused_in_words(cast: Cast, field: str, value: str) -> None:
    good = {f"bounds.{EO}.upper": "0.06", "assessment_reference": "RA-2026-031"}
    answer = send(cast, **(good | {field: value}))
    assert answer.status_code == 422
    assert answer.context["form"].error.message


def test_a_draft_is_changed_by_its_requester_until_it_is_submitted(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    address = reverse("threshold-edit", args=[view.id])
    client = signed_in(cast.owner)
    form = client.get(address).context["form"]
    sent = dict(form.values) | {"legal_basis": sorted(form.legal_basis), f"bounds.{EO}.upper": "0.075"}
    assert client.post(address, sent).status_code == 302
    changed = approval_view(view.id)
    assert changed is not None
    assert changed.content["policy"]["bounds"][EO]["upper"] == 0.075
    computed(FOUND)
    services.proposal_submit(approval_id=view.id, person=cast.owner)
    assert client.get(address).status_code == 302
    assert signed_in(cast.officer).post(address, sent).status_code == 302
    assert approval_view(view.id).revision == changed.revision + 1  # type: ignore[union-attr]


def test_a_proposal_starts_from_a_preset_or_an_assessment(cast: Cast) -> None:
    address, client = reverse("threshold-propose", args=[cast.owned.slug]), signed_in(cast.owner)
    form = client.get(f"{address}?preset=banking").context["form"]
    assert form.values["bounds.demographic_parity_ratio.lower"] == str(
        PRESETS["banking"].bounds["demographic_parity_ratio"].lower
    )
    row = services.assessment_import(model_id=cast.owned.id, body=GOOD.encode(), person=cast.owner)
    form = client.get(f"{address}?assessment={row.id}").context["form"]
    assert form.values["assessment_reference"] == row.assessed.reference


def test_compliance_signs_on_the_page_and_never_their_own(cast: Cast) -> None:
    view = asked(cast)
    address = reverse("approval-sign", args=[view.id])
    client = confirmed(signed_in(cast.compliance))
    text = client.get(address).content.decode()
    assert "at most 0.07, today at most 0.05 (relaxation)" in text
    assert "15 of 17 alerts" in text
    own = confirmed(signed_in(cast.owner)).post(address, {"digest": view.digest})
    assert newest_version(cast.owned.id).version == 1
    assert own.status_code in (302, 403)
    client.post(address, {"digest": view.digest})
    assert newest_version(cast.owned.id).version == 2


@pytest.mark.parametrize("answered", [False, True])
def test_a_proposal_is_not_submitted_past_its_own_page(cast: Cast, answered: bool) -> None:
    view = drafted(cast.owned, cast.owner)
    if answered:
        computed(FOUND)
    said = signed_in(cast.owner).post(reverse("approval-submit", args=[view.id]), follow=True).content.decode()
    assert "A change of thresholds is submitted with its back-test" in said
    found = approval_view(view.id)
    assert found is not None
    assert found.state == "draft"
    assert waiting_count(cast.compliance, PROVIDERS, most=100) == 0


def test_a_proposal_that_was_overtaken_says_so(cast: Cast) -> None:
    view = asked(cast)
    other = asked(cast, Policy(bounds={EO: Bound(None, 0.06)}))
    sign(other, cast.compliance)
    assert "It cannot be signed any more." in seen(cast.compliance, "threshold-proposal", view.id)


def test_a_review_is_due_in_the_inbox_recorded_and_signed(cast: Cast) -> None:
    with clock.frozen(clock.now() + timedelta(days=350)):
        assert waiting_count(cast.owner, PROVIDERS, most=100) == 1
        assert waiting_count(cast.steward, PROVIDERS, most=100) == 0
        assert "calibration review" in seen(cast.owner, "inbox")
        address = reverse("threshold-review", args=[cast.owned.slug])
        sent = {
            "reason": "Looked at all of it.",
            "assessment_reference": "RA-2027-001",
            "next_due": (clock.now() + timedelta(days=300)).date().isoformat(),
        }
        assert signed_in(cast.owner).post(address, sent | {"next_due": "never"}).status_code == 422
        answer = signed_in(cast.owner).post(address, sent)
        view = approval_view(int(answer.url.strip("/").split("/")[-1]))
        assert view is not None
        assert "version that stays" in seen(cast.compliance, "approval", view.id)
        sign(view, cast.compliance)
        assert waiting_count(cast.owner, PROVIDERS, most=100) == 0
        assert len(policy_versions(cast.owned.id)) == 1
        assert "signed review" in seen(cast.owner, "threshold-version", newest_version(cast.owned.id).id)


def test_a_bound_that_stays_silent_while_complaints_come_in_is_pointed_out(cast: Cast) -> None:
    assert "Complaints where no bound alerts" not in seen(cast.compliance, "thresholds")
    complaint_record(
        model=cast.owned,
        actor=cast.compliance.actor,
        source="customer",
        channel="letter",
        reference="C-1",
        summary="Claims from the north are never looked at.",
        attribute="region",
        received_at=clock.now() - timedelta(days=3),
        person=cast.compliance,
    )
    text = seen(cast.compliance, "thresholds")
    assert "1 complaint in the last 90 days, and the bound on equalised odds difference raised no alert." in text
    searched = signed_in(cast.compliance).get(reverse("thresholds") + "?state=all").content.decode()
    assert "raised no alert" not in searched
    assert "raised no alert. Its review" in seen(cast.owner, "threshold-version", newest_version(cast.owned.id).id)


def test_an_assessment_is_imported_on_the_page(cast: Cast) -> None:
    address = reverse("threshold-assessments", args=[cast.owned.slug])
    client = signed_in(cast.owner)
    assert client.post(address).status_code == 422
    broken = client.post(address, {"file": SimpleUploadedFile("a.yaml", b"a: *b")})
    assert broken.status_code == 422
    assert "Anchors and aliases are not read" in broken.content.decode()
    answer = client.post(address, {"file": SimpleUploadedFile("a.yaml", GOOD.encode())})
    (row,) = assessments_of(cast.owned.id)
    assert answer.url == reverse("threshold-assessment", args=[row.id])
    assert row.assessed.title in seen(cast.auditor, "threshold-assessment", row.id)


def addresses(cast: Cast) -> dict[str, str]:
    view = asked(cast)
    row = services.assessment_import(model_id=cast.owned.id, body=GOOD.encode(), person=cast.owner)
    slug = cast.owned.slug
    return {
        "version": reverse("threshold-version", args=[newest_version(cast.owned.id).id]),
        "proposal": reverse("threshold-proposal", args=[view.id]),
        "edit": reverse("threshold-edit", args=[view.id]),
        "csv": reverse("threshold-backtest-csv", args=[view.id]),
        "assessment": reverse("threshold-assessment", args=[row.id]),
        "propose": reverse("threshold-propose", args=[slug]),
        "review": reverse("threshold-review", args=[slug]),
        "assessments": reverse("threshold-assessments", args=[slug]),
    }


ALL_ADDRESSES = ("version", "proposal", "edit", "csv", "assessment", "propose", "review", "assessments")


@pytest.mark.parametrize("which", ALL_ADDRESSES)
def test_for_the_owner_of_another_model_nothing_of_it_exists(cast: Cast, which: str) -> None:
    other = person_create(username="other", actor="system:tests")
    ownership_grant(person=other, model=MonitoredModel.objects.get(pk=model("other").id), actor="system:tests")
    client, address = signed_in(other), addresses(cast)[which]
    assert client.get(address).status_code == 404
    assert client.post(address).status_code in (404, 405)


@pytest.mark.parametrize("which", ALL_ADDRESSES)
def test_an_outsider_reaches_nothing(cast: Cast, which: str) -> None:
    address = addresses(cast)[which]
    assert signed_in(cast.outsider).get(address).status_code in (403, 404)
    assert signed_in(cast.steward).get(address).status_code in (403, 404)


@pytest.mark.parametrize("which", ["edit", "propose", "review"])
def test_who_may_only_read_cannot_write(cast: Cast, which: str) -> None:
    address = addresses(cast)[which]
    for who in (cast.compliance, cast.board, cast.auditor):
        assert signed_in(who).post(address).status_code == 403


def test_a_draft_is_submitted_by_its_requester_alone(cast: Cast) -> None:
    view = drafted(cast.owned, cast.owner)
    computed(FOUND)
    signed_in(cast.officer).post(reverse("threshold-submit", args=[view.id]))
    assert approval_view(view.id).state == "draft"  # type: ignore[union-attr]


def test_signed_out_leads_to_the_sign_in_page(cast: Cast, client: Any) -> None:
    assert client.get(reverse("thresholds")).status_code == 302


def test_a_hostile_text_is_shown_and_not_run(cast: Cast) -> None:
    hostile = "<script>alert(1)</script>"
    view = drafted(cast.owned, cast.owner, reason=hostile, assessment_reference=hostile)
    assert hostile not in seen(cast.owner, "threshold-proposal", view.id)
    assert hostile not in seen(cast.owner, "threshold-edit", view.id)


def test_pages_ask_as_many_queries_for_one_version_as_for_many(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        registered(model(f"more-{number}"), STRICT)
    client = signed_in(cast.compliance)
    client.get(reverse("thresholds"))
    with django_assert_max_num_queries(30):
        client.get(reverse("thresholds"))
    proposed(cast.owned, cast.owner)
    with django_assert_max_num_queries(35):
        client.get(reverse("threshold-version", args=[newest_version(cast.owned.id).id]))
