"""The database's own share of the rules: a restriction ends by its signed request, and gateways are told what is so.

A service that forgot one of them, and whoever else writes as the web side, is refused here. What a status says is
looked at when the transaction ends, since restriction and status change one after the other within it.
"""

from django.db import migrations

RESTRICTION = """
CREATE FUNCTION responses_restriction_begins() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state <> 'proposed' AND NOT (NEW.state = 'in_force' AND NEW.automatic) THEN
        RAISE EXCEPTION 'a restriction begins proposed, or in force by the policy'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_restriction_begins BEFORE INSERT ON responses_restriction
    FOR EACH ROW EXECUTE FUNCTION responses_restriction_begins();

CREATE FUNCTION responses_restriction_moves() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('proposed', 'in_force'), ('proposed', 'declined'), ('in_force', 'lifted')
    ) THEN
        RAISE EXCEPTION 'a restriction does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.model_id, NEW.cause_id, NEW.automatic, NEW.blocked_decision_types, NEW.reason, NEW.breach_at, NEW.proposed_at)
       IS DISTINCT FROM
       (OLD.model_id, OLD.cause_id, OLD.automatic, OLD.blocked_decision_types, OLD.reason, OLD.breach_at, OLD.proposed_at)
    THEN
        RAISE EXCEPTION 'what a restriction blocks, and why, stays as it is'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state = 'lifted' AND OLD.state <> 'lifted' AND NOT (
        public.approvals_is_signed(NEW.approval_id, 'restriction_lift') AND EXISTS (
            SELECT FROM public.approvals_approval AS asked
            WHERE asked.id = NEW.approval_id AND asked.model_id = NEW.model_id
              AND asked.content ->> 'restriction' = NEW.id::text
        )
    ) THEN
        RAISE EXCEPTION 'no signed request lifts restriction %', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_restriction_moves BEFORE UPDATE ON responses_restriction
    FOR EACH ROW EXECUTE FUNCTION responses_restriction_moves();
CREATE TRIGGER responses_restriction_stays BEFORE DELETE OR TRUNCATE ON responses_restriction
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

STATUS = """
CREATE FUNCTION responses_modelstatus_tells() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.responses_modelstatus AS told
        LEFT JOIN public.responses_restriction AS blocks ON blocks.model_id = told.model_id AND blocks.state = 'in_force'
        WHERE told.model_id = NEW.model_id AND told.restriction_id IS DISTINCT FROM blocks.id
    ) THEN
        RAISE EXCEPTION 'the status of model % must name the restriction that is in force', NEW.model_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER responses_modelstatus_tells AFTER INSERT OR UPDATE ON responses_modelstatus
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION responses_modelstatus_tells();

CREATE FUNCTION responses_modelstatus_rises() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.model_id <> OLD.model_id OR NEW.sequence < OLD.sequence OR (
        NEW.sequence = OLD.sequence
        AND (NEW.tier, NEW.restriction_id) IS DISTINCT FROM (OLD.tier, OLD.restriction_id)
    ) THEN
        RAISE EXCEPTION 'another status of model % needs the next number', OLD.model_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_modelstatus_rises BEFORE UPDATE ON responses_modelstatus
    FOR EACH ROW EXECUTE FUNCTION responses_modelstatus_rises();
"""


class Migration(migrations.Migration):
    dependencies = [("responses", "0006_mail_preferences"), ("approvals", "0005_no_way_around"), ("audit", "0002_sql")]
    operations = [migrations.RunSQL(RESTRICTION + STATUS, migrations.RunSQL.noop)]
