"""Which requests wait for whose signature, found by the database however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.accounts.permissions import may_somewhere, models_within, recall
from apps.accounts.roles import COLLECTIVE
from apps.approvals import states
from apps.approvals.kinds import kinds
from apps.approvals.models import Approval, Signature


def signable_by(person: User) -> QuerySet[Approval]:
    """The requests of which `selectors.signable` says that this person may sign them now.

    Three queries at most beside the one that it is, whoever has signed.
    """
    waiting = Approval.objects.filter(state=states.SUBMITTED).exclude(requester=person)
    verbs = sorted({verb for each in kinds() for verb in each.signers if may_somewhere(person, verb)} - COLLECTIVE)
    if not verbs:
        return waiting.none()
    given = Signature.objects.filter(approval=OuterRef("pk"), digest=OuterRef("digest"))
    others = _signers(verbs)
    asked = Q()
    for verb in verbs:
        within, met = models_within(person, verb), _counts(others, verb)
        need = Q(needs__contains=[{"verb": verb}]) & Q(~Exists(given.filter(met, verb=verb)))
        asked |= need if within is None else need & Q(model_id__in=within)
    return waiting.filter(asked, ~Exists(given.filter(person=person)))


def _signers(verbs: Sequence[str]) -> list[User]:
    """The people whose signatures stand for one of these needs under requests that wait for another one."""
    standing = Signature.objects.filter(verb__in=verbs, approval__state=states.SUBMITTED, digest=F("approval__digest"))
    people = list(User.objects.filter(pk__in=standing.values("person_id")))
    recall(people)
    return people


def _counts(signers: Iterable[User], verb: str) -> Q:
    """Which signatures for this need are of somebody who still may give them."""
    counts = Q(pk__in=[])
    for each in signers:
        within = models_within(each, verb)
        counts |= Q(person=each) if within is None else Q(person=each, approval__model_id__in=within)
    return counts
