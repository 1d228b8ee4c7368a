"""An action that has ended and a clock that was reported stay as they are, whoever writes as the web side."""

from django.db import migrations

ENDED = """
CREATE FUNCTION incidents_ended_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % has ended and stays as it is', OLD.id, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER incidents_action_ended_stays BEFORE UPDATE ON incidents_action
    FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION incidents_ended_stays();
CREATE TRIGGER incidents_clock_reported_stays BEFORE UPDATE ON incidents_clock
    FOR EACH ROW WHEN (OLD.state = 'reported') EXECUTE FUNCTION incidents_ended_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0004_rules")]
    operations = [migrations.RunSQL(ENDED, "DROP FUNCTION incidents_ended_stays CASCADE")]
