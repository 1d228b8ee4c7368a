"""Guards that hold whatever way a change comes in, and a mark of the transaction that wrote an entry.

Statement triggers are not fired for a table that is reached through a parent (inheritance, an attached partition), and
no ordinary trigger is fired while `session_replication_role` is `replica`: so each row is guarded too, always.

`audit_pending.transaction` lets a governed table demand an entry of the transaction that changes it (see
`biasgov/governed.py`). It is the number of the whole transaction, the same inside a savepoint.
"""

from django.db import migrations

TABLES = ("audit_entry", "audit_leaf", "audit_node")

GUARDS = "".join(
    f"""
CREATE TRIGGER {table}_rows_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION append_only();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_rows_append_only;
"""
    for table in TABLES
)

MARK = """
ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_queued;
ALTER TABLE audit_pending ADD COLUMN transaction xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX audit_pending_transaction ON audit_pending (transaction);
CREATE FUNCTION audit_demanded() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.audit_pending WHERE transaction = pg_current_xact_id()) THEN
        RAISE EXCEPTION '% of % is refused: its transaction wrote nothing into the audit log', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_demanded() FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_queue_search_path")]
    operations = [
        migrations.RunSQL(
            GUARDS, "".join(f"DROP TRIGGER {table}_rows_append_only ON {table};" for table in TABLES)
        ),
        migrations.RunSQL(
            MARK, "DROP FUNCTION audit_demanded CASCADE; ALTER TABLE audit_pending DROP COLUMN transaction"
        ),
    ]
