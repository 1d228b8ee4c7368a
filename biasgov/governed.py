"""Which tables cannot change without an entry in the audit log, written in the same transaction: by whatever code.

`apply` puts a deferred constraint trigger on each of them, which asks at commit whether the transaction wrote an entry.
A value is the columns whose change counts (``*``: every one); rows that come or go always count. A table stands either
here or, with its reason, in `UNGOVERNED`: a test fails for one that stands in neither.

The owner of the tables is not asked, so that migrations can move data.
"""

from __future__ import annotations

from typing import Any

GOVERNED: dict[str, str] = {
    # A sign-in may renew the hash of a password and the counter of a passkey before it is an event of its own.
    "accounts_invitation": "*",
    "accounts_role_term": "*",
    "accounts_user": "username, email, is_active, is_staff, is_superuser",
    "accounts_user_groups": "*",
    "accounts_user_user_permissions": "*",
    "api_apitoken": "name, digest, scopes, expires_at, revoked_at, model_id, issued_by",
    "approvals_approval": "title, content, reason, digest, needs, state, requester_id",
    "approvals_resolution": "*",
    "approvals_signature": "*",
    "approvals_step": "*",
    "audit_verification": "state",
    "board_case": "title, question, facts, state, digest, vote_until, remind_at, outcome, tally",
    "board_condition": "*",
    "board_conflict": "*",
    "board_paper": "*",
    "board_rules": "*",
    "board_seat": "*",
    "board_step": "*",
    "board_vote": "*",
    "guardian_groupobjectpermission": "*",
    "guardian_userobjectpermission": "*",
    "incidents_action": "*",
    "incidents_clock": "*",
    "incidents_complaint": "*",
    "incidents_complaintstep": "*",
    "incidents_cost": "*",
    "incidents_evidence": "*",
    "incidents_incident": "title, summary, severity, state, explanation, lessons, lead_id",
    "incidents_step": "*",
    "mfa_authenticator": "user_id, type",
    "monitoring_override_rates": "*",
    "monitoring_recomputation": "state, outcome, result",
    "monitoring_run": "*",
    "overrides_override": "*",
    "pipeline_alarm": "cleared_at",
    "registry_modelversion": "*",
    "registry_monitoredmodel": "*",
    "registry_protectedattribute": "*",
    "registry_retention": "*",
    "responses_finding": "state, tier, acknowledged_by_id, cause_id",
    "responses_findingtransition": "*",
    "responses_mailpreference": "mail, at_least",
    "responses_modelstatus": "*",
    "responses_restriction": "state, blocked_decision_types, approval_id",
    "responses_restrictionstep": "*",
    "responses_silence": "*",
    "retraining_check": "*",
    "socialaccount_socialaccount": "provider, uid, user_id",
    "thresholds_assessment": "*",
    "thresholds_policyversion": "*",
    "thresholds_review": "*",
    "vault.data_key": "wrapped, wrapped_by",
    "vault.key_floor": "*",
    "vault_access": "*",
    "vault_access_step": "event, actor, at",
    "vault_erasure": "state",
    "vault_schema": "*",
    "vault_upload": "state",
}

_BESIDE = "written beside a governed table, in its transaction"
_THIRD_PARTY = "kept by a library; what it means is audited where it is asked for"
_QUEUE = "work that waits, no decision"
_LOCKED = "there to be locked; holds nothing"
_DATA = "what models and stewards send; read and counted under audited vault reads"

UNGOVERNED: dict[str, str] = {
    "accounts_sent_form": "which forms were carried out; what they did is audited there",
    "account_emailaddress": _THIRD_PARTY,
    "account_emailconfirmation": _THIRD_PARTY,
    "api_idempotentanswer": "answers that are given again",
    "audit_entry": "the log itself",
    "audit_leaf": "the log itself",
    "audit_node": "the log itself",
    "audit_pending": "the log itself",
    "auth_group": "made by migrations from the permission matrix",
    "auth_group_permissions": "made by migrations from the permission matrix",
    "auth_permission": "made by migrations from the permission matrix",
    "axes_accessattempt": _THIRD_PARTY,
    "axes_accessattemptexpiration": _THIRD_PARTY,
    "axes_accessfailurelog": _THIRD_PARTY,
    "axes_accesslog": _THIRD_PARTY,
    "cube.digest_key": "made by a migration",
    "cube.hour_cube": "counts, recomputed at will from audited vault reads",
    "cube.told_edge": _BESIDE,
    "cube.turn": _LOCKED,
    "django_content_type": "made by migrations",
    "django_migrations": "made by migrations",
    "django_session": "sign-ins are audited, not each page",
    "incidents_affected": _BESIDE,
    "incidents_link": _BESIDE,
    "incidents_savedview": "a person's own filters",
    "inference_dirty_hour": _QUEUE,
    "inference_event": _DATA,
    "inference_event_detail": _DATA,
    "inference_event_key": _DATA,
    "inference_heartbeat": _DATA,
    "inference_label": _DATA,
    "monitoring_closer_look": _BESIDE,
    "monitoring_due": _QUEUE,
    "monitoring_latest_evaluation": "says when, not what",
    "monitoring_point": "copied from runs",
    "monitoring_standing": "worked out from runs",
    "pipeline_heartbeat": "signs of life",
    "pipeline_let_go": _BESIDE,
    "pipeline_unanswered": _QUEUE,
    "responses_acknowledgement": "what gateways report, thousands a day",
    "responses_answered": _QUEUE,
    "responses_cause": _BESIDE,
    "responses_gateway": "what gateways report, thousands a day",
    "responses_notification": "told to people, read by them; what is told is audited",
    "responses_outboxmessage": "attempts at delivery; one given up or sent again is audited",
    "socialaccount_socialapp": "never written: providers stand in the settings",
    "socialaccount_socialtoken": "never kept",
    "thresholds_backtest": "recomputed at will; a proposal that is signed holds the result in its own text",
    "vault.block": "changed by uploads, erasures and rotation alone, which are governed",
    "vault.entering": _LOCKED,
    "vault.opening": _LOCKED,
    "vault_upload_part": "sealed content of uploads, which are governed",
    "vault_key_report": "a copy of how the keys stand, changed under entries of their own",
}

TRIGGERS = _ROWS, _COLUMNS = "audit_demanded_of_rows", "audit_demanded_of_columns"


def apply(connection: Any) -> None:
    """Make the demands what this module says. `connection` as for `biasgov.grants.apply`.

    Raises
    ------
    psycopg.errors.UndefinedTable
        A governed table does not exist.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, t.tgrelid::regclass::text FROM pg_trigger t WHERE t.tgname IN (%s, %s)",
            [_ROWS, _COLUMNS],
        )
        for name, table in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {name} ON {table}")
        for table, columns in GOVERNED.items():
            changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns.split(", "))
            for trigger, verbs, when in ((_ROWS, "INSERT OR DELETE", ""), (_COLUMNS, "UPDATE", f"WHEN ({changed})")):
                cursor.execute(
                    f"CREATE CONSTRAINT TRIGGER {trigger} AFTER {verbs} ON {table} DEFERRABLE INITIALLY DEFERRED"
                    f" FOR EACH ROW {when} EXECUTE FUNCTION public.audit_demanded()"
                )
