"""Keys that change: how much was sealed under each, a floor that only rises, and the purposes of changing them.

``keys`` makes, wraps again and destroys data keys; ``rotation`` seals records again under the newest.
"""

from django.db import migrations

SQL = """
ALTER TABLE vault.data_key ADD COLUMN sealed bigint NOT NULL DEFAULT 0 CHECK (sealed >= 0);
COMMENT ON COLUMN vault.data_key.sealed IS 'Records that may have been sealed under the key: counted before they are';
CREATE INDEX record_by_key ON vault.record (key_version, subject);

CREATE TABLE vault.key_floor (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL CHECK (version > 0),
    raised_at timestamptz NOT NULL
);
COMMENT ON TABLE vault.key_floor IS 'Data keys below this version are refused';
INSERT INTO vault.key_floor (version, raised_at) VALUES (1, now());
CREATE FUNCTION vault.key_floor_only_rises() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.version >= OLD.version THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the floor of the data keys only rises: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER key_floor_only_rises BEFORE UPDATE OR DELETE ON vault.key_floor
    FOR EACH ROW EXECUTE FUNCTION vault.key_floor_only_rises();
CREATE TRIGGER key_floor_stays BEFORE TRUNCATE ON vault.key_floor
    FOR EACH STATEMENT EXECUTE FUNCTION vault.key_floor_only_rises();
ALTER TABLE vault.key_floor ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.key_floor FORCE ROW LEVEL SECURITY;
"""

POLICIES = """
CREATE POLICY key_floor_read ON vault.key_floor FOR SELECT TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'keys', 'rotation'));
CREATE POLICY key_floor_raised ON vault.key_floor FOR UPDATE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) = 'keys');
ALTER POLICY data_key_read ON vault.data_key
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'keys', 'rotation'));
ALTER POLICY data_key_made ON vault.data_key
    WITH CHECK (current_setting('biasgov.purpose', true) IN ('upload', 'keys'));
CREATE POLICY data_key_changed ON vault.data_key FOR UPDATE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) IN ('upload', 'keys', 'rotation'));
CREATE POLICY data_key_destroyed ON vault.data_key FOR DELETE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) = 'keys');
ALTER POLICY record_read ON vault.record
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation'));
ALTER POLICY record_replaced ON vault.record
    USING (current_setting('biasgov.purpose', true) IN ('upload', 'rotation'));
"""


class Migration(migrations.Migration):
    dependencies = [("vault", "0003_upload_attributes")]

    operations = [
        migrations.RunSQL(
            SQL,
            "DROP TABLE vault.key_floor; DROP FUNCTION vault.key_floor_only_rises();"
            " DROP INDEX vault.record_by_key; ALTER TABLE vault.data_key DROP COLUMN sealed",
        ),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
