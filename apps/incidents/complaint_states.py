"""The life of a complaint, in one table."""

from __future__ import annotations

ABSENT = ""
RECEIVED, EXAMINED, ANSWERED, WITHDRAWN = "received", "examined", "answered", "withdrawn"

STEPS: dict[tuple[str, str], str] = {
    (ABSENT, "recorded"): RECEIVED,
    (RECEIVED, "examination_started"): EXAMINED,
    (RECEIVED, "answered"): ANSWERED,
    (EXAMINED, "answered"): ANSWERED,
    (RECEIVED, "withdrawn"): WITHDRAWN,
    (EXAMINED, "withdrawn"): WITHDRAWN,
    (ANSWERED, "reopened"): EXAMINED,
    (WITHDRAWN, "reopened"): EXAMINED,
}

ALL = (RECEIVED, EXAMINED, ANSWERED, WITHDRAWN)
UNANSWERED = (RECEIVED, EXAMINED)
OUTCOMES = ("upheld", "partly_upheld", "not_upheld")

TITLES = {
    RECEIVED: "received",
    EXAMINED: "being examined",
    ANSWERED: "answered",
    WITHDRAWN: "withdrawn",
}
