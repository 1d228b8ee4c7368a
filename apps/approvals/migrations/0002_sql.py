"""The database's own share of the rules: nobody signs their own request, and nothing is signed without signatures.

A service that forgot one of them would be refused here.
"""

from django.db import migrations

RULES = """
ALTER TABLE approvals_signature ADD CONSTRAINT approvals_signature_of_the_request
    FOREIGN KEY (approval_id, requester_id) REFERENCES approvals_approval (id, requester_id);

CREATE FUNCTION approvals_signature_fits() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.id = NEW.approval_id AND asked.state = 'submitted' AND asked.digest = NEW.digest
          AND asked.needs @> jsonb_build_array(jsonb_build_object('verb', NEW.verb))
    ) THEN
        RAISE EXCEPTION 'no submitted request of this digest needs that signature'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approvals_signature_fits BEFORE INSERT ON approvals_signature
    FOR EACH ROW EXECUTE FUNCTION approvals_signature_fits();

CREATE FUNCTION approvals_approval_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.state NOT IN ('draft', 'submitted') AND (
        NEW.content <> OLD.content OR NEW.digest <> OLD.digest OR NEW.needs <> OLD.needs OR NEW.title <> OLD.title
        OR NEW.reason <> OLD.reason OR NEW.state <> CASE OLD.state WHEN 'signed' THEN 'effective' ELSE OLD.state END
    ) THEN
        RAISE EXCEPTION 'a request that is % stays as it is', OLD.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.content <> OLD.content OR NEW.title <> OLD.title OR NEW.reason <> OLD.reason OR NEW.needs <> OLD.needs)
       AND (NEW.revision <= OLD.revision OR NEW.digest = OLD.digest) THEN
        RAISE EXCEPTION 'a changed request needs another revision and digest'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state IN ('signed', 'effective') AND OLD.state IN ('draft', 'submitted') AND (
        jsonb_array_length(NEW.needs) = 0 OR EXISTS (
            SELECT FROM jsonb_array_elements(NEW.needs) AS need
            WHERE NOT EXISTS (
                SELECT FROM public.approvals_signature AS given
                WHERE given.approval_id = NEW.id AND given.digest = NEW.digest AND given.verb = need ->> 'verb'
            )
        )
    ) THEN
        RAISE EXCEPTION 'request % lacks signatures', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approvals_approval_moves BEFORE UPDATE ON approvals_approval
    FOR EACH ROW EXECUTE FUNCTION approvals_approval_moves();

CREATE TRIGGER approvals_signature_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approvals_signature
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER approvals_step_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approvals_step
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER approvals_approval_stays BEFORE DELETE OR TRUNCATE ON approvals_approval
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

UNDO = """
DROP FUNCTION approvals_signature_fits, approvals_approval_moves CASCADE;
ALTER TABLE approvals_signature DROP CONSTRAINT approvals_signature_of_the_request;
DROP TRIGGER approvals_signature_append_only ON approvals_signature;
DROP TRIGGER approvals_step_append_only ON approvals_step;
DROP TRIGGER approvals_approval_stays ON approvals_approval;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("audit", "0002_sql")]
    operations = [migrations.RunSQL(RULES, UNDO)]
