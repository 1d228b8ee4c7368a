"""The queue's trigger names its table in full: a temporary table of the caller's must not be taken for it.

Without this a role that may append an entry could put a table of its own, and that table's triggers, in the way of a
function that runs as the owner.
"""

from django.db import migrations

QUEUE = """
CREATE OR REPLACE FUNCTION audit_entry_queue() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_pending (entry_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_entry_queue() FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_sql")]
    operations = [migrations.RunSQL(QUEUE, migrations.RunSQL.noop)]
