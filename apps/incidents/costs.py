"""The cost ledger: penalties, hours times rate, churn. Money is Decimal with a currency, and is never converted."""

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from django.db import transaction

from apps.accounts.models import User
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents import states, steps
from apps.incidents.checks import check_text
from apps.incidents.models import CostLine

_CENT = Decimal("0.01")
_MOST_QUANTITY = Decimal("999999999999.99")
_MOST_UNIT = Decimal("99999999999999.99")
_MOST_AMOUNT = Decimal("999999999999999999.99")


@transaction.atomic
def cost_book(
    *,
    incident_id: int,
    person: User,
    kind: str,
    description: str,
    unit_amount: Decimal,
    currency: str,
    incurred_on: date,
    quantity: Decimal = Decimal(1),
) -> CostLine:
    """Book a cost: `quantity` (hours, customers, 1) times `unit_amount`, rounded half up to a hundredth.

    Costs become known late, so a closed incident takes them too. Raises Http404 or PermissionDenied, and Refused for a
    part that is missing or wrong.
    """
    incident = steps.held_for(incident_id, person, changeable=False)
    _not_closing(incident.state)
    if kind not in CostLine.Kind.values:
        raise Refused("kind", f"{kind!r} is none of {', '.join(CostLine.Kind.values)}.")
    check_text("description", description, longest=300, missing="Say what the money was for.")
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise Refused("currency", "Name the currency by its three capital letters, such as AUD.")
    if incurred_on > clock.now().date():
        raise Refused("incurred_on", "A cost that lies in the future cannot be booked.")
    quantity = _number("quantity", quantity, _MOST_QUANTITY)
    unit_amount = _number("unit_amount", unit_amount, _MOST_UNIT)
    line = CostLine.objects.create(
        incident=incident,
        kind=kind,
        description=description.strip(),
        quantity=quantity,
        unit_amount=unit_amount,
        amount=_product(quantity, unit_amount),
        currency=currency,
        incurred_on=incurred_on,
        booked_by=person.actor,
        booked_at=clock.now(),
    )
    detail = {"kind": kind, "amount": str(line.amount), "currency": currency, "line": line.pk}
    steps.note(incident, "cost_booked", actor=person.actor, text=line.description, detail=detail)
    return line


@transaction.atomic
def cost_reverse(*, line_id: int, person: User, reason: str) -> CostLine:
    """Take a wrong line back by a line of the opposite amount. Raises Refused if that has been done already."""
    line = CostLine.objects.filter(pk=line_id).first()
    if line is None:
        raise Refused("line", f"There is no cost line {line_id}.", code="unknown")
    incident = steps.held_for(line.incident_id, person, changeable=False)
    _not_closing(incident.state)
    check_text("reason", reason, longest=200, missing="Say why the line is taken back.")
    if line.reverses_id or CostLine.objects.filter(reverses=line).exists():
        raise Refused("line", "This line has been taken back, or is itself one that takes another back.", code="state")
    reversal = CostLine.objects.create(
        incident=incident,
        kind=line.kind,
        description=f"Taken back: {reason.strip()}",
        quantity=-line.quantity,
        unit_amount=line.unit_amount,
        amount=-line.amount,
        currency=line.currency,
        incurred_on=line.incurred_on,
        booked_by=person.actor,
        booked_at=clock.now(),
        reverses=line,
    )
    detail = {"amount": str(reversal.amount), "currency": line.currency, "line": line.pk}
    steps.note(incident, "cost_taken_back", actor=person.actor, text=reason.strip(), detail=detail)
    return reversal


def _not_closing(state: str) -> None:
    if state == states.CLOSING:
        raise Refused("incident", "Closure is asked for; book it once that is decided.", code="state")


def _number(field: str, given: Decimal, most: Decimal) -> Decimal:
    try:
        rounded = given.quantize(_CENT, rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise Refused(field, "This is no amount that the ledger can hold.") from None
    if not rounded.is_finite() or not 0 < rounded <= most:
        raise Refused(field, "This must be more than nothing, and no more than the ledger can hold.")
    return rounded


def _product(quantity: Decimal, unit_amount: Decimal) -> Decimal:
    product = quantity * unit_amount
    if product > _MOST_AMOUNT:
        raise Refused("unit_amount", "The product is more than the ledger can hold.")
    return product.quantize(_CENT, rounding=ROUND_HALF_UP)
