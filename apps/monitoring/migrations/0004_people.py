"""Beside every hour cube, enough of its people to tell how many there are; hours counted before are counted again."""

from django.db import migrations

PEOPLE = """
ALTER TABLE cube.hour_cube ADD COLUMN people bytea NOT NULL DEFAULT ''
    CHECK (octet_length(people) % 8 = 0);
COMMENT ON COLUMN cube.hour_cube.people IS 'Marks of at most thirty-two people per group; empty: nobody may be shown';
INSERT INTO inference_dirty_hour (model_id, hour, generation)
    SELECT model_id, hour, nextval('inference_generation') FROM (SELECT DISTINCT model_id, hour FROM cube.hour_cube) h
    ON CONFLICT (model_id, hour) DO UPDATE SET generation = excluded.generation;
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0003_superseded"), ("inference", "0001_initial")]

    operations = [migrations.RunSQL(PEOPLE, "ALTER TABLE cube.hour_cube DROP COLUMN people")]
