"""A row for each model, locked by whoever stores its runs: the compute side alone may."""

from django.db import migrations

SQL = """
CREATE TABLE cube.turn (
    model_id bigint PRIMARY KEY REFERENCES registry_monitoredmodel (id) ON DELETE CASCADE
);
COMMENT ON TABLE cube.turn IS 'Locked by whoever stores runs of a model, until they are stored';
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0010_recomputations")]
    operations = [migrations.RunSQL(SQL, "DROP TABLE cube.turn")]
