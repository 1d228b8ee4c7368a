"""What keeps the log as it was written, for the owner of the tables too, and what queues entries for the tree."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is written there stays', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_leaf_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_node_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_node
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE audit_entry ADD CONSTRAINT audit_entry_leaf_hash CHECK (octet_length(leaf_hash) = 32);
ALTER TABLE audit_entry ADD CONSTRAINT audit_entry_said CHECK (actor <> '' AND action <> '' AND subject <> '');
ALTER TABLE audit_leaf ADD CONSTRAINT audit_leaf_hash CHECK (octet_length(leaf_hash) = 32 AND leaf_index >= 0);
ALTER TABLE audit_node ADD CONSTRAINT audit_node_hash CHECK (octet_length(node_hash) = 32 AND level > 0);
"""

# SECURITY DEFINER: whoever may append an entry need not be able to touch the queue.
QUEUE = """
CREATE FUNCTION audit_entry_queue() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO audit_pending (entry_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entry_queued AFTER INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_queue();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.RunSQL(
            REFUSE,
            "DROP FUNCTION append_only CASCADE;"
            "ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_leaf_hash, DROP CONSTRAINT audit_entry_said;"
            "ALTER TABLE audit_leaf DROP CONSTRAINT audit_leaf_hash;"
            "ALTER TABLE audit_node DROP CONSTRAINT audit_node_hash",
        ),
        migrations.RunSQL(QUEUE, "DROP FUNCTION audit_entry_queue CASCADE"),
    ]
