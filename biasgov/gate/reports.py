"""What the gate leaves behind: a table on the terminal, JUnit for the CI server, one page of HTML for people."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from biasgov.fairness.verdicts import Result
from biasgov.gate.decide import GateReport, name_of, spread

WORDS = {
    "within": "within bounds",
    "breach": "breach",
    "inconclusive": "too little evidence",
    "not_estimable": "not estimable",
}
EVERYBODY = "everybody"
SENTENCES = {
    "pass": "Pass: every judged result lies within its bound.",
    "fail": "Fail: a bound or a tolerance is broken.",
    "inconclusive": "Cannot judge: the evidence does not suffice for a pass.",
}

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold; a level of a file may."""


def terminal(report: GateReport) -> str:
    """The verdict, its reasons, and the judged results as an aligned table."""
    rows: list[tuple[str, ...]] = [("metric", "attribute", "group", "n", "value", "interval", "bound", "verdict")]
    rows += [_cells(result, report) for result in _judged(report)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = [SENTENCES[report.verdict], *(f"  - {reason}" for reason in report.reasons), ""]
    return "\n".join(head + lines + _comparison_lines(report))


def junit(report: GateReport) -> str:
    """One test case a judged result: a breach is a failure, what cannot be judged is skipped with its reason."""
    suite = ET.Element("testsuite", name="biasgov gate")
    failures = skipped = tests = 0
    for result in _judged(report):
        tests += 1
        case = ET.SubElement(
            suite, "testcase", classname=f"fairness.{result.attribute or EVERYBODY}", name=name_of(result.key)
        )
        text = f"{_value(result.value)} {_interval(result)}, bound {_bound(result)}, n {result.n}"
        if result.verdict == "breach":
            failures += 1
            ET.SubElement(case, "failure", message=f"breach ({result.severity})").text = text
        elif result.verdict != "within":
            skipped += 1
            ET.SubElement(case, "skipped", message=result.reason or WORDS[result.verdict])
    for title, problems in (
        ("stability over folds", [name_of(key) for key in report.unstable]),
        ("change against the baseline", list(report.comparison.exceeded) if report.comparison else []),
    ):
        tests += 1
        case = ET.SubElement(suite, "testcase", classname="fairness", name=title)
        if problems:
            failures += 1
            ET.SubElement(case, "failure", message=title).text = "\n".join(problems)
    suite.attrib.update(tests=str(tests), failures=str(failures), skipped=str(skipped), errors="0")
    for element in suite.iter():
        element.text = element.text and _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", element.text)
        for name, text in element.attrib.items():
            element.attrib[name] = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
    whole: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return whole.decode() + "\n"


def page(report: GateReport) -> str:
    """One self-contained HTML page without scripts."""
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in report.reasons)
    body = "".join(_row(result, report) for result in _judged(report))
    rest = "".join(_row(result, report) for result in report.results if not result.judged)
    columns = [name.format(confidence=f"{100 * report.confidence:g} %") for name in _COLUMNS]
    head = "<tr>" + "".join(f"<th scope=col>{name}</th>" for name in columns) + "</tr>"
    compared = "".join(f"<li>{html.escape(line)}</li>" for line in _comparison_lines(report) if line)
    return _PAGE.format(
        verdict=report.verdict,
        sentence=SENTENCES[report.verdict],
        rows=f"{report.rows:,}",
        reasons=f"<ul>{reasons}</ul>" if reasons else "",
        compared=f"<h2>Against the baseline</h2><ul>{compared}</ul>" if compared else "",
        head=head,
        body=body,
        rest=rest,
    )


def _judged(report: GateReport) -> Iterable[Result]:
    return [result for result in report.results if result.judged]


def _cells(result: Result, report: GateReport) -> tuple[str, ...]:
    verdict = WORDS[result.verdict]
    if result.key in report.skipped:
        verdict = "below the minimum share"
    elif result.severity:
        verdict = f"{verdict} ({result.severity})"
    return (
        result.metric,
        result.attribute or EVERYBODY,
        result.group or ("all groups" if result.attribute else ""),
        f"{result.n:,}",
        _value(result.value),
        _interval(result),
        _bound(result),
        verdict,
    )


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(result: Result) -> str:
    low, high = result.interval
    return "" if low is None and high is None else f"{_value(low)} to {_value(high)}"


def _bound(result: Result) -> str:
    low, high = result.bound.lower, result.bound.upper
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else ""


def _comparison_lines(report: GateReport) -> list[str]:
    one = report.comparison
    if one is None:
        return []
    scores = "no scores" if one.scores is None else f"scores moved by {one.scores:.4f} on average"
    lines = [
        "",
        f"{one.rows:,} people compared: {one.decisions:.2%} of the decisions changed; {scores}; "
        f"the largest change of a judged metric is {one.fairness:.4f}"
        + (f" ({one.fairness_metric})" if one.fairness_metric else ""),
    ]
    if one.only_now or one.only_before:
        lines.append(f"{one.only_now:,} people are in the data only, {one.only_before:,} in the baseline only")
    return lines


def _row(result: Result, report: GateReport) -> str:
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in (*_cells(result, report), _folds(result, report)))
    return f'<tr class="{result.verdict if result.judged else "unjudged"}">{cells}</tr>'


def _folds(result: Result, report: GateReport) -> str:
    folds = report.folds.get(result.key, {})
    listed = ", ".join(f"{fold}: {_value(one.value)}" for fold, one in folds.items())
    return f"{listed}; range {spread(folds):.3f}" if listed else ""


_COLUMNS = ("metric", "attribute", "group", "n", "value", "{confidence} interval", "bound", "verdict", "by fold")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fairness gate: {verdict}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ border-left: .4rem solid #5b6770; padding-left: .8rem; }}
h1.pass {{ border-color: #0f766e; }} h1.fail {{ border-color: #b42318; }} h1.inconclusive {{ border-color: #b7791f; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #8884; }}
td:nth-child(4), td:nth-child(5) {{ text-align: right; font-variant-numeric: tabular-nums; }}
tr.breach td:nth-child(8) {{ font-weight: 700; }}
</style></head><body>
<h1 class="{verdict}">{sentence}</h1>
<p>{rows} people.</p>{reasons}{compared}
<h2>Judged</h2><div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>
<details><summary>Everything else that was measured</summary>
<div class="wide"><table><thead>{head}</thead><tbody>{rest}</tbody></table></div></details>
</body></html>
"""
