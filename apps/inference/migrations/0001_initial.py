from django.db import migrations

SQL = """
CREATE TABLE inference_event (
    model_id integer NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_key uuid NOT NULL,
    subject uuid NOT NULL,
    version_id integer NOT NULL,
    decision smallint NOT NULL CHECK (decision IN (0, 1)),
    score real CHECK (score BETWEEN 0 AND 1)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX inference_event_hour ON inference_event (model_id, occurred_at);
COMMENT ON TABLE inference_event IS 'What models decided, one partition a UTC day; no protected attribute, no raw id';

CREATE TABLE inference_event_key (
    model_id integer NOT NULL,
    event_key uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (model_id, event_key)
);
COMMENT ON TABLE inference_event_key IS 'Makes replays harmless, and tells a label its hour';

CREATE TABLE inference_event_detail (
    model_id integer NOT NULL,
    event_key uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    features jsonb,
    override jsonb,
    PRIMARY KEY (model_id, event_key)
);
CREATE INDEX inference_event_detail_hour ON inference_event_detail (model_id, occurred_at, event_key);

CREATE TABLE inference_label (
    model_id integer NOT NULL,
    event_key uuid NOT NULL,
    observed_at timestamptz NOT NULL,
    label smallint NOT NULL CHECK (label IN (0, 1)),
    PRIMARY KEY (model_id, event_key, observed_at)
);
COMMENT ON TABLE inference_label IS 'Outcomes as they were observed, append-only; the newest observation of an event counts';

CREATE TABLE inference_dirty_hour (
    model_id bigint NOT NULL REFERENCES registry_monitoredmodel ON DELETE CASCADE,
    hour timestamptz NOT NULL,
    generation bigint NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease bigint,
    lease_until timestamptz,
    leased_by text,
    PRIMARY KEY (model_id, hour)
);
CREATE INDEX inference_dirty_hour_oldest ON inference_dirty_hour (marked_at, hour);
CREATE SEQUENCE inference_generation AS bigint OWNED BY inference_dirty_hour.generation;
COMMENT ON SEQUENCE inference_generation IS
    'One sequence for all hours: a row deleted and marked again never gets a generation it had before';

CREATE TABLE inference_heartbeat (
    model_id bigint PRIMARY KEY REFERENCES registry_monitoredmodel ON DELETE CASCADE,
    last_occurred_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    received bigint NOT NULL,
    last_actor text NOT NULL
);

CREATE FUNCTION inference_days_ensure(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    day date;
    partition text;
BEGIN
    FOR day IN SELECT DISTINCT d FROM unnest(days) AS d ORDER BY d LOOP
        IF day IS NULL OR day < current_date - 3700 OR day > current_date + 2 THEN
            RAISE EXCEPTION 'no partition for day %', day USING ERRCODE = 'check_violation';
        END IF;
        partition := 'inference_event_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || partition) IS NOT NULL;
        -- One at a time. A table's lock, and not an advisory one: taking it makes the other's new partition visible.
        LOCK TABLE public.inference_event IN SHARE UPDATE EXCLUSIVE MODE;
        CONTINUE WHEN to_regclass('public.' || partition) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.inference_event INCLUDING ALL)', partition);
        EXECUTE format(
            'ALTER TABLE public.inference_event ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            partition, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
        );
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION inference_days_ensure(date[]) FROM PUBLIC;
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'biasgov_web') THEN
        GRANT EXECUTE ON FUNCTION inference_days_ensure(date[]) TO biasgov_web;
    END IF;
END $$;
"""

REVERSE = """
DROP FUNCTION inference_days_ensure(date[]);
DROP TABLE inference_heartbeat, inference_dirty_hour, inference_label, inference_event_detail,
    inference_event_key, inference_event;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("registry", "0001_initial")]
    operations = [migrations.RunSQL(SQL, REVERSE)]
