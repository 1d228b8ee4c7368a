"""A regulatory clock may be found to have started at another moment; it never runs longer than its rule."""

from django.db import migrations

LENGTH = """
CREATE FUNCTION incidents_clock_keeps_its_length() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'clock % runs as long as its rule says', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER incidents_clock_keeps_its_length BEFORE UPDATE ON incidents_clock
    FOR EACH ROW WHEN (NEW.due_at - NEW.started_at > OLD.due_at - OLD.started_at)
    EXECUTE FUNCTION incidents_clock_keeps_its_length();
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0006_causes_last_as_long_as_their_incident")]
    operations = [migrations.RunSQL(LENGTH, "DROP FUNCTION incidents_clock_keeps_its_length CASCADE")]
