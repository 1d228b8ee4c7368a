"""The database's own share of the rules: a held training set is released by a signed request and in no other way."""

from django.db import migrations

RELEASE = """
CREATE FUNCTION retraining_check_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state <> OLD.state AND NOT (OLD.state = 'held' AND NEW.state = 'released' AND EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.subject = 'retraining:' || NEW.id AND asked.model_id = NEW.model_id
          AND asked.content ->> 'check' = NEW.id::text
          AND public.approvals_is_signed(asked.id, 'retraining_release')
    )) THEN
        RAISE EXCEPTION 'training set % is released by a signed request and in no other way', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER retraining_check_moves BEFORE UPDATE ON retraining_check
    FOR EACH ROW EXECUTE FUNCTION retraining_check_moves();

CREATE FUNCTION retraining_check_begins() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state = 'released' OR (NEW.state = 'allowed') <> (jsonb_array_length(NEW.reasons) = 0) THEN
        RAISE EXCEPTION 'a training set is held while there is a reason, and allowed without one'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER retraining_check_begins BEFORE INSERT ON retraining_check
    FOR EACH ROW EXECUTE FUNCTION retraining_check_begins();
CREATE TRIGGER retraining_check_stays BEFORE DELETE OR TRUNCATE ON retraining_check
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("retraining", "0001_initial"), ("approvals", "0005_no_way_around"), ("audit", "0002_sql")]
    operations = [migrations.RunSQL(RELEASE, migrations.RunSQL.noop)]
