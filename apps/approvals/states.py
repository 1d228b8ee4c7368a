"""The life of a request, in one table.

``signed`` is a request with all its signatures whose moment is still to come; one that holds at once goes through it in
the same transaction.
"""

from __future__ import annotations

DRAFT, SUBMITTED, SIGNED, EFFECTIVE = "draft", "submitted", "signed", "effective"
REJECTED, WITHDRAWN, EXPIRED = "rejected", "withdrawn", "expired"

STEPS: dict[tuple[str, str], str] = {
    (DRAFT, "changed"): DRAFT,
    (DRAFT, "submitted"): SUBMITTED,
    (DRAFT, "withdrawn"): WITHDRAWN,
    (SUBMITTED, "changed"): SUBMITTED,
    (SUBMITTED, "signature_given"): SUBMITTED,
    (SUBMITTED, "board_agreed"): SUBMITTED,
    (SUBMITTED, "signed"): SIGNED,
    (SUBMITTED, "rejected"): REJECTED,
    (SUBMITTED, "withdrawn"): WITHDRAWN,
    (SUBMITTED, "expired"): EXPIRED,
    (DRAFT, "voided"): WITHDRAWN,
    (SUBMITTED, "voided"): WITHDRAWN,
    (SIGNED, "became_effective"): EFFECTIVE,
}

OPEN = (DRAFT, SUBMITTED)
CAME_TO_NOTHING = (REJECTED, WITHDRAWN, EXPIRED)
ENDED = (EFFECTIVE, *CAME_TO_NOTHING)
ALL = (*OPEN, SIGNED, *ENDED)
