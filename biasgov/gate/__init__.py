"""The fairness gate for a CI pipeline: a frame of rows and a policy in, a verdict and reports out. No server."""

from biasgov.gate.decide import GateReport, run_gate
from biasgov.gate.policy import GatePolicy, read_policy
from biasgov.gate.rows import GateInputError, read_frame

__all__ = ["GateInputError", "GatePolicy", "GateReport", "read_frame", "read_policy", "run_gate"]
