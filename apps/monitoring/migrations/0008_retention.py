"""How runs go that were kept long enough: by a function that asks whether anybody rests on them."""

from django.db import migrations

SQL = """
CREATE FUNCTION monitoring_drop_old(model bigint, before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    latest CONSTANT timestamptz := least(before, clock_timestamp() - interval '62 days');
    dropped bigint;
BEGIN
    DELETE FROM public.monitoring_run AS old
    WHERE old.model_id = model AND old.as_of < latest
      AND old.id NOT IN (
        SELECT run_id FROM public.responses_finding
        UNION ALL SELECT opened_run_id FROM public.responses_finding
        UNION ALL SELECT run_id FROM public.responses_findingtransition WHERE run_id IS NOT NULL
        UNION ALL SELECT unnest(run_ids) FROM public.pipeline_unanswered
      );
    GET DIAGNOSTICS dropped = ROW_COUNT;
    DELETE FROM public.monitoring_point AS point
    WHERE point.model_id = model AND point.as_of < latest
      AND NOT EXISTS (SELECT FROM public.monitoring_run AS run WHERE run.id = point.run_id);
    RETURN dropped;
END $$;
COMMENT ON FUNCTION monitoring_drop_old(bigint, timestamptz) IS
    'Drops a model''s runs before a moment at least 62 days ago that no finding rests on; answers how many';
REVOKE ALL ON FUNCTION monitoring_drop_old(bigint, timestamptz) FROM PUBLIC;
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'biasgov_compute') THEN
        GRANT EXECUTE ON FUNCTION monitoring_drop_old(bigint, timestamptz) TO biasgov_compute;
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0007_told_edges")]

    operations = [migrations.RunSQL(SQL, "DROP FUNCTION monitoring_drop_old(bigint, timestamptz)")]
