"""Until when a request waits is said once, when it is submitted; and from when it holds only when it is signed."""

from django.db import migrations

MOMENTS = """
CREATE FUNCTION approvals_moments_stay() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.submitted_at IS NOT NULL AND NEW.submitted_at IS DISTINCT FROM OLD.submitted_at)
        OR (OLD.expires_at IS NOT NULL AND NEW.expires_at IS DISTINCT FROM OLD.expires_at)
        OR (OLD.decided_at IS NOT NULL AND NEW.decided_at IS DISTINCT FROM OLD.decided_at)
        OR (OLD.effective_from IS NOT NULL AND NEW.effective_from IS DISTINCT FROM OLD.effective_from)
        OR (NEW.effective_from IS NOT NULL AND NEW.state NOT IN ('signed', 'effective'))
    THEN
        RAISE EXCEPTION 'when request % was submitted, ends and holds stays as it is', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approvals_moments_stay BEFORE UPDATE ON approvals_approval
    FOR EACH ROW EXECUTE FUNCTION approvals_moments_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0005_no_way_around")]
    operations = [migrations.RunSQL(MOMENTS, "DROP FUNCTION approvals_moments_stay CASCADE")]
