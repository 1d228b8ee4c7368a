"""The schema that only the compute side may enter, and only with a stated purpose."""

from django.db import migrations

SQL = """
CREATE SCHEMA IF NOT EXISTS vault;
REVOKE ALL ON SCHEMA vault FROM PUBLIC;

CREATE TABLE vault.data_key (
    version integer PRIMARY KEY CHECK (version > 0),
    wrapped bytea NOT NULL,
    wrapped_by text NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE vault.data_key IS 'Data keys, each wrapped by the key-encryption key named in wrapped_by';

CREATE TABLE vault.record (
    subject uuid PRIMARY KEY,
    body bytea NOT NULL,
    key_version integer NOT NULL REFERENCES vault.data_key (version),
    received_at timestamptz NOT NULL
);
ALTER TABLE vault.record ALTER COLUMN body SET STORAGE PLAIN;
COMMENT ON TABLE vault.record IS 'One AES-256-GCM record a subject; layout in apps/vault/crypto.py';

ALTER TABLE vault.data_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.data_key FORCE ROW LEVEL SECURITY;
ALTER TABLE vault.record ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.record FORCE ROW LEVEL SECURITY;
"""

# A purpose is set for one transaction: set_config('biasgov.purpose', ..., true). Without one there are no rows.
POLICIES = """
CREATE POLICY data_key_read ON vault.data_key FOR SELECT TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload'));
CREATE POLICY data_key_made ON vault.data_key FOR INSERT TO biasgov_compute
    WITH CHECK (current_setting('biasgov.purpose', true) = 'upload');
CREATE POLICY record_read ON vault.record FOR SELECT TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure'));
CREATE POLICY record_stored ON vault.record FOR INSERT TO biasgov_compute
    WITH CHECK (current_setting('biasgov.purpose', true) = 'upload');
CREATE POLICY record_replaced ON vault.record FOR UPDATE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) = 'upload');
CREATE POLICY record_erased ON vault.record FOR DELETE TO biasgov_compute
    USING (current_setting('biasgov.purpose', true) = 'erasure');
"""


class Migration(migrations.Migration):
    dependencies = [("vault", "0001_initial")]

    operations = [
        migrations.RunSQL(SQL, "DROP TABLE vault.record, vault.data_key"),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
