"""Hour cubes in their own schema, and runs that nobody can change."""

from django.db import migrations

CUBES = """
CREATE SCHEMA IF NOT EXISTS cube;
REVOKE ALL ON SCHEMA cube FROM PUBLIC;
CREATE TABLE cube.hour_cube (
    model_id bigint NOT NULL REFERENCES registry_monitoredmodel (id) ON DELETE CASCADE,
    hour timestamptz NOT NULL CHECK (date_trunc('hour', hour, 'UTC') = hour),
    version_id bigint NOT NULL,
    n bigint NOT NULL CHECK (n > 0),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    body bytea NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (model_id, hour, version_id)
);
ALTER TABLE cube.hour_cube ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE cube.hour_cube IS 'Outcome cube of one model version and one UTC hour; replaced as a whole';
"""

IMMUTABLE = """
CREATE FUNCTION monitoring_run_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'biasgov_owner' THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a monitoring run is immutable: % refused; a restatement is a new revision', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER monitoring_run_immutable BEFORE UPDATE OR DELETE ON monitoring_run
    FOR EACH ROW EXECUTE FUNCTION monitoring_run_is_immutable();
CREATE TRIGGER monitoring_run_not_truncated BEFORE TRUNCATE ON monitoring_run
    FOR EACH STATEMENT EXECUTE FUNCTION monitoring_run_is_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0001_initial")]

    operations = [
        migrations.RunSQL(CUBES, "DROP TABLE cube.hour_cube"),
        migrations.RunSQL(
            IMMUTABLE,
            "DROP TRIGGER monitoring_run_immutable ON monitoring_run;"
            " DROP TRIGGER monitoring_run_not_truncated ON monitoring_run;"
            " DROP FUNCTION monitoring_run_is_immutable()",
        ),
    ]
