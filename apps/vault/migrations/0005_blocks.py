"""Blocks of about a thousand people take the place of single records (docs/decisions/0011).

What single records hold cannot be moved here, for want of the keys; nobody's attributes are dropped silently.
"""

from django.db import migrations

SQL = """
ALTER TABLE vault.record NO FORCE ROW LEVEL SECURITY;
DO $$ BEGIN
    IF EXISTS (SELECT FROM vault.record) THEN
        RAISE EXCEPTION 'vault.record holds records of an earlier layout, which is not read any more: TRUNCATE it as its '
            'owner, migrate, and upload the attributes again (a demo: remove its BIASGOV_HOME and start it anew)';
    END IF;
END $$;
DROP TABLE vault.record;
CREATE TABLE vault.block (
    first uuid PRIMARY KEY,
    last uuid NOT NULL CHECK (last > first),
    body bytea NOT NULL,
    key_version integer NOT NULL REFERENCES vault.data_key (version),
    people integer NOT NULL CHECK (people >= 0)
);
ALTER TABLE vault.block ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX block_by_key ON vault.block (key_version, first);
COMMENT ON TABLE vault.block IS 'People by range of their pseudonyms, AES-256-GCM; layout in apps/vault/blocks.py';
ALTER TABLE vault.block ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.block FORCE ROW LEVEL SECURITY;
COMMENT ON COLUMN vault.data_key.sealed IS 'Blocks that may have been sealed under the key: counted before they are';
"""

POLICIES = """
CREATE POLICY block_read ON vault.block FOR SELECT TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation'));
CREATE POLICY block_stored ON vault.block FOR INSERT TO biasgov_compute
    WITH CHECK (current_setting('biasgov.purpose', true) = 'upload');
CREATE POLICY block_replaced ON vault.block FOR UPDATE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) IN ('upload', 'erasure', 'rotation'));
CREATE POLICY block_emptied ON vault.block FOR DELETE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) = 'upload');
ALTER POLICY data_key_read ON vault.data_key
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation'));
ALTER POLICY data_key_changed ON vault.data_key
    USING (current_setting('biasgov.purpose', true) IN ('upload', 'erasure', 'keys', 'rotation'));
ALTER POLICY key_floor_read ON vault.key_floor
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation'));
"""


class Migration(migrations.Migration):
    dependencies = [("vault", "0004_rotation")]

    operations = [
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
