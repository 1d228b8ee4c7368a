"""The database's own share of the rules: no later version without signatures, and none that undoes another unseen."""

from django.db import migrations

RULES = """
CREATE FUNCTION thresholds_is_signed(approval bigint, of_kind text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.id = approval AND asked.kind = of_kind AND asked.state = 'submitted'
          AND jsonb_array_length(asked.needs) > 0
          AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(asked.needs) AS need
            WHERE CASE WHEN public.approvals_collective(need ->> 'verb') THEN NOT EXISTS (
                SELECT FROM public.approvals_resolution AS agreed
                WHERE agreed.approval_id = asked.id AND agreed.digest = asked.digest AND agreed.verb = need ->> 'verb'
            ) ELSE NOT EXISTS (
                SELECT FROM public.approvals_signature AS given
                WHERE given.approval_id = asked.id AND given.digest = asked.digest AND given.verb = need ->> 'verb'
            ) END
        )
    )
$$;

CREATE FUNCTION thresholds_version_fits() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.version = 1 AND NEW.way = 'registration' THEN
        RETURN NEW;
    END IF;
    IF NEW.version = 1 OR NEW.way = 'registration' THEN
        RAISE EXCEPTION 'the first version comes with the registration, and only the first'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.thresholds_policyversion AS former
        WHERE former.model_id = NEW.model_id AND former.version = NEW.version - 1
    ) THEN
        RAISE EXCEPTION 'versions are numbered without gaps' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.way = 'signed' AND NOT (
        public.thresholds_is_signed(NEW.approval_id, 'threshold_change') AND EXISTS (
            SELECT FROM public.approvals_approval AS asked
            WHERE asked.id = NEW.approval_id AND asked.model_id = NEW.model_id
              AND asked.content -> 'policy' = NEW.body AND asked.content -> 'limits' = NEW.limits
              AND (asked.content -> 'base' ->> 'version')::int = NEW.version - 1
        )
    ) THEN
        RAISE EXCEPTION 'no signed request asks for this version after version %', NEW.version - 1
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER thresholds_version_fits BEFORE INSERT ON thresholds_policyversion
    FOR EACH ROW EXECUTE FUNCTION thresholds_version_fits();

CREATE FUNCTION thresholds_review_fits() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (public.thresholds_is_signed(NEW.approval_id, 'threshold_review') AND EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.id = NEW.approval_id AND (asked.content -> 'version' ->> 'id')::bigint = NEW.policy_version_id
    )) THEN
        RAISE EXCEPTION 'no signed review keeps this version' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER thresholds_review_fits BEFORE INSERT ON thresholds_review
    FOR EACH ROW EXECUTE FUNCTION thresholds_review_fits();

CREATE TRIGGER thresholds_review_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON thresholds_review
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER thresholds_assessment_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON thresholds_assessment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

UNDO = """
DROP TRIGGER thresholds_review_append_only ON thresholds_review;
DROP TRIGGER thresholds_assessment_append_only ON thresholds_assessment;
DROP FUNCTION thresholds_review_fits, thresholds_version_fits, thresholds_is_signed CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0003_register"), ("approvals", "0004_the_board_decides")]
    operations = [migrations.RunSQL(RULES, UNDO)]
