"""What nobody signs only tightens: an emergency keeps every bound or makes it stricter, and changes nothing else."""

from django.db import migrations

TIGHTENS = """
CREATE FUNCTION thresholds_only_tightens(before jsonb, after jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT after - 'bounds' @> before - 'bounds' AND NOT EXISTS (
        SELECT FROM jsonb_each(before -> 'bounds') AS old (metric, bound)
        WHERE NOT COALESCE(
            (old.bound ->> 'lower' IS NULL OR
                (after #>> ARRAY['bounds', old.metric, 'lower'])::numeric >= (old.bound ->> 'lower')::numeric)
            AND (old.bound ->> 'upper' IS NULL OR
                (after #>> ARRAY['bounds', old.metric, 'upper'])::numeric <= (old.bound ->> 'upper')::numeric),
            false
        )
    )
$$;

CREATE FUNCTION thresholds_version_tightens() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.thresholds_policyversion AS former
        WHERE former.model_id = NEW.model_id AND former.version = NEW.version - 1 AND former.limits = NEW.limits
          AND public.thresholds_only_tightens(former.body, NEW.body)
    ) THEN
        RAISE EXCEPTION 'what nobody signs keeps each bound of version % or tightens it', NEW.version - 1
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER thresholds_version_tightens BEFORE INSERT ON thresholds_policyversion
    FOR EACH ROW WHEN (NEW.way = 'emergency') EXECUTE FUNCTION thresholds_version_tightens();
"""


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0005_latest_first")]
    operations = [
        migrations.RunSQL(TIGHTENS, "DROP FUNCTION thresholds_version_tightens, thresholds_only_tightens CASCADE")
    ]
