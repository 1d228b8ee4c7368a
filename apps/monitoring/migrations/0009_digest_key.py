"""A key for the digests that runs tell of the cubes they come from: without one, whoever guesses counts could check them.

Digests of runs that were stored before are of the earlier kind; what is evaluated again gets the new one.
"""

from django.db import migrations

KEY = """
CREATE TABLE cube.digest_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    content bytea NOT NULL CHECK (octet_length(content) = 32)
);
COMMENT ON TABLE cube.digest_key IS 'Keys the digests of windows: who knows the events but not this can check no guess';
INSERT INTO cube.digest_key (content)
    SELECT sha256(string_agg(uuid_send(gen_random_uuid()), ''::bytea)) FROM generate_series(1, 4);
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0008_retention")]

    operations = [migrations.RunSQL(KEY, "DROP TABLE cube.digest_key")]
