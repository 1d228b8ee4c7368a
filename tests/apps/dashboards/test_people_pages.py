"""The People page: who is shown, what an administrator can do there, and who cannot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.invitations import invited, person_invite
from apps.accounts.models import RoleTerm, User
from apps.accounts.permissions import owned_model_ids, roles_of
from apps.accounts.roles import ADMINISTRATOR, AUDITOR, OFFICER, STEWARD
from apps.accounts.second_factors import has_second_factor
from apps.accounts.selectors import people
from apps.accounts.services import person_deactivate, role_grant
from apps.audit.selectors import entries
from apps.audit.services import append
from apps.common import clock
from tests.apps.accounts.factors import is_in, set_up_app
from tests.apps.accounts.test_invitations import token_of
from tests.cast import Cast, confirmed, model, signed_in

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
WHY = {"reason": "Agreed with the head of risk."}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


@pytest.fixture
def admin(cast: Cast) -> Client:
    return confirmed(signed_in(cast.administrator))


def fresh(who: User) -> User:
    return User.objects.get(pk=who.pk)


def text(answer: Any) -> str:
    return answer.content.decode()


def names(answer: Any) -> list[str]:
    return [line.view.username for line in answer.context["lines"]]


def test_everybody_stands_there_with_roles_and_how_they_sign_in(cast: Cast, admin: Client) -> None:
    set_up_app(signed_in(cast.officer))
    role_grant(person=cast.outsider, role=AUDITOR, actor="x", until=NOON + timedelta(days=30), scope=[cast.owned])
    answer = admin.get("/people/")
    assert names(answer) == sorted(
        ["administrator", "auditor", "board", "compliance", "officer", "outsider", "owner", "steward"]
    )
    lines = {line.view.username: line for line in answer.context["lines"]}
    assert [(role.title, role.until, role.models) for role in lines["outsider"].roles] == [
        ("Auditor", NOON + timedelta(days=30), ("Claims triage",))
    ]
    assert [each.name for each in lines["owner"].owned] == ["Claims triage"]
    assert (lines["officer"].factor.text, lines["compliance"].factor.text) == ("yes", "no")
    assert lines["administrator"].view.last_sign_in is not None
    assert lines["compliance"].view.last_sign_in is None


def test_who_signs_without_a_second_factor_is_pointed_out(cast: Cast, admin: Client, settings: Any) -> None:
    set_up_app(signed_in(cast.administrator))
    settings.SIGNERS_NEED_SECOND_FACTOR = True
    lines = {line.view.username: line.factor.text for line in admin.get("/people/").context["lines"]}
    assert (lines["compliance"], lines["steward"]) == ("no, so cannot sign", "no")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("find=okaf", ["officer"]),
        ("find=meyer+mona", ["owner"]),
        ("find=steward@example", ["steward"]),
        ("find=%25", []),
        ("role=auditor", ["auditor"]),
        ("role=model_owner", ["owner"]),
        ("role=emperor&find=ada", ["administrator"]),
        ("show=left", []),
        ("show=invited", []),
        ("after=owner", ["steward"]),
        ("find=%00", None),
    ],
)  # fmt: skip
def test_people_are_found(cast: Cast, admin: Client, query: str, found: list[str] | None) -> None:
    answer = admin.get(f"/people/?{query}")
    assert answer.status_code == 200
    if found is not None:
        assert names(answer) == found


def test_a_role_that_is_over_is_shown_as_such_and_not_found(cast: Cast, admin: Client) -> None:
    role_grant(person=cast.outsider, role=OFFICER, actor="x", until=NOON + timedelta(days=1))
    with clock.frozen(NOON + timedelta(days=2)):
        later = confirmed(signed_in(cast.administrator))
        assert names(later.get("/people/?role=rai_officer")) == ["officer"]
        assert "over" in text(later.get(f"/people/{cast.outsider.pk}/"))


def test_ten_thousand_people_come_in_pages_at_a_fixed_number_of_queries(cast: Cast, admin: Client) -> None:
    with CaptureQueriesContext(connection) as few:
        admin.get("/people/")
    unusable = make_password(None)
    User.objects.bulk_create(
        [User(username=f"p{n:05}", first_name="Pat", last_name=f"No {n}", password=unusable) for n in range(10_000)]
    )
    append(actor="system:tests", action="person.created", subject="many")
    with CaptureQueriesContext(connection) as many:
        first = admin.get("/people/?find=pat")
    assert len(many) <= len(few) + 1
    assert len(names(first)) == 50
    second = admin.get(f"/people/?find=pat&after={names(first)[-1]}")
    assert names(second)[0] == "p00050"
    assert "after=p00049" in text(first)


def test_inviting_creates_the_person_and_shows_the_link_once(cast: Cast, admin: Client, settings: Any) -> None:
    given = {"name": "Nia Novak", "username": "nia", "email": "nia@example.org", "role": STEWARD, **WHY}
    answer = admin.post("/people/invite/", given)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    address = answer.context["address"]
    assert address.startswith(settings.PUBLIC_URL)
    nia = invited(token_of(address))
    assert (nia.username, roles_of(nia)) == ("nia", {STEWARD})
    assert [(each.action, each.actor) for each in entries(subject="user:nia")][-1] == (
        "person.created",
        "user:administrator",
    )
    assert entries(action="person.created")[0].detail["reason"] == WHY["reason"]
    assert address not in text(admin.get(f"/people/{nia.pk}/"))
    assert names(admin.get("/people/?show=invited")) == ["nia"]


def test_the_link_goes_by_mail_where_mail_is_configured(cast: Cast, admin: Client, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    answer = admin.post("/people/invite/", {"name": "Nia", "username": "nia", "email": "nia@example.org", **WHY})
    assert invited(token_of(mail.outbox[0].body.split("\n\n")[2])).username == "nia"
    assert "/invitation/" not in text(answer)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "officer"}, "username"),
        ({"username": "Officer"}, "username"),
        ({"username": "two words"}, "username"),
        ({"email": "nowhere"}, "email"),
        ({"name": "N" * 301}, "name"),
        ({"reason": " "}, "reason"),
        ({"role": "emperor"}, "role"),
        ({"role": AUDITOR, "until": "2040-01-01"}, "until"),
        ({"role": AUDITOR, "until": "9999-12-31"}, "until"),
        ({"role": AUDITOR, "until": "yesterday"}, "until"),
        ({"role": ADMINISTRATOR, "until": "2026-12-01"}, "until"),
        ({"role": AUDITOR, "models": ["no-such-model"]}, "models"),
        ({"name": "x\x00"}, "name"),
    ],
)
def test_a_wrong_invitation_names_the_field_and_creates_nobody(
    cast: Cast, admin: Client, changes: dict[str, Any], field: str
) -> None:
    answer = admin.post("/people/invite/", {"name": "Nia Novak", "username": "nia", **WHY, **changes})
    assert list(answer.context["form"].errors) == [field]
    assert not User.objects.filter(first_name="Nia").exists()


def test_an_invitation_is_withdrawn_and_made_anew(cast: Cast, admin: Client) -> None:
    nia, first = person_invite(username="nia", name="Nia", email="", actor="system:tests")
    assert admin.post(f"/people/{nia.pk}/withdraw/", WHY).status_code == 302
    assert invited(token_of(first)) is None
    assert names(admin.get("/people/?show=invited")) == []
    assert entries(action="invitation.withdrawn")[0].detail == WHY
    second = admin.post(f"/people/{nia.pk}/link/").context["address"]
    assert invited(token_of(second)) == nia
    with clock.frozen(NOON + timedelta(days=4)):
        assert names(confirmed(signed_in(cast.administrator)).get("/people/?show=invited")) == []


def test_roles_are_given_changed_and_revoked(cast: Cast, admin: Client) -> None:
    base = f"/people/{cast.outsider.pk}/roles/"
    given = {"role": AUDITOR, "until": "2026-12-01", "models": [cast.owned.slug], **WHY}
    assert admin.post(base, given)["Location"] == f"/people/{cast.outsider.pk}/"
    term = RoleTerm.objects.get(person=cast.outsider)
    assert (term.until, term.scope) == (datetime(2026, 12, 1, 23, 59, 59, tzinfo=UTC), [cast.owned.id])
    form = admin.get(f"{base}?role=auditor").context["form"]
    assert (str(form["until"].value()), form["models"].value()) == ("2026-12-01", [cast.owned.slug])
    admin.post(base, {"role": AUDITOR, "until": "2026-11-20", **WHY})
    term.refresh_from_db()
    assert (term.until.day, term.scope) == (20, [])
    admin.post(f"{base}auditor/revoke/", WHY)
    assert not roles_of(fresh(cast.outsider))
    assert [each.detail["reason"] for each in entries(subject="user:outsider", action="role.")] == [WHY["reason"]] * 3


def test_roles_that_must_not_meet_are_refused_with_the_reason(cast: Cast, admin: Client) -> None:
    answer = admin.post(f"/people/{cast.compliance.pk}/roles/", {"role": OFFICER, **WHY})
    assert "Compliance signs what they ask for." in text(answer)
    assert OFFICER not in roles_of(fresh(cast.compliance))


def test_models_are_given_and_taken(cast: Cast, admin: Client) -> None:
    other = model("lending")
    base = f"/people/{cast.owner.pk}/models/"
    admin.post(base, {"model": "lending", **WHY})
    assert owned_model_ids(fresh(cast.owner)) == {cast.owned.id, other.id}
    admin.post(f"{base}lending/end/", WHY)
    assert owned_model_ids(fresh(cast.owner)) == {cast.owned.id}
    assert entries(action="ownership.revoked")[0].detail == {"from": "user:owner", **WHY}
    assert admin.get(f"{base}no-such-model/end/").status_code == 404


def test_who_leaves_is_signed_out_and_can_come_back(cast: Cast, admin: Client) -> None:
    theirs = signed_in(cast.officer)
    admin.post(f"/people/{cast.officer.pk}/leave/", WHY)
    assert not is_in(theirs)
    assert names(admin.get("/people/?show=left&role=rai_officer")) == ["officer"]
    assert names(admin.get("/people/?show=left&role=auditor")) == []
    assert "officer" not in names(admin.get("/people/"))
    admin.post(f"/people/{cast.officer.pk}/return/", WHY)
    assert roles_of(fresh(cast.officer)) == {OFFICER}


def test_who_has_left_gets_no_link(cast: Cast, admin: Client) -> None:
    person_deactivate(person=cast.officer, actor="system:tests")
    answer = admin.post(f"/people/{cast.officer.pk}/link/", follow=True)
    assert "has left" in text(answer)
    assert "/invitation/" not in text(answer)


def test_lost_second_factors_are_taken_away(cast: Cast, admin: Client) -> None:
    set_up_app(signed_in(cast.officer))
    admin.post(f"/people/{cast.officer.pk}/second-factor/", WHY)
    assert not has_second_factor(cast.officer)
    assert entries(action="second_factor.reset")[0].actor == "user:administrator"


@pytest.mark.parametrize("path", ["roles/", "roles/auditor/revoke/", "models/", "leave/", "second-factor/", "link/"])
def test_nobody_changes_themselves(cast: Cast, admin: Client, path: str) -> None:
    set_up_app(signed_in(cast.administrator))
    before = User.objects.filter(pk=cast.administrator.pk).values().get()
    given = {"role": AUDITOR, "model": cast.owned.slug, **WHY}
    answer = confirmed(admin).post(f"/people/{cast.administrator.pk}/{path}", given, follow=True)
    assert "Nobody changes their own roles and access" in text(answer)
    assert User.objects.filter(pk=cast.administrator.pk).values().get() == before
    assert (roles_of(fresh(cast.administrator)), has_second_factor(cast.administrator)) == ({ADMINISTRATOR}, True)


CHANGES = ("invite/", "{id}/link/", "{id}/roles/", "{id}/roles/auditor/revoke/", "{id}/models/",
           "{id}/models/claims-triage/end/", "{id}/leave/", "{id}/withdraw/", "{id}/second-factor/",
           "{id}/identity/")  # fmt: skip


@pytest.mark.parametrize("path", CHANGES)
def test_every_change_asks_who_one_is_and_for_a_reason(cast: Cast, path: str) -> None:
    address = "/people/" + path.format(id=cast.auditor.pk)
    careless = signed_in(cast.administrator)
    given = {"username": "nia", "name": "Nia", "role": AUDITOR, "model": cast.owned.slug, **WHY}
    before = entries().count()
    assert careless.post(address, given)["Location"].startswith("/account/confirm/")
    if "link" not in path:
        confirmed(careless).post(address, given | {"reason": ""})
    assert entries().count() == before


@pytest.mark.parametrize("part", ["outsider", "officer", "compliance", "board", "owner", "steward", "auditor"])
def test_nobody_but_an_administrator_gets_in(cast: Cast, part: str) -> None:
    browser = confirmed(signed_in(getattr(cast, part)))
    before = entries().count()
    for path in ("", "{id}/", *CHANGES):
        address = "/people/" + path.format(id=cast.auditor.pk)
        assert browser.get(address).status_code == 403, path
        given = {"username": "nia", "name": "Nia", "role": AUDITOR, "model": cast.owned.slug, **WHY}
        assert browser.post(address, given).status_code in (403, 405), path
    assert entries().count() == before


@pytest.mark.parametrize("path", ["999999/", "999999/roles/", "99999999999999999999/", "{id}/emperor/",
                                  "{id}/roles/emperor/revoke/", "0/leave/"])  # fmt: skip
def test_what_is_not_there_is_not_found(cast: Cast, admin: Client, path: str) -> None:
    assert admin.get("/people/" + path.format(id=cast.officer.pk)).status_code == 404


def test_a_selector_refuses_a_role_that_does_not_exist() -> None:
    with pytest.raises(KeyError):
        people(role="emperor")
