"""Filters of the registers that people keep under a name, each person their own."""

from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.common.errors import Refused
from apps.incidents.checks import check_text
from apps.incidents.models import SavedView

REGISTERS = ("incidents", "complaints")
AT_MOST = 20


@transaction.atomic
def view_save(*, person: User, register: str, name: str, query: str) -> SavedView:
    """Keep a filter under a name; the same name again takes the place of the earlier one.

    query: the query string of the register's page, without its leading question mark.
    """
    if register not in REGISTERS:
        raise Refused("register", f"{register!r} is none of {', '.join(REGISTERS)}.")
    check_text("name", name, longest=60, missing="Give it a name.")
    check_text("query", query, longest=2000)
    own = SavedView.objects.filter(person=person, register=register)
    if not own.filter(name=name.strip()).exists() and own.count() >= AT_MOST:
        raise Refused("name", f"You keep {AT_MOST} views already. Forget one first.")
    saved, _ = SavedView.objects.update_or_create(
        person=person, register=register, name=name.strip(), defaults={"query": query}
    )
    return saved


def view_forget(*, person: User, view_id: int) -> bool:
    """Forget one of one's own; False if there is none such."""
    return bool(SavedView.objects.filter(person=person, pk=view_id).delete()[0])
