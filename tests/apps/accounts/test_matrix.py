"""The permission matrix: who may do what, seen from those who may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory

from apps.accounts.models import User
from apps.accounts.permissions import demand, may, may_somewhere, requires
from apps.accounts.roles import ADMINISTRATOR, EVERYWHERE, MATRIX, OFFICER, OWN, ROLES
from apps.accounts.selectors import owners_of, people_with_role
from apps.accounts.services import (
    ownership_grant,
    ownership_revoke,
    person_create,
    person_deactivate,
    role_grant,
    role_revoke,
)
from apps.audit.selectors import entries
from apps.common.errors import Refused
from apps.registry.models import MonitoredModel
from tests.cast import PASSWORD, PEOPLE, Cast, model, person

pytestmark = pytest.mark.django_db

STRANGERS = ("outsider", "administrator", "steward")


@pytest.fixture
def cast() -> Cast:
    return Cast.assemble()


def fresh(who: User) -> User:
    return User.objects.get(pk=who.pk)


def test_every_role_is_a_group() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


def test_the_matrix_knows_only_known_roles_and_reaches() -> None:
    assert {role for cells in MATRIX.values() for role in cells} <= set(ROLES)
    assert {reach for cells in MATRIX.values() for reach in cells.values()} == {EVERYWHERE, OWN}


def test_only_the_owner_has_a_reach_of_own_models() -> None:
    assert {role for cells in MATRIX.values() for role, reach in cells.items() if reach == OWN} == {"model_owner"}


def test_the_matrix_says_what_the_house_has_agreed_on(cast: Cast) -> None:
    allowed = {
        verb: {part for part in PEOPLE if may(getattr(cast, part), verb, cast.owned)}
        for verb in (
            "model.view",
            "finding.acknowledge",
            "threshold.sign",
            "vault.upload",
            "audit.verify",
            "board.vote",
        )
    }
    assert allowed == {
        "model.view": {"officer", "compliance", "board", "owner", "auditor"},
        "finding.acknowledge": {"officer", "owner"},
        "threshold.sign": {"compliance"},
        "vault.upload": {"steward"},
        "audit.verify": {"compliance", "auditor"},
        "board.vote": {"board"},
    }


def test_an_administrator_takes_no_part_in_fairness(cast: Cast) -> None:
    held = {verb for verb, cells in MATRIX.items() if ADMINISTRATOR in cells}
    assert not {
        verb for verb in held if verb.split(".")[0] in {"model", "run", "finding", "threshold", "vault", "board"}
    }


def test_nobody_holds_both_ends_of_a_signature() -> None:
    for role in ROLES:
        held = {verb for verb, cells in MATRIX.items() if role in cells}
        assert not {"threshold.propose", "threshold.sign"} <= held
        assert not {"access.request", "access.sign"} <= held


@pytest.mark.parametrize("verb", MATRIX)
def test_the_outsider_and_the_anonymous_may_nothing(cast: Cast, verb: str) -> None:
    cast.outsider.is_superuser = True
    cast.outsider.save()
    for who in (fresh(cast.outsider), AnonymousUser()):
        assert not may(who, verb)
        assert not may(who, verb, cast.owned)
        assert not may_somewhere(who, verb)


def test_an_owner_reaches_their_own_model_and_no_other(cast: Cast) -> None:
    other = model("other-model")
    assert may(cast.owner, "model.view", cast.owned)
    assert may_somewhere(cast.owner, "model.view")
    assert not may(cast.owner, "model.view", other)
    assert not may(cast.owner, "model.view"), "without a model the question is about every model"


def test_the_group_of_owners_alone_opens_nothing() -> None:
    somebody = person("owner")
    assert not may(somebody, "model.view", model())
    assert not may_somewhere(somebody, "model.view")


def test_who_registers_a_model_for_somebody_makes_them_its_owner() -> None:
    owner = person("owner")
    owned = model(owner="owner")
    assert may(fresh(owner), "finding.acknowledge", owned)
    assert list(owners_of(owned.id)) == [owner]


def test_who_has_left_may_nothing(cast: Cast) -> None:
    assert person_deactivate(person=cast.officer, actor="user:administrator")
    assert not person_deactivate(person=cast.officer, actor="user:administrator")
    assert not may(fresh(cast.officer), "model.view", cast.owned)
    assert cast.officer not in people_with_role(OFFICER)


def test_an_unknown_verb_is_an_error_and_not_a_no(cast: Cast) -> None:
    with pytest.raises(KeyError):
        may(cast.officer, "model.veiw")
    with pytest.raises(KeyError):
        requires("model.veiw")


@pytest.mark.parametrize("part", STRANGERS)
def test_a_model_is_a_secret_to_those_who_may_not_see_it(cast: Cast, part: str) -> None:
    with pytest.raises(Http404):
        demand(getattr(cast, part), "finding.acknowledge", cast.owned)


def test_who_may_see_but_not_act_is_told_so(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        demand(cast.auditor, "finding.acknowledge", cast.owned)
    with pytest.raises(PermissionDenied):
        demand(cast.owner, "person.manage")


def seen_by(who: User | AnonymousUser, verb: str, **headers: str) -> HttpResponse:
    @requires(verb)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("inside")

    request = RequestFactory().get("/somewhere/?a=1", headers=headers)
    request.user = who
    return view(request)


def test_a_view_opens_for_those_who_may(cast: Cast) -> None:
    assert seen_by(cast.officer, "health.view").content == b"inside"
    with pytest.raises(PermissionDenied):
        seen_by(cast.outsider, "health.view")


def test_a_view_sends_strangers_to_sign_in_and_back() -> None:
    answer = seen_by(AnonymousUser(), "health.view")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/somewhere/%3Fa%3D1")


def test_a_fragment_makes_the_whole_page_go_to_sign_in() -> None:
    answer = seen_by(AnonymousUser(), "health.view", **{"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/sign-in/")


def test_a_role_given_and_taken_counts_at_once_and_is_in_the_log(cast: Cast) -> None:
    assert role_grant(person=cast.outsider, role=OFFICER, actor="user:administrator")
    assert not role_grant(person=cast.outsider, role=OFFICER, actor="user:administrator")
    assert may(cast.outsider, "model.view")
    assert role_revoke(person=cast.outsider, role=OFFICER, actor="user:administrator")
    assert not role_revoke(person=cast.outsider, role=OFFICER, actor="user:administrator")
    assert not may(cast.outsider, "model.view")
    said = [(entry.action, entry.actor, entry.detail) for entry in entries(subject="user:outsider", action="role.")]
    assert said == [
        ("role.revoked", "user:administrator", {"role": OFFICER}),
        ("role.granted", "user:administrator", {"role": OFFICER}),
    ]


def test_ownership_given_and_taken_is_in_the_log(cast: Cast) -> None:
    owned = MonitoredModel.objects.get(pk=cast.owned.id)
    ownership_grant(person=cast.outsider, model=owned, actor="user:administrator")
    assert may(cast.outsider, "model.view", cast.owned)
    ownership_revoke(person=cast.outsider, model=owned, actor="user:administrator")
    assert not may(cast.outsider, "model.view", cast.owned)
    said = [entry.action for entry in entries(subject="model:claims-triage", action="ownership.")]
    assert said == ["ownership.revoked", "ownership.granted", "ownership.granted"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("username", {"username": "no spaces please"}),
        ("username", {"username": ""}),
        ("email", {"email": "nowhere"}),
        ("password", {"password": "short"}),
        ("password", {"password": "somebodynew!"}),
        ("role", {"roles": ["emperor"]}),
    ],
)
def test_a_person_is_refused_with_the_fields_name(field: str, changes: dict[str, object]) -> None:
    given = {"username": "somebodynew", "actor": "user:administrator", "password": PASSWORD} | changes
    with pytest.raises(Refused) as refused:
        person_create(**given)
    assert refused.value.field == field
    assert not User.objects.exists()


def test_a_user_name_is_given_once(cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        person("officer")
    assert refused.value.code == "exists"


def test_names_are_shown_as_people_write_them() -> None:
    known = person_create(username="rosa", name="Rosa de la Cruz", actor="system:tests")
    plain = person_create(username="plain", actor="system:tests")
    assert [(who.display_name, who.initials) for who in (known, plain)] == [("Rosa de la Cruz", "RC"), ("plain", "P")]
    assert not known.has_usable_password()


def test_what_the_matrix_gives_somebody_is_asked_for_somewhere() -> None:
    """A right that no page and no service asks for would be a promise to who holds it."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (Path(settings.BASE_DIR) / "apps").rglob("*.py"))
    idle = [verb for verb, cells in MATRIX.items() if cells and f'"{verb}"' not in code]
    assert idle == []
