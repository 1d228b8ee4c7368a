"""Who may do what to which table: the whole privilege matrix of the two sides, in one place.

`apply` revokes everything and grants what stands here, so a privilege that is not in the table does not exist. Neither
side may make temporary tables: they come before others of their name wherever a search path does not say otherwise.
Column lists may be given as ``UPDATE(column, column)``.
"""

from __future__ import annotations

from typing import Any

WEB = "biasgov_web"
COMPUTE = "biasgov_compute"

READ = "SELECT"
APPEND = "SELECT, INSERT"
WRITE = "SELECT, INSERT, UPDATE, DELETE"
TO_LOCK = "DELETE"
"""What LOCK TABLE asks for, of tables that are there to be locked and never have a row."""
ENTRY = "(at, actor, action, subject, detail, leaf_hash)"
"""Nobody chooses the number of an audit entry."""
FINDING = (
    '(state, tier, severity, sentence, reference, "window", value, low, high, bound_low, bound_high, run_id, entered,'
    " deadline_at, counts_from, windows, persistence, last_as_of, last_verdict, unjudged_since, alerted_at,"
    " told_severity, told_tier, acknowledged_at, acknowledged_by_id, acknowledgement, closed_at, cause_id)"
)
"""What a finding is about, and when it opened, stays as it was."""

SCHEMAS: dict[str, tuple[str, ...]] = {
    WEB: ("public",),
    COMPUTE: ("public", "vault", "cube"),
}

GRANTS: dict[str, dict[str, str]] = {
    WEB: {
        "account_emailaddress": READ,
        "accounts_invitation": "SELECT, INSERT, UPDATE (used_at, revoked_at)",
        "accounts_role_term": WRITE,
        "accounts_sent_form": "SELECT, INSERT, DELETE",
        "accounts_user": "SELECT, INSERT, UPDATE",
        "accounts_user_groups": "SELECT, INSERT, DELETE",
        "accounts_user_user_permissions": READ,
        "api_apitoken": WRITE,
        "api_idempotentanswer": WRITE,
        "approvals_approval": "SELECT, INSERT, UPDATE (title, content, reason, revision, digest, needs, state,"
        " submitted_at, expires_at, decided_at, effective_from)",
        "approvals_resolution": APPEND,
        "approvals_signature": APPEND,
        "approvals_step": APPEND,
        "audit_entry": f"SELECT, INSERT {ENTRY}",
        "audit_leaf": READ,
        "audit_node": READ,
        "audit_pending": READ,
        "audit_verification": "SELECT, INSERT, UPDATE",
        "auth_group": READ,
        "auth_group_permissions": READ,
        "auth_permission": READ,
        "axes_accessattempt": WRITE,
        "axes_accessattemptexpiration": WRITE,
        "axes_accessfailurelog": WRITE,
        "axes_accesslog": WRITE,
        "board_case": "SELECT, INSERT, UPDATE (question, facts, state, opened_at, vote_until, remind_at, digest,"
        " ended_at, outcome, tally)",
        "board_condition": "SELECT, INSERT, UPDATE (dropped_by)",
        "board_conflict": APPEND,
        "board_paper": APPEND,
        "board_rules": APPEND,
        "board_seat": APPEND,
        "board_step": APPEND,
        "board_vote": APPEND,
        "django_content_type": READ,
        "django_migrations": READ,
        "django_session": WRITE,
        "guardian_groupobjectpermission": WRITE,
        "guardian_userobjectpermission": WRITE,
        "incidents_action": "SELECT, INSERT, UPDATE (state, outcome, ended_by, ended_at)",
        "incidents_affected": "SELECT, INSERT, UPDATE (people, decisions, too_small, source)",
        "incidents_clock": "SELECT, INSERT, UPDATE (state, started_at, due_at, decided_by, decided_at, reported_at,"
        " note)",
        "incidents_complaint": "SELECT, INSERT, UPDATE (state, outcome, answer, answered_at, incident_id)",
        "incidents_complaintstep": APPEND,
        "incidents_cost": APPEND,
        "incidents_evidence": APPEND,
        "incidents_incident": "SELECT, INSERT, UPDATE (title, summary, severity, state, causes, explanation, lessons,"
        " lead_id, closed_at, reopened_at, revision)",
        "incidents_link": APPEND,
        "incidents_savedview": WRITE,
        "incidents_step": APPEND,
        "inference_dirty_hour": WRITE,
        "inference_event": APPEND,
        "inference_event_detail": APPEND,
        "inference_event_key": APPEND,
        "inference_heartbeat": "SELECT, INSERT, UPDATE",
        "inference_label": APPEND,
        "mfa_authenticator": WRITE,
        "monitoring_closer_look": WRITE,
        "monitoring_due": "SELECT, INSERT, UPDATE",
        "monitoring_latest_evaluation": READ,
        "monitoring_override_rates": READ,
        "monitoring_point": READ,
        "monitoring_recomputation": APPEND,
        "monitoring_run": READ,
        "monitoring_standing": READ,
        "overrides_override": APPEND,
        "pipeline_alarm": "SELECT, INSERT, UPDATE",
        "pipeline_heartbeat": "SELECT, INSERT, DELETE",
        "pipeline_unanswered": "SELECT, UPDATE, DELETE",
        "registry_modelversion": APPEND,
        "registry_monitoredmodel": APPEND,
        "registry_protectedattribute": APPEND,
        "registry_retention": APPEND,
        "responses_acknowledgement": APPEND,
        "responses_answered": APPEND,
        "responses_cause": "SELECT, INSERT, UPDATE (attributes, last_opened_as_of, escalated_at, incident_id,"
        " closed_at)",
        "responses_finding": f"SELECT, INSERT, UPDATE {FINDING}",
        "responses_findingtransition": APPEND,
        "responses_gateway": "SELECT, INSERT, UPDATE (sequence, acknowledged_at, retired_at)",
        "responses_mailpreference": "SELECT, INSERT, UPDATE",
        "responses_modelstatus": "SELECT, INSERT, UPDATE",
        "responses_notification": "SELECT, INSERT, UPDATE (read_at)",
        "responses_outboxmessage": "SELECT, INSERT, UPDATE (state, attempts, next_attempt_at, lease, lease_until,"
        " sent_at, last_error)",
        "responses_restriction": "SELECT, INSERT, UPDATE (state, in_force_at, decided_by_id, note, sequence,"
        " acknowledged_at, lifted_at, approval_id)",
        "responses_restrictionstep": APPEND,
        "responses_silence": "SELECT, INSERT, UPDATE (ended_at)",
        "retraining_check": "SELECT, INSERT, UPDATE (state, released_at)",
        "socialaccount_socialaccount": WRITE,
        "socialaccount_socialapp": READ,
        "socialaccount_socialtoken": "SELECT, DELETE",
        "thresholds_assessment": APPEND,
        "thresholds_backtest": "SELECT, INSERT, UPDATE (state, attempts, asked_at)",
        "thresholds_policyversion": APPEND,
        "vault_access": "SELECT, INSERT, UPDATE (state, public_key, asked_at, sealed, shown_at, reason)",
        "vault_access_step": "SELECT, INSERT, UPDATE (announced_at)",
        "thresholds_review": APPEND,
        "vault_erasure": APPEND,
        "vault_key_report": READ,
        "vault_schema": APPEND,
        "vault_upload": "SELECT, INSERT, UPDATE (state, parts, subjects, taken, heading, touched_at, reason)",
        "vault_upload_part": "SELECT (upload_id, place, ends_at, digest), INSERT, DELETE",
    },
    COMPUTE: {
        "accounts_role_term": READ,
        "accounts_user": "SELECT (id, is_active)",
        "accounts_user_groups": READ,
        "approvals_approval": READ,
        "approvals_signature": READ,
        "audit_entry": f"SELECT, INSERT {ENTRY}",
        "audit_leaf": APPEND,
        "audit_node": APPEND,
        "audit_pending": "SELECT, DELETE",
        "auth_group": READ,
        "cube.digest_key": READ,
        "cube.hour_cube": "SELECT, INSERT, DELETE",
        "cube.told_edge": WRITE,
        "cube.turn": "SELECT, INSERT, UPDATE",
        "django_content_type": READ,
        "django_migrations": READ,
        "incidents_incident": "SELECT (id, model_id, state)",
        "inference_dirty_hour": WRITE,
        "inference_event": "SELECT, UPDATE (subject)",
        "inference_event_detail": "SELECT, DELETE",
        "inference_event_key": READ,
        "inference_heartbeat": READ,
        "inference_label": READ,
        "monitoring_closer_look": READ,
        "monitoring_due": WRITE,
        "monitoring_latest_evaluation": "SELECT, INSERT, UPDATE",
        "monitoring_override_rates": APPEND,
        "monitoring_point": "SELECT, INSERT, DELETE",
        "monitoring_recomputation": "SELECT, UPDATE (state, attempts, lease_until, outcome, result, note, computed_at)",
        "monitoring_run": APPEND,
        "monitoring_standing": "SELECT, INSERT, UPDATE",
        "overrides_override": READ,
        "pipeline_heartbeat": APPEND,
        "pipeline_let_go": "SELECT, INSERT, UPDATE",
        "pipeline_unanswered": APPEND,
        "registry_modelversion": READ,
        "registry_monitoredmodel": READ,
        "registry_protectedattribute": READ,
        "thresholds_backtest": "SELECT, UPDATE (state, attempts, lease_until, result, note, computed_at)",
        "registry_retention": READ,
        "thresholds_policyversion": READ,
        "vault.block": "SELECT, INSERT, UPDATE (last, body, key_version, people), DELETE",
        "vault.data_key": "SELECT, INSERT, UPDATE (wrapped, wrapped_by, sealed), DELETE",
        "vault.entering": TO_LOCK,
        "vault.key_floor": "SELECT, UPDATE (version, raised_at)",
        "vault.opening": TO_LOCK,
        "vault_access": "SELECT, UPDATE (state, public_key, sealed, sealed_at, reason)",
        "vault_access_step": APPEND,
        "vault_key_report": "SELECT, INSERT, UPDATE",
        "vault_erasure": "SELECT, UPDATE (state, executed_at, subject)",
        "vault_schema": READ,
        "vault_upload": "SELECT, UPDATE (state, position, stored, replaced, reason, opened_at)",
        "vault_upload_part": "SELECT, DELETE",
    },
}


def apply(connection: Any) -> None:
    """Make the privileges of both sides what this module says. Whoever may insert may use the table's sequences.

    Parameters
    ----------
    connection
        A Django or psycopg connection whose current role owns the database and its tables.

    Raises
    ------
    psycopg.errors.UndefinedTable
        The matrix names a table that the migrations did not create.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_database())")
        (database,) = cursor.fetchone()
        cursor.execute(f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC")
        for role, schemas in SCHEMAS.items():
            cursor.execute(f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM {role}")
            for schema in ("public", "vault", "cube"):
                cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}")
                cursor.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}")
                cursor.execute(f"REVOKE ALL ON SCHEMA {schema} FROM {role}")
            for schema in schemas:
                cursor.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
            for table, verbs in GRANTS[role].items():
                cursor.execute(f"GRANT {verbs} ON {table} TO {role}")
                if "INSERT" in verbs:
                    for sequence in _sequences(cursor, table):
                        cursor.execute(f"GRANT USAGE ON SEQUENCE {sequence} TO {role}")


def _sequences(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT format('%%I.%%I', n.nspname, s.relname) FROM pg_depend d"
        " JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace"
        " WHERE d.refobjid = %s::regclass AND d.deptype IN ('a', 'i')",
        [table],
    )
    return [row[0] for row in cursor.fetchall()]
