"""A governed table does not ask the owner for an entry: migrations move data, services decide."""

from django.db import migrations

DEMAND = """
CREATE OR REPLACE FUNCTION audit_demanded() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('role') <> 'biasgov_owner'
        AND NOT EXISTS (SELECT FROM public.audit_pending WHERE transaction = pg_current_xact_id())
    THEN
        RAISE EXCEPTION '% of % is refused: its transaction wrote nothing into the audit log', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_verification")]
    operations = [migrations.RunSQL(DEMAND, migrations.RunSQL.noop)]
