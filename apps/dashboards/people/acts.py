"""What can be done about a person by giving a reason and nothing else: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.accounts.identities import identities_unlink
from apps.accounts.invitations import invitation_withdraw
from apps.accounts.second_factors import second_factors_remove
from apps.accounts.services import person_deactivate, person_reactivate


@dataclass(frozen=True, slots=True)
class Act:
    """title, says: what the page asks, with {name}. button: what is pressed. done: what is said afterwards.

    do: the service; it answers whether there was anything to do.
    """

    title: str
    says: str
    button: str
    done: str
    do: Callable[..., Any]


ACTS = {
    "leave": Act(
        "End the access of {name}",
        "They are signed out everywhere and can sign in no more. What they did stays in their name, and their roles are"
        " kept for the day that they come back.",
        "End their access",
        "{name} can sign in no more.",
        person_deactivate,
    ),
    "return": Act(
        "Let {name} in again",
        "They come back with the roles that they had. Look at those first.",
        "Let them in again",
        "{name} can sign in again.",
        person_reactivate,
    ),
    "withdraw": Act(
        "Withdraw the invitation of {name}",
        "The link that they were given counts no more. Their account and its roles stay.",
        "Withdraw it",
        "The link of {name} counts no more.",
        invitation_withdraw,
    ),
    "second-factor": Act(
        "Take the second factors of {name} away",
        "For somebody who has lost app, passkey and recovery codes. Until they set up a new one their password alone"
        " signs them in: make sure that it is really them who asks.",
        "Take them away",
        "{name} can set up a new second factor.",
        second_factors_remove,
    ),
    "identity": Act(
        "Unlink the company account of {name}",
        "Their account at the identity provider opens nothing here until it is linked again, at their next sign-in"
        " by it.",
        "Unlink it",
        "The company account of {name} is unlinked.",
        identities_unlink,
    ),
}
