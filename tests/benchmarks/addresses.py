"""The addresses that `registers` opens: under each page who looks and where, every filter of the page among them."""

from __future__ import annotations

FIRST = "bench-0"
"""The model that has runs, overrides and an owner."""

_TABLE = """
inbox
    olivia /
    olivia /?show=breach
    colin  /
    bea    /
    mona   /
    aude   /
thresholds
    olivia /thresholds/
    olivia /thresholds/?state=all
    olivia /thresholds/?state=superseded
    olivia /thresholds/?state=planned
    olivia /thresholds/?state=all&page=100
    olivia /thresholds/?state=superseded&page=99
    olivia /thresholds/?state=all&text=premium+hospital
    olivia /thresholds/?state=superseded&text=premium
    olivia /thresholds/?state=all&metric=demographic_parity_ratio
    olivia /thresholds/?state=all&model=bench-0
    olivia /thresholds/?state=all&way=emergency
    olivia /thresholds/?state=all&industry=banking
    olivia /thresholds/?state=superseded&metric=demographic_parity_ratio&way=emergency
    mona   /thresholds/?state=superseded
incidents
    olivia /incidents/
    olivia /incidents/?show=all
    olivia /incidents/?show=open
    olivia /incidents/?show=closed
    olivia /incidents/?text=quicksilver&show=all
    olivia /incidents/?text=premium+hospital&show=all
    olivia /incidents/?text=4711
    olivia /incidents/?severity=critical
    olivia /incidents/?model=bench-0
    olivia /incidents/?cause=proxy
    olivia /incidents/?origin=complaint
    olivia /incidents/?deadline=passed
    olivia /incidents/?deadline=week&order=severest
    olivia /incidents/?since=2020-01-01&mine=1
    olivia /incidents/?reopened=1
    olivia /incidents/?order=severest&after=1-5000
    olivia /incidents/?show=all&after=0-200
    olivia /incidents/?text=premium&severity=high&order=severest&deadline=week
    olivia /incidents/5/
    mona   /incidents/?show=all
complaints
    olivia /complaints/
    olivia /complaints/?show=all
    olivia /complaints/?show=answered
    olivia /complaints/?text=premium+hospital&show=all
    olivia /complaints/?source=regulator
    olivia /complaints/?model=bench-0
    olivia /complaints/?attribute=sex
    olivia /complaints/?deadline=week
    olivia /complaints/?show=all&before=200
    olivia /complaints/5/
overrides
    olivia /models/bench-0/overrides/
    olivia /models/bench-0/overrides/?category=policy
    olivia /models/bench-0/overrides/?before=100
approvals
    colin  /approvals/
    colin  /approvals/?show=all
    colin  /approvals/?show=all&before=200
    mona   /approvals/?show=all
    ada    /approvals/?show=all
board
    bea    /board/
    bea    /board/?show=all
    bea    /board/?show=all&before=200
messages
    olivia /messages/
    olivia /messages/?before=5000
    olivia /deliveries/
    olivia /deliveries/?before=5000
people
    ada    /people/
    ada    /people/?find=last6
    ada    /people/?role=model_owner
    ada    /people/?show=left
    ada    /people/?standing=left
    ada    /people/?after=person01500
    ada    /tokens/
    ada    /permissions/
models
    olivia /models/
    olivia /models/bench-0/
    olivia /models/bench-0/?window=24h
    olivia /health/
    olivia /reports/
    olivia /retraining/
    ada    /health/
    stan   /vault/
    stan   /vault/reads/
    stan   /vault/uploads/
audit
    aude   /audit/
    aude   /audit/?who=person7
    aude   /audit/?who=compute
    aude   /audit/?who=system:compute
    aude   /audit/?who=nobody
    aude   /audit/?kind=finding.
    aude   /audit/?kind=run.
    aude   /audit/?kind=approval.remark
    aude   /audit/?kind=model.
    aude   /audit/?model=bench-0
    aude   /audit/?object=approval:49
    aude   /audit/?object=model:bench-0
    aude   /audit/?since=2020-01-01&until=2026-06-01
    aude   /audit/?until=2020-01-01
    aude   /audit/?text=remark
    aude   /audit/?text=premium
    aude   /audit/?text=quicksilver
    aude   /audit/?text=nothingofthekind
    aude   /audit/?text=run.stored
    aude   /audit/?text=abc
    aude   /audit/?who=person7&kind=approval.
    aude   /audit/?who=person7&kind=run.
    aude   /audit/?who=person8&text=quicksilver
    aude   /audit/?who=person9&model=bench-0
    aude   /audit/?model=bench-0&text=premium
    aude   /audit/?model=bench-0&kind=finding.
    aude   /audit/?kind=run.&text=quicksilver
    aude   /audit/?kind=finding.&text=premium
    aude   /audit/?before=500000
    aude   /audit/?before=100&text=remark
    aude   /audit/?who=person9&before=500000
    aude   /audit/?text=premium&before=300000
    aude   /audit/?text=premium&since=2026-11-20
    aude   /audit/?text=remark&until=2026-02-01
    aude   /audit/?object=approval:49&text=premium
"""

_FILES = """
/incidents/register.csv?show=all
/complaints/register.csv?show=all
/thresholds/register.csv?state=all
/models/bench-0/overrides.csv
"""


def addresses() -> list[tuple[str, str, str]]:
    """(page, who looks, address)."""
    found, page = [], ""
    for line in filter(None, _TABLE.splitlines()):
        if line.startswith(" "):
            who, address = line.split()
            found.append((page, who, address))
        else:
            page = line
    return found


FILES = tuple(_FILES.split())
"""Registers as files, which the officer takes."""
