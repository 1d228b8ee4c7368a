"""The legal and normative citations that thresholds rest on, as data.

The pages show the citation and what it asks for in our words; they give no legal advice. `checked_on` is the day on
which a row was last compared with the project's table of citations. Only a row with a `reviewer` has been confirmed
by a lawyer; none has yet, and the pages say so. Texts are paraphrases unless `quoted` is set.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

IN_FORCE = "in force"
VOLUNTARY = "voluntary"
TO_BE_CONFIRMED = "application date to be confirmed by a lawyer"
UNDER_REVIEW = "rule of thumb, status under review"

CHECK_EVERY = timedelta(days=180)
_CHECKED = date(2026, 11, 22)


@dataclass(frozen=True, slots=True)
class Citation:
    """One provision. effective_from: None where a lawyer has to confirm it, or where it has no such date."""

    instrument: str
    version: str
    provision: str
    text: str
    status: str
    effective_from: date | None = None
    checked_on: date = _CHECKED
    reviewer: str = ""
    quoted: bool = False

    @property
    def name(self) -> str:
        return f"{self.instrument}, {self.provision}" if self.provision else self.instrument

    def due_again(self, today: date) -> bool:
        """Whether the row has not been checked for 180 days."""
        return today - self.checked_on > CHECK_EVERY


def _ai_act(provision: str, text: str) -> Citation:
    return Citation("EU AI Act", "Regulation (EU) 2024/1689", provision, text, TO_BE_CONFIRMED)


def _nist(provision: str, text: str) -> Citation:
    return Citation("NIST AI RMF", "1.0", provision, text, VOLUNTARY, date(2023, 1, 26))


def _iso(provision: str, text: str) -> Citation:
    return Citation("ISO/IEC 42001", "2023", provision, text, VOLUNTARY)


def _australian(instrument: str, year: str) -> Citation:
    return Citation(instrument, year, "", "Discrimination on the protected ground is unlawful.", IN_FORCE)


CITATIONS: dict[str, Citation] = {
    "aia-9-6": _ai_act("Art. 9(6)", "High-risk systems are tested to find the most suitable risk management measures."),
    "aia-9-8": _ai_act("Art. 9(8)", "Testing is made against metrics defined before and probabilistic thresholds."),
    "aia-10-2-fg": _ai_act(
        "Art. 10(2)(f) and (g)", "Bias in data sets is examined, detected, prevented and mitigated."
    ),
    "aia-10-2-h": _ai_act("Art. 10(2)(h)", "Gaps and shortcomings of the data are identified and addressed."),
    "aia-10-5": _ai_act(
        "Art. 10(5)(a) to (f)",
        "Special-category data may serve to detect bias only where strictly necessary: pseudonymised, access "
        "documented, not passed on, deleted afterwards, with a record of why it was necessary.",
    ),
    "aia-12": _ai_act("Art. 12", "High-risk systems record events automatically."),
    "aia-15-4": _ai_act("Art. 15(4)", "Feedback loops that reinforce bias are addressed."),
    "aia-18": _ai_act("Art. 18", "The provider keeps the technical documentation for ten years."),
    "aia-19-1": _ai_act("Art. 19(1)", "The provider keeps the logs for at least six months."),
    "aia-26-5": _ai_act("Art. 26(5)", "Deployers monitor the operation of the system."),
    "aia-26-6": _ai_act("Art. 26(6)", "Deployers keep the logs for at least six months."),
    "aia-72": _ai_act("Art. 72", "The provider monitors the system after it has been placed on the market."),
    "aia-3-49-c": _ai_act(
        "Art. 3(49)(c)", "A breach of obligations that protect fundamental rights is a serious incident."
    ),
    "aia-73-2": _ai_act("Art. 73(2)", "A serious incident is reported within 15 days of becoming aware of it."),
    "aia-73-3": _ai_act("Art. 73(3)", "A widespread infringement is reported within 2 days."),
    "aia-73-4": _ai_act("Art. 73(4)", "An incident with a death is reported within 10 days."),
    "nist-measure-2-11": _nist("MEASURE 2.11", "Fairness and bias are evaluated and the results documented."),
    "nist-measure-2-4": _nist("MEASURE 2.4", "The system's behaviour is monitored in production."),
    "nist-manage-2-4": _nist("MANAGE 2.4", "Systems that behave other than intended can be disengaged."),
    "nist-manage-4-3": _nist("MANAGE 4.3", "Incidents and errors are communicated, tracked and answered."),
    "iso-42001-9-1": _iso("Clause 9.1", "The management system is monitored, measured, analysed and evaluated."),
    "iso-42001-a-6-2-6": _iso("Annex A.6.2.6", "The system in operation is monitored."),
    "iso-42001-a-6-2-8": _iso("Annex A.6.2.8", "Event logs are recorded."),
    "iso-42001-a-5-4": _iso("Annex A.5.4", "Impact on individuals and groups is assessed."),
    "cps-230-33": Citation(
        "APRA CPS 230",
        "2025",
        "para 33",
        "A material operational risk incident is notified within 72 hours.",
        IN_FORCE,
        date(2025, 7, 1),
    ),
    "cps-230-42": Citation(
        "APRA CPS 230",
        "2025",
        "para 42",
        "A disruption outside tolerance is notified within 24 hours.",
        IN_FORCE,
        date(2025, 7, 1),
    ),
    "rg-271": Citation(
        "ASIC RG 271",
        "in its present version",
        "",
        "Complaints are answered within 30 days (45 for superannuation) and systemic issues are looked for.",
        IN_FORCE,
    ),
    "au-age": _australian("Age Discrimination Act", "2004"),
    "au-disability": _australian("Disability Discrimination Act", "1992"),
    "au-race": _australian("Racial Discrimination Act", "1975"),
    "au-sex": _australian("Sex Discrimination Act", "1984"),
    "nyc-ll144": Citation(
        "NYC Local Law 144",
        "6 RCNY",
        "section 5-301",
        "Hiring tools are audited by impact ratios; a category below 2 % may be left out with a justification, "
        "unknowns are counted; there is no pass mark.",
        IN_FORCE,
    ),
    "four-fifths": Citation(
        "Uniform Guidelines on Employee Selection Procedures",
        "29 CFR",
        "1607.4(D)",
        "A selection rate below four fifths of the highest group's is generally regarded as evidence of adverse "
        "impact. A rule of thumb and not a legal limit.",
        UNDER_REVIEW,
    ),
    "gdpr-9": Citation(
        "GDPR",
        "Regulation (EU) 2016/679",
        "Art. 9",
        "Special categories of personal data.",
        IN_FORCE,
        date(2018, 5, 25),
    ),
    "gdpr-22": Citation(
        "GDPR",
        "Regulation (EU) 2016/679",
        "Art. 22",
        "Decisions based solely on automated processing.",
        IN_FORCE,
        date(2018, 5, 25),
    ),
    "gdpr-35": Citation(
        "GDPR", "Regulation (EU) 2016/679", "Art. 35", "Data protection impact assessment.", IN_FORCE, date(2018, 5, 25)
    ),
}

_EVERY_MODEL = ("aia-9-8", "nist-measure-2-11", "nist-measure-2-4", "iso-42001-a-6-2-6")
_BY_INDUSTRY = {
    "banking": ("gdpr-22", "cps-230-33"),
    "insurance": ("gdpr-22", "cps-230-33"),
    "employment": ("four-fifths", "nyc-ll144"),
    "healthcare": ("iso-42001-a-5-4",),
    "government": ("gdpr-22", "iso-42001-a-5-4"),
}


def basis_of(industry: str) -> tuple[str, ...]:
    """The citations that a preset of `industry` names."""
    return _EVERY_MODEL + _BY_INDUSTRY.get(industry, ())
