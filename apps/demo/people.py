"""The people of the demo: one for each role, and three for the board. Their user name is their first name."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.services import person_create
from apps.common.errors import Refused

ACTOR = "system:demo"


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody who signs in to look at the demo."""

    name: str
    role: str
    title: str

    @property
    def username(self) -> str:
        return self.name.split()[0].lower()

    @property
    def email(self) -> str:
        """An address that reaches nobody (RFC 2606)."""
        return f"{self.username}@example.org"


PEOPLE = (
    DemoPerson("Ines Okafor", "rai_officer", "Responsible AI officer"),
    DemoPerson("Carla Lindqvist", "compliance", "Compliance officer"),
    DemoPerson("Bela Horvath", "board_member", "Ethics board member"),
    DemoPerson("Omar Haddad", "model_owner", "Owner of the four models"),
    DemoPerson("Dana Whitlock", "data_steward", "Data steward"),
    DemoPerson("Aude Marchand", "auditor", "Auditor"),
    DemoPerson("Petra Lang", "administrator", "Administrator"),
    DemoPerson("Noor Rahimi", "board_member", "Ethics board member"),
    DemoPerson("Emil Novak", "board_member", "Ethics board member"),
)
OWNER = PEOPLE[3]


def people_create(password: str) -> int:
    """Create the people who are not there yet, all with `password`; how many were created."""
    created = 0
    for person in PEOPLE:
        try:
            person_create(
                username=person.username,
                actor=ACTOR,
                password=password,
                name=person.name,
                email=person.email,
                roles=(person.role,),
            )
            created += 1
        except Refused as refused:
            if refused.code != "exists":
                raise
    return created
