"""What holding back remembers: the moments at which told windows and hidden ones began or ended, group by group."""

from django.db import migrations

EDGES = """
CREATE TABLE cube.told_edge (
    model_id bigint NOT NULL REFERENCES registry_monitoredmodel (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    shape text NOT NULL,
    told bytea NOT NULL,
    hidden bytea NOT NULL CHECK (octet_length(hidden) = octet_length(told)),
    PRIMARY KEY (model_id, at)
);
COMMENT ON TABLE cube.told_edge IS 'One bit a group, in the order of apps/monitoring/ledger.py';
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0006_override_rates")]

    operations = [migrations.RunSQL(EDGES, "DROP TABLE cube.told_edge")]
