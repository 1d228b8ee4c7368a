"""When a restriction came into force, was acknowledged and was lifted is written once: an objective is measured by it."""

from django.db import migrations

MOMENTS = """
CREATE FUNCTION responses_restriction_once() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.in_force_at IS NOT NULL AND NEW.in_force_at IS DISTINCT FROM OLD.in_force_at)
        OR (OLD.sequence IS NOT NULL AND NEW.sequence IS DISTINCT FROM OLD.sequence)
        OR (OLD.acknowledged_at IS NOT NULL AND NEW.acknowledged_at IS DISTINCT FROM OLD.acknowledged_at)
        OR (OLD.lifted_at IS NOT NULL AND NEW.lifted_at IS DISTINCT FROM OLD.lifted_at)
        OR (OLD.decided_by_id IS NOT NULL AND NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id)
    THEN
        RAISE EXCEPTION 'when restriction % took effect, and who decided on it, stays as it is', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_restriction_once BEFORE UPDATE ON responses_restriction
    FOR EACH ROW EXECUTE FUNCTION responses_restriction_once();
"""


class Migration(migrations.Migration):
    dependencies = [("responses", "0007_restriction_rules")]
    operations = [migrations.RunSQL(MOMENTS, "DROP FUNCTION responses_restriction_once CASCADE")]
