"""A cause is open until its incident is closed: those that ended before it open again, those left over end."""

from django.db import migrations

SETTLE = """
UPDATE responses_cause AS cause SET closed_at = NULL
FROM incidents_incident AS incident
WHERE incident.id = cause.incident_id AND incident.state <> 'closed' AND cause.closed_at IS NOT NULL;
UPDATE responses_cause AS cause SET closed_at = incident.closed_at
FROM incidents_incident AS incident
WHERE incident.id = cause.incident_id AND incident.state = 'closed' AND cause.closed_at IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0005_what_ended_stays"), ("responses", "0007_restriction_rules")]
    operations = [migrations.RunSQL(SETTLE, migrations.RunSQL.noop)]
