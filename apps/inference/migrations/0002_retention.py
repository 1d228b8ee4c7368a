"""How days of the event log go: as a partition where nobody needs the day any more, else the rows of some models."""

from django.db import migrations

SQL = """
CREATE INDEX inference_event_key_day ON inference_event_key USING brin (occurred_at);

CREATE FUNCTION inference_day_drop(day date, models integer[]) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    partition CONSTANT text := 'inference_event_' || to_char(day, 'YYYYMMDD');
    first CONSTANT timestamptz := day::timestamp AT TIME ZONE 'UTC';
    after CONSTANT timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    needed boolean;
BEGIN
    IF day IS NULL OR day > (clock_timestamp() AT TIME ZONE 'UTC')::date - 62 THEN
        RAISE EXCEPTION 'day % is too young to be dropped', day USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM public.inference_label AS label USING public.inference_event_key AS known
        WHERE known.occurred_at >= first AND known.occurred_at < after AND known.model_id = ANY(models)
          AND label.model_id = known.model_id AND label.event_key = known.event_key;
    DELETE FROM public.inference_event_detail
        WHERE occurred_at >= first AND occurred_at < after AND model_id = ANY(models);
    DELETE FROM public.inference_event_key
        WHERE occurred_at >= first AND occurred_at < after AND model_id = ANY(models);
    IF to_regclass('public.' || partition) IS NULL THEN RETURN 'absent'; END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I WHERE NOT model_id = ANY($1))', partition)
        INTO needed USING models;
    IF needed THEN
        EXECUTE format('DELETE FROM public.%I WHERE model_id = ANY($1)', partition) USING models;
        RETURN 'emptied';
    END IF;
    EXECUTE format('DROP TABLE public.%I', partition);
    RETURN 'dropped';
END
$$;
COMMENT ON FUNCTION inference_day_drop(date, integer[]) IS
    'Drops the events of models on a day at least 62 days ago: the partition, unless another model still needs it';
REVOKE ALL ON FUNCTION inference_day_drop(date, integer[]) FROM PUBLIC;
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'biasgov_compute') THEN
        GRANT EXECUTE ON FUNCTION inference_day_drop(date, integer[]) TO biasgov_compute;
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("inference", "0001_initial")]
    operations = [
        migrations.RunSQL(
            SQL, "DROP FUNCTION inference_day_drop(date, integer[]); DROP INDEX inference_event_key_day"
        )
    ]
