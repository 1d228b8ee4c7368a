"""Whom an identity provider's account stands for (OpenID Connect)."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services import Actor, authorised, said
from apps.audit import services as audit
from apps.common import clock

_JUST_NOW = 60.0
"""Seconds."""


class IdentityRefused(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """The account opens nothing. The reason is for the audit log; the person is told the same whatever it is."""

    def __init__(self, reason: str, person: User | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.person = person


@transaction.atomic
def identity_admit(login: Any) -> None:
    """Let `login`, django-allauth's SocialLogin, stand for a person who exists.

    The first time, that is the only active person with the mail address that the provider says it has verified; from
    then on the provider's subject is bound to them, and another subject with the same address is not let in. Nobody
    is ever created, and no role comes from outside.

    Raises IdentityRefused.
    """
    claims, proof = login.account.extra_data.get("userinfo"), login.account.extra_data.get("id_token")
    if claims and proof and claims.get("sub") != proof.get("sub"):
        raise IdentityRefused("the subjects of the token and of the account differ")
    if login.is_existing:
        if not login.user.is_active:
            raise IdentityRefused("the person has left", login.user)
        return
    person = _person_of(claims or proof or {})
    if SocialAccount.objects.filter(user_id=person.pk, provider=login.account.provider).exists():
        raise IdentityRefused("the person is bound to another account of the provider", person)
    login.user = login.account.user = person
    login.account.save()
    audit.append(actor=person.actor, action="identity.linked", subject=person.actor)


def proved_just_now(login: Any) -> bool:
    """Whether the provider says that the person has proved who they are within the last minute."""
    proof = login.account.extra_data.get("id_token") or {}
    at = proof.get("auth_time")
    return isinstance(at, int | float) and abs(clock.now().timestamp() - at) < _JUST_NOW


def identities_of(person: User) -> list[SocialAccount]:
    """The provider's accounts that are bound to a person."""
    return list(SocialAccount.objects.filter(user_id=person.pk))


@transaction.atomic
def identities_unlink(*, person: User, actor: Actor, reason: str = "") -> bool:
    """Undo what bound the provider's accounts to a person; False if there were none.

    Raises PermissionDenied for a person who may not manage people, Refused for oneself and without a reason.
    """
    by = authorised(actor, about=person, reason=reason)
    removed, _ = SocialAccount.objects.filter(user_id=person.pk).delete()
    if removed:
        audit.append(actor=by, action="identity.unlinked", subject=person.actor, detail=said(reason))
    return bool(removed)


def _person_of(claims: dict[str, Any]) -> User:
    address = claims.get("email")
    if not isinstance(address, str) or not address:
        raise IdentityRefused("the provider names no mail address")
    if claims.get("email_verified") is not True:
        raise IdentityRefused("the provider has not verified the mail address")
    people = list(User.objects.filter(email__iexact=address, is_active=True)[:2])
    if len(people) != 1:
        raise IdentityRefused("several people have this mail address" if people else "nobody has this mail address")
    return people[0]
