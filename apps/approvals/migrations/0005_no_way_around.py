"""A request begins as a draft, and no digest that was signed comes back: not even for who writes as the web side.

Without the first a row could be born effective; without the second a text could be changed under another digest and the
signed digest be put back afterwards. `approvals_is_signed` is for the tables of those matters that a signature moves:
while the effect of the last signature is brought about, the request is still submitted.
"""

from django.db import migrations

SIGNED = """
CREATE FUNCTION approvals_needs_met(asked bigint, needs jsonb, digest text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_array_length(needs) > 0 AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(needs) AS need
        WHERE CASE WHEN public.approvals_collective(need ->> 'verb') THEN NOT EXISTS (
            SELECT FROM public.approvals_resolution AS agreed
            WHERE agreed.approval_id = asked AND agreed.digest = approvals_needs_met.digest
              AND agreed.verb = need ->> 'verb'
        ) ELSE NOT EXISTS (
            SELECT FROM public.approvals_signature AS given
            WHERE given.approval_id = asked AND given.digest = approvals_needs_met.digest
              AND given.verb = need ->> 'verb'
        ) END
    )
$$;

CREATE FUNCTION approvals_is_signed(approval bigint, of_kind text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.id = approval AND asked.kind = of_kind AND asked.state = 'submitted'
          AND public.approvals_needs_met(asked.id, asked.needs, asked.digest)
    )
$$;
"""

BEGINS = """
CREATE FUNCTION approvals_approval_begins() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state <> 'draft' THEN
        RAISE EXCEPTION 'a request begins as a draft' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approvals_approval_begins BEFORE INSERT ON approvals_approval
    FOR EACH ROW EXECUTE FUNCTION approvals_approval_begins();
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
    IF (NEW.content <> OLD.content OR NEW.title <> OLD.title OR NEW.reason <> OLD.reason OR NEW.needs <> OLD.needs
        OR NEW.digest <> OLD.digest OR NEW.revision <> OLD.revision)
       AND (NEW.revision <= OLD.revision OR NEW.digest = OLD.digest) THEN
        RAISE EXCEPTION 'a changed request needs another revision and digest'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.digest <> OLD.digest AND (
        EXISTS (SELECT FROM public.approvals_signature WHERE approval_id = NEW.id AND digest = NEW.digest)
        OR EXISTS (SELECT FROM public.approvals_resolution WHERE approval_id = NEW.id AND digest = NEW.digest)
    ) THEN
        RAISE EXCEPTION 'a digest that was signed does not come back' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state IN ('signed', 'effective') AND OLD.state IN ('draft', 'submitted')
       AND NOT public.approvals_needs_met(NEW.id, NEW.needs, NEW.digest) THEN
        RAISE EXCEPTION 'request % lacks signatures', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0004_the_board_decides")]
    operations = [migrations.RunSQL(SIGNED + BEGINS + MOVES, migrations.RunSQL.noop)]
