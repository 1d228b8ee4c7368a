"""Doors for Celery: each wakes one service, which finds its own work. Losing a message loses a moment, no work."""

from __future__ import annotations

from apps.accounts.replays import forms_forget
from apps.approvals import services as approvals
from apps.audit.sealing import log_seal
from apps.audit.verification import verification_continue
from apps.board import services as board
from apps.monitoring import services as monitoring
from apps.pipeline import answering, backtest, disclosures, retention, services, watching
from apps.pipeline.wake import again, door
from apps.responses import services as responses
from apps.vault import services as vault

VERIFY_BUDGET = 2.0
"""Seconds at a time: messages that must be delivered wait in the same queue."""


@door("compute.open_uploads")
def open_uploads() -> None:
    services.open_uploads()


@door("compute.sweep")
def sweep() -> None:
    if services.sweep():
        again(sweep)


@door("compute.evaluate_due")
def evaluate_due() -> None:
    services.evaluate_due()


@door("compute.count_overrides")
def count_overrides() -> None:
    if services.count_overrides():
        again(count_overrides)


@door("compute.backtest")
def backtest_proposals() -> None:
    if backtest.backtest_next():
        again(backtest_proposals)


@door("compute.recompute")
def recompute_runs() -> None:
    if monitoring.recomputation_next():
        again(recompute_runs)


@door("compute.rotate_keys")
def rotate_keys() -> None:
    if vault.rotate_when_due(seconds=services.BUDGET):
        again(rotate_keys)


@door("compute.drop_superseded")
def drop_superseded() -> None:
    monitoring.runs_drop_superseded()


@door("compute.retention")
def let_go() -> None:
    retention.retention_apply()


@door("compute.seal_audit_log")
def seal_audit_log() -> None:
    log_seal()


@door("governance.respond")
def respond() -> None:
    answering.answer_waiting()


@door("governance.enforce_deadlines")
def enforce_deadlines() -> None:
    answering.deadlines_enforce()
    responses.acknowledgements_chase()


@door("governance.deliver")
def deliver() -> None:
    responses.deliver_for()


@door("governance.write_digests")
def write_digests() -> None:
    responses.digests_write()


@door("governance.watch")
def watch() -> None:
    watching.watch()
    responses.alive()
    watching.watch_log()


@door("governance.verify_audit_log")
def verify_audit_log() -> None:
    if verification_continue(seconds=VERIFY_BUDGET):
        again(verify_audit_log)


@door("governance.advance_approvals")
def advance_approvals() -> None:
    approvals.approvals_advance()


@door("governance.advance_board")
def advance_board() -> None:
    board.cases_advance()


@door("governance.forget_forms")
def forget_forms() -> None:
    forms_forget()


@door("governance.forget_uploads")
def forget_uploads() -> None:
    vault.uploads_forget()


@door("compute.answer_accesses")
def answer_accesses() -> None:
    vault.accesses_answer()


@door("governance.advance_accesses")
def advance_accesses() -> None:
    vault.accesses_advance()
    disclosures.disclosures_announce()
