"""The one way in which runs go: provisional revisions that were superseded more than a day ago and prove nothing.

Every round of the present hour that finds something new stores a provisional revision. What replaces it is kept, and
so is every revision that somebody rests on: a final one, the newest of its moment, one that a finding, a step of a
finding or a point names, and one that still waits for its answer.
"""

from django.db import migrations

DROP = """
CREATE FUNCTION monitoring_drop_superseded(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    latest CONSTANT timestamptz := least(before, clock_timestamp() - interval '1 day');
    dropped bigint;
BEGIN
    DELETE FROM public.monitoring_run AS old
    WHERE old.state = 'provisional'
      AND EXISTS (
        SELECT FROM public.monitoring_run AS newer
        WHERE newer.model_id = old.model_id AND newer."window" = old."window" AND newer.as_of = old.as_of
          AND newer.revision > old.revision AND newer.computed_at < latest
      )
      AND NOT EXISTS (
        SELECT FROM public.monitoring_point AS point
        WHERE point.model_id = old.model_id AND point."window" = old."window" AND point.as_of = old.as_of
          AND point.run_id = old.id
      )
      AND old.id NOT IN (
        SELECT run_id FROM public.responses_finding
        UNION ALL SELECT opened_run_id FROM public.responses_finding
        UNION ALL SELECT run_id FROM public.responses_findingtransition WHERE run_id IS NOT NULL
        UNION ALL SELECT unnest(run_ids) FROM public.pipeline_unanswered
      );
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION monitoring_drop_superseded(timestamptz) IS
    'Drops provisional runs superseded before a moment at least a day ago to which nothing refers; answers how many';
REVOKE ALL ON FUNCTION monitoring_drop_superseded(timestamptz) FROM PUBLIC;
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'biasgov_compute') THEN
        GRANT EXECUTE ON FUNCTION monitoring_drop_superseded(timestamptz) TO biasgov_compute;
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0002_sql")]

    operations = [migrations.RunSQL(DROP, "DROP FUNCTION monitoring_drop_superseded(timestamptz)")]
