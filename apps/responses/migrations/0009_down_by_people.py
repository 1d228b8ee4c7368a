"""More of the ladder's rules that the database keeps, whoever writes as the web side.

From the rung of a restriction upwards a finding comes down by a signed request; a silence ends; and a restriction is in
effect everywhere when the gateways that are known say so, of a status that there was.
"""

import datetime

from django.db import migrations, models
from django.db.models import F, Q

DOWN = """
CREATE FUNCTION responses_finding_comes_down() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.approvals_approval AS asked
        WHERE asked.model_id = OLD.model_id AND asked.kind = 'restriction_lift'
          AND public.approvals_is_signed(asked.id, 'restriction_lift')
    ) THEN
        RAISE EXCEPTION 'finding % is on the rung “%” and comes down by a signed request alone', OLD.id, OLD.tier
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_finding_comes_down BEFORE UPDATE ON responses_finding
    FOR EACH ROW WHEN (OLD.state = 'open' AND OLD.tier IN ('restrict', 'escalate')
        AND (NEW.state <> 'open' OR NEW.tier NOT IN ('restrict', 'escalate')
             OR (OLD.tier = 'escalate' AND NEW.tier = 'restrict')))
    EXECUTE FUNCTION responses_finding_comes_down();
"""

ACKNOWLEDGED = """
CREATE FUNCTION responses_gateway_knows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.sequence > COALESCE(
        (SELECT sequence FROM public.responses_modelstatus WHERE model_id = NEW.model_id), 0
    ) THEN
        RAISE EXCEPTION 'no status of number % was told yet', NEW.sequence
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_gateway_knows BEFORE INSERT OR UPDATE OF sequence ON responses_gateway
    FOR EACH ROW EXECUTE FUNCTION responses_gateway_knows();

CREATE FUNCTION responses_restriction_reached() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT COALESCE((
        SELECT bool_and(known.sequence >= NEW.sequence) FROM public.responses_gateway AS known
        WHERE known.model_id = NEW.model_id AND known.retired_at IS NULL
    ), false) THEN
        RAISE EXCEPTION 'not every gateway has acknowledged restriction %', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_restriction_reached BEFORE UPDATE ON responses_restriction
    FOR EACH ROW WHEN (OLD.acknowledged_at IS NULL AND NEW.acknowledged_at IS NOT NULL)
    EXECUTE FUNCTION responses_restriction_reached();
"""

UNDO = """
DROP FUNCTION responses_finding_comes_down, responses_gateway_knows, responses_restriction_reached CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("responses", "0008_moments_stay"), ("approvals", "0005_no_way_around")]
    operations = [
        migrations.RunSQL(DOWN + ACKNOWLEDGED, UNDO),
        migrations.AddConstraint(
            model_name="silence",
            constraint=models.CheckConstraint(
                condition=Q(until__lte=F("set_at") + datetime.timedelta(days=30)), name="responses_silence_is_short"
            ),
        ),
    ]
