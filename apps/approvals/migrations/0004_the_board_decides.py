"""What needs the board needs a resolution of it: no member's signature stands for the board, whoever inserts it.

Whether a resolution is one is for the board's own migration to see: its tables come after these.
"""

from django.db import migrations

COLLECTIVE = """
CREATE FUNCTION approvals_collective(verb text) RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp AS $$ SELECT verb IN ('threshold.relax', 'board.vote') $$;
"""

SIGNATURE = """
CREATE OR REPLACE FUNCTION approvals_signature_fits() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.approvals_collective(NEW.verb) THEN
        RAISE EXCEPTION 'no signature stands for the board: % needs a resolution', NEW.verb
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
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
"""

RESOLUTION = """
CREATE FUNCTION approvals_resolution_fits() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT public.approvals_collective(NEW.verb) OR NOT EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.id = NEW.approval_id AND asked.state = 'submitted' AND asked.digest = NEW.digest
          AND asked.needs @> jsonb_build_array(jsonb_build_object('verb', NEW.verb))
    ) THEN
        RAISE EXCEPTION 'no submitted request of this digest needs that decision of the board'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approvals_resolution_fits BEFORE INSERT ON approvals_resolution
    FOR EACH ROW EXECUTE FUNCTION approvals_resolution_fits();
CREATE TRIGGER approvals_resolution_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approvals_resolution
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

MOVES = """
CREATE OR REPLACE FUNCTION approvals_approval_moves() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
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
            WHERE CASE WHEN public.approvals_collective(need ->> 'verb') THEN NOT EXISTS (
                SELECT FROM public.approvals_resolution AS agreed
                WHERE agreed.approval_id = NEW.id AND agreed.digest = NEW.digest AND agreed.verb = need ->> 'verb'
            ) ELSE NOT EXISTS (
                SELECT FROM public.approvals_signature AS given
                WHERE given.approval_id = NEW.id AND given.digest = NEW.digest AND given.verb = need ->> 'verb'
            ) END
        )
    ) THEN
        RAISE EXCEPTION 'request % lacks signatures', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_resolution")]
    operations = [migrations.RunSQL(COLLECTIVE + SIGNATURE + RESOLUTION + MOVES, migrations.RunSQL.noop)]
