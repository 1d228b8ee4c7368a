"""Every page in words: who may open it, what it says, and how many queries it takes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.services import ownership_grant
from apps.audit.selectors import entries
from apps.common import clock
from apps.incidents.models import Incident
from apps.monitoring import selectors as monitoring
from apps.registry.models import MonitoredModel
from apps.registry.spec import ModelSpec
from apps.responses.announcements import announce
from apps.responses.models import Finding, Notification
from tests.apps.dashboards.world import watched
from tests.apps.pipeline.world import NOW, company
from tests.cast import person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    with clock.frozen(NOW):
        yield


@pytest.fixture
def hiring(world: ModelSpec, db: None) -> ModelSpec:
    return world


def newest_run(spec: ModelSpec, window: str = "24h") -> int:
    return monitoring.latest_runs(spec.id)[window].id


def addresses(spec: ModelSpec) -> list[str]:
    run = newest_run(spec)
    return [
        reverse("inbox"),
        reverse("models"),
        reverse("model", args=[spec.slug]),
        reverse("model-table", args=[spec.slug, "groups"]),
        reverse("run", args=[run]),
        reverse("run-evidence", args=[run]),
        reverse("run-table", args=[run]),
        reverse("health"),
    ]


def test_strangers_are_sent_to_sign_in_from_every_page(hiring: ModelSpec) -> None:
    for address in addresses(hiring):
        answer = Client().get(address)
        assert answer.status_code == 302, address
        assert answer.url.startswith(reverse("login")), address


def test_a_stranger_cannot_acknowledge(hiring: ModelSpec) -> None:
    finding = Finding.objects.filter(model_id=hiring.id).first()
    assert Client().post(reverse("finding-acknowledge", args=[finding.pk])).status_code == 302
    finding.refresh_from_db()
    assert finding.acknowledged_at is None


def test_a_person_without_a_role_opens_nothing(hiring: ModelSpec) -> None:
    browser = signed_in(person("outsider"))
    for address in addresses(hiring):
        assert browser.get(address).status_code in (403, 404), address


def test_an_owner_sees_their_own_model_and_no_other(hiring: ModelSpec) -> None:
    other = watched("lending", seed=2)
    owner = person("owner")
    ownership_grant(person=owner, model=MonitoredModel.objects.get(pk=hiring.id), actor="system:tests")
    browser = signed_in(owner)
    listed = browser.get(reverse("models")).content.decode()
    assert "Hiring" in listed
    assert "Lending" not in listed
    assert browser.get(reverse("model", args=[hiring.slug])).status_code == 200
    assert browser.get(reverse("model", args=[other.slug])).status_code == 404
    assert browser.get(reverse("run", args=[newest_run(other)])).status_code == 404
    assert browser.get(reverse("run-evidence", args=[newest_run(other)])).status_code == 404
    assert browser.get(reverse("model-table", args=[other.slug, "trend"])).status_code == 404
    theirs = Finding.objects.filter(model_id=other.id).first()
    assert browser.post(reverse("finding-acknowledge", args=[theirs.pk])).status_code == 404
    assert "Lending" not in browser.get(reverse("health")).content.decode()


def test_a_steward_has_an_inbox_without_models(hiring: ModelSpec) -> None:
    page = signed_in(person("steward")).get(reverse("inbox")).content.decode()
    assert "Hiring" not in page
    assert reverse("models") not in page


def test_the_model_page_says_the_breach_in_the_models_words(hiring: ModelSpec) -> None:
    page = signed_in(person("officer")).get(reverse("model", args=[hiring.slug]), {"window": "24h"}).content.decode()
    assert "Women are favourable" in page
    assert "less often than men" in page
    assert "breach" in page
    assert "The bound is 20" in page
    assert "Race" not in page


def test_a_switch_answers_with_the_panel_alone(hiring: ModelSpec) -> None:
    browser = signed_in(person("officer"))
    address = reverse("model", args=[hiring.slug])
    headers = {"HX-Request": "true", "HX-Target": "panel"}
    fragment = browser.get(address, {"metric": "calibration", "window": "24h"}, headers=headers).content.decode()
    assert fragment.lstrip().startswith('<div id="panel"')
    assert "Do scores mean what they say?" in fragment
    whole = browser.get(address, headers={**headers, "HX-History-Restore-Request": "true"}).content.decode()
    assert "<!doctype html>" in whole


def test_every_combination_of_switches_can_be_opened(hiring: ModelSpec) -> None:
    browser = signed_in(person("auditor"))
    address = reverse("model", args=[hiring.slug])
    for window in ("24h", "7d", "30d"):
        for attribute in ("sex", "region", "sex*region"):
            for metric in ("demographic_parity", "equalised_odds", "calibration"):
                asked = {"window": window, "attribute": attribute, "metric": metric}
                answer = browser.get(address, asked)
                assert answer.status_code == 200, asked
                assert f'aria-current="true">{ {"24h": "24", "7d": "7 days", "30d": "30 days"}[window] }' in (
                    answer.content.decode()
                )


def test_unknown_switch_values_fall_back(hiring: ModelSpec) -> None:
    asked = {"window": "1y", "attribute": "shoe size", "metric": "luck"}
    assert signed_in(person("auditor")).get(reverse("model", args=[hiring.slug]), asked).status_code == 200


def test_a_model_without_runs_says_what_to_do_next() -> None:
    spec = company("idle")
    browser = signed_in(person("officer"))
    assert "No run yet" in browser.get(reverse("model", args=[spec.slug])).content.decode()
    portfolio = browser.get(reverse("inbox")).content.decode()
    assert "no data yet" in portfolio
    assert "within bounds" not in portfolio


def test_a_stale_model_is_never_green(hiring: ModelSpec) -> None:
    later = clock.now().replace(hour=19, minute=40)
    with clock.frozen(later):
        page = signed_in(person("officer")).get(reverse("models")).content.decode()
    assert "status-stale" in page
    assert "no data for 5" in page
    assert "status-within" not in page


def test_csv_tables_hold_what_the_charts_show(hiring: ModelSpec) -> None:
    browser = signed_in(person("auditor"))
    answer = browser.get(reverse("model-table", args=[hiring.slug, "groups"]), {"window": "24h", "attribute": "sex"})
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    rates = {row["group"]: float(row["value"]) for row in rows if row["metric"] == "selection_rate"}
    ratios = {row["group"]: float(row["value"]) for row in rows if row["metric"] == "demographic_parity_ratio"}
    assert rates["female"] / rates["male"] == pytest.approx(ratios["female"])
    for key in ("trend", "reliability"):
        asked = {"window": "24h", "attribute": "sex", "metric": "calibration"}
        assert browser.get(reverse("model-table", args=[hiring.slug, key]), asked).status_code == 200
    asked = {"attribute": "sex*region", "window": "24h"}
    assert browser.get(reverse("model-table", args=[hiring.slug, "intersections"]), asked).status_code == 200
    assert browser.get(reverse("model-table", args=[hiring.slug, "nothing"])).status_code == 404


def test_the_run_page_shows_the_way_back_to_the_input(hiring: ModelSpec) -> None:
    row = monitoring.run(newest_run(hiring))
    browser = signed_in(person("auditor"))
    page = browser.get(reverse("run", args=[row.id])).content.decode()
    for part in (row.document_digest, row.cubes_digest, row.policy_digest, row.code_version, "GOV002-17"):
        assert part in page
    evidence = json.loads(browser.get(reverse("run-evidence", args=[row.id])).content)
    assert evidence["document_digest"] == row.document_digest
    assert evidence["n"] == row.n


def test_small_groups_are_suppressed_everywhere() -> None:
    spec = watched("small", n=24)
    browser = signed_in(person("auditor"))
    asked = {"window": "24h", "attribute": "region"}
    page = browser.get(reverse("model", args=[spec.slug]), asked).content.decode()
    assert "suppressed (too few people)" in page
    run = newest_run(spec)
    evidence = json.loads(browser.get(reverse("run-evidence", args=[run])).content)
    hidden = [each for each in evidence["results"] if each["suppressed"]]
    assert hidden
    assert all(each["value"] is None and each["n"] is None and each["interval"] is None for each in hidden)


def test_an_officer_acknowledges_in_their_own_name(hiring: ModelSpec) -> None:
    officer = person("officer")
    browser = signed_in(officer)
    assert "Acknowledge" in browser.get(reverse("inbox")).content.decode()
    finding = Finding.objects.filter(model_id=hiring.id).first()
    answer = browser.post(reverse("finding-acknowledge", args=[finding.pk]), follow=True)
    assert "acknowledged in your name" in answer.content.decode()
    finding.refresh_from_db()
    assert finding.acknowledged_by == officer
    again = browser.post(reverse("finding-acknowledge", args=[finding.pk]), follow=True)
    assert "acknowledged already" in again.content.decode()
    opens = f"{reverse('incident-new')}?model={hiring.slug}&finding={finding.pk}"
    begun = browser.get(opens)
    assert begun.context["given"]["severity"] == finding.severity
    (leaving, _), *_ = begun.context["leaves"]
    sent = {"model": hiring.slug, "findings": finding.pk, "leaving": leaving, **begun.context["given"]}
    browser.post(reverse("incident-new"), sent)
    page = browser.get(reverse("model", args=[hiring.slug])).content.decode()
    assert f'href="{reverse("incident", args=[Incident.objects.latest("id").pk])}">Incident' in page


def test_an_officer_acknowledges_the_findings_of_a_cause_together(hiring: ModelSpec) -> None:
    browser = signed_in(person("officer"))
    shown = Finding.objects.filter(model_id=hiring.id, state="open")
    page = browser.get(reverse("model", args=[hiring.slug])).content.decode()
    assert f"Acknowledge all {shown.count()}" in page
    asked = {"finding": [*shown.values_list("pk", flat=True), "no number", "9" * 30]}
    address = reverse("findings-acknowledge", args=[hiring.slug])
    assert signed_in(person("auditor")).post(address, asked).status_code == 403
    assert "each by itself" in browser.post(address, asked, follow=True).content.decode()
    assert not shown.filter(acknowledged_at=None).exists()
    assert "already" in browser.post(address, {}, follow=True).content.decode()


def test_an_auditor_reads_findings_and_acknowledges_none(hiring: ModelSpec) -> None:
    browser = signed_in(person("auditor"))
    page = browser.get(reverse("model", args=[hiring.slug])).content.decode()
    assert "Open findings" in page
    assert ">Acknowledge<" not in page
    assert reverse("incident-new") not in page
    assert f'{reverse("thresholds")}?model={hiring.slug}"' in page
    finding = Finding.objects.filter(model_id=hiring.id).first()
    assert browser.post(reverse("finding-acknowledge", args=[finding.pk])).status_code == 403


def test_an_alert_stands_in_the_inbox_until_it_is_read_by_the_one_it_was_sent_to(hiring: ModelSpec) -> None:
    officer, other = person("officer"), person("compliance")
    announce(
        model=hiring,
        key="coverage-76",
        title="Coverage of sex fell to 76 %",
        body="Results may speak for the known only.",
        severity="",
        path="/health/",
        detected_at=NOW,
    )
    browser = signed_in(officer)
    assert "Coverage of sex fell to 76 %" in browser.get(reverse("inbox")).content.decode()
    alert = Notification.objects.get(person=officer, dedup_key="coverage-76")
    assert signed_in(other).post(reverse("alert-read", args=[alert.pk])).status_code == 404
    assert "Coverage of sex" not in signed_in(other).get(reverse("inbox")).content.decode()
    assert "Coverage of sex" not in browser.post(reverse("alert-read", args=[alert.pk]), follow=True).content.decode()
    assert browser.get(reverse("alert-read", args=[alert.pk])).status_code == 405


def test_an_acknowledgement_needs_post(hiring: ModelSpec) -> None:
    finding = Finding.objects.filter(model_id=hiring.id).first()
    assert signed_in(person("officer")).get(reverse("finding-acknowledge", args=[finding.pk])).status_code == 405


def test_queries_do_not_grow_with_the_number_of_models(hiring: ModelSpec, django_assert_max_num_queries) -> None:
    browser = signed_in(person("officer"))
    ceilings = {reverse("inbox"): 52, reverse("models"): 28, reverse("health"): 36}
    ceilings[f"{reverse('model', args=[hiring.slug])}?window=24h"] = 50
    ceilings[reverse("run", args=[newest_run(hiring)])] = 24
    for address, ceiling in ceilings.items():
        with django_assert_max_num_queries(ceiling) as one:
            assert browser.get(address).status_code == 200
        ceilings[address] = len(one)
    for seed, slug in enumerate(("lending", "renting", "insuring"), start=5):
        watched(slug, n=200, seed=seed)
    for address, before in ceilings.items():
        browser.get(address)  # models and policies that are new to this process are read once
        with django_assert_max_num_queries(before):
            assert browser.get(address).status_code == 200


def test_no_page_carries_an_inline_script_or_style(hiring: ModelSpec) -> None:
    browser = signed_in(person("officer"))
    for address in addresses(hiring):
        answer = browser.get(address)
        page = answer.content.decode()
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert " style=" not in page, address
        assert "<script>" not in page
        assert "onclick" not in page


def test_what_is_taken_away_is_in_the_audit_log(hiring: ModelSpec) -> None:
    run = newest_run(hiring)
    client = signed_in(person("officer"))
    assert client.get(reverse("model-table", args=[hiring.slug, "none"])).status_code == 404
    for address in (
        reverse("model-table", args=[hiring.slug, "groups"]),
        reverse("run-evidence", args=[run]),
        reverse("run-table", args=[run]),
    ):
        assert client.get(address).status_code == 200
    said = [(entry.actor, entry.subject) for entry in entries(action="export.taken")]
    assert said == [("user:officer", f"run:{run}")] * 2 + [("user:officer", f"model:{hiring.slug}")]
