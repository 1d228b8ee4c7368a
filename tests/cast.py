"""The people every test uses: one for each role, an owner of one model, and somebody without any business here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.contrib.auth.models import Group
from django.test import Client

from apps.accounts.models import User
from apps.accounts.permissions import forget
from apps.accounts.roles import ADMINISTRATOR, AUDITOR, BOARD, COMPLIANCE, OFFICER, OWNER, STEWARD
from apps.accounts.services import ownership_grant, person_create
from apps.common import clock
from apps.registry.declarations import AttributeDeclaration
from apps.registry.models import MonitoredModel
from apps.registry.selectors import model_spec
from apps.registry.services import model_register
from apps.registry.spec import ModelSpec, Words

PASSWORD = "six wooden boats at noon"
PEOPLE = {
    "officer": ("Olivia Okafor", OFFICER),
    "compliance": ("Colin Castell", COMPLIANCE),
    "board": ("Bea Brandt", BOARD),
    "owner": ("Mona Meyer", OWNER),
    "steward": ("Stan Sato", STEWARD),
    "auditor": ("Aude Aubert", AUDITOR),
    "administrator": ("Ada Adeyemi", ADMINISTRATOR),
    "outsider": ("Otto Orlov", None),
}


def person(part: str) -> User:
    """The person who plays `part` (a key of `PEOPLE`), with their role."""
    name, role = PEOPLE[part]
    return person_create(
        username=part,
        name=name,
        email=f"{part}@example.org",
        password=PASSWORD,
        roles=[role] if role else [],
        actor="system:tests",
    )


def slipped_in(who: User, role: str) -> None:
    """Give a role past the rule that some roles stay apart, as a hand at the database could."""
    User.groups.through.objects.create(user_id=who.pk, group_id=Group.objects.get(name=role).pk)
    forget(who)


def model(slug: str = "claims-triage", *, owner: str = "Claims department") -> ModelSpec:
    """A registered model with the attributes region and sex; `owner` may be the user name of a person."""
    return model_register(
        actor="token:tests",
        slug=slug,
        name=slug.replace("-", " ").capitalize(),
        industry="insurance",
        purpose="Decides which claims are looked at first.",
        risk_level="high",
        attributes=[
            AttributeDeclaration("region", ("NA", "APAC"), "NA"),
            AttributeDeclaration("sex", ("female", "male"), "male"),
        ],
        favourable_decision=1,
        owner=owner,
        words=Words(("rated low", "rated critical"), ("harmless", "critical")),
    )


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, and the one model that `owner` owns."""

    officer: User
    compliance: User
    board: User
    owner: User
    steward: User
    auditor: User
    administrator: User
    outsider: User
    owned: ModelSpec

    @classmethod
    def assemble(cls) -> Self:
        people = {part: person(part) for part in PEOPLE}
        owned = model()
        ownership_grant(person=people["owner"], model=MonitoredModel.objects.get(pk=owned.id), actor="system:tests")
        return cls(**people, owned=model_spec(owned.slug))


def signed_in(who: User) -> Client:
    """A browser in which `who` is signed in."""
    client = Client()
    client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    return client


def confirmed(client: Client, at: datetime | None = None) -> Client:
    """The same browser, in which the person has confirmed that it is them, now or at `at`."""
    session = client.session
    session["confirmed_at"] = (at or clock.now()).isoformat()
    session.save()
    return client
