"""What was told of an incident stays told, for the owner of the tables too."""

from django.db import migrations

TABLES = ("incidents_step", "incidents_evidence", "incidents_link")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial"), ("audit", "0002_sql")]
    operations = [
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
                f"DROP TRIGGER {table}_append_only ON {table}",
            )
            for table in TABLES
        ),
        migrations.RunSQL(
            "CREATE TRIGGER incidents_incident_stays BEFORE DELETE OR TRUNCATE ON incidents_incident"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
            "DROP TRIGGER incidents_incident_stays ON incidents_incident",
        ),
    ]
