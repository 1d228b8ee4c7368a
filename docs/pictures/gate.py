"""The gate before the update that the demo tells of: the same reports, rated by the former build and by the new one."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from apps.demo.security_triage import SecurityTriage

UPDATE = datetime(2026, 3, 2, tzinfo=UTC)
POLICY = """
favourable: 1
columns: {decision: rated_high, label: critical, score: score, id: report}
attributes:
  reporting_region: {reference: North America}
bounds:
  demographic_parity_ratio: {lower: 0.8, upper: 1.25}
  equalized_odds_difference: {upper: 0.05}
baseline: former.csv
tolerance: {decisions: 0.005, fairness: 0.02}
"""


def report(folder: Path) -> Path:
    """Run ``biasgov gate`` in a folder, as a pipeline would; the page that it leaves behind."""
    _rated(UPDATE + timedelta(days=30)).to_csv(folder / "former.csv", index=False)
    _rated(UPDATE).to_csv(folder / "new.csv", index=False)
    (folder / "fairness.yaml").write_text(POLICY)
    command = ["new.csv", "--policy", "fairness.yaml", "--json", "gate.json", "--html", "gate.html"]
    subprocess.run([Path(sys.executable).parent / "biasgov", "gate", *command], cwd=folder, check=False)  # noqa: S603
    return folder / "gate.html"


def _rated(updated_at: datetime) -> pd.DataFrame:
    """Three days of reports behind `UPDATE`, rated by the build that is in use if the update comes at that moment."""
    model = SecurityTriage(UPDATE)
    model.updated_at = updated_at
    until = UPDATE + timedelta(days=3)
    critical = {row["event_id"]: row["label"] for row in model.labels(UPDATE, until + timedelta(days=1))}
    regions = model.attributes()
    return pd.DataFrame(
        {
            "report": row["event_id"],
            "rated_high": row["decision"],
            "critical": critical[row["event_id"]],
            "score": row["score"],
            "reporting_region": regions[int(row["subject_id"].rpartition("-")[2])]["reporting_region"],
        }
        for row in model.events(UPDATE, until)
    )
