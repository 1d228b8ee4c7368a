"""What was done to a restriction, and which gateway acknowledged what, stays as it was written."""

from django.db import migrations

TABLES = ("responses_restrictionstep", "responses_acknowledgement")


class Migration(migrations.Migration):
    dependencies = [("responses", "0004_restrictions"), ("audit", "0002_sql")]
    operations = [
        migrations.RunSQL(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only();",
            f"DROP TRIGGER {table}_append_only ON {table}",
        )
        for table in TABLES
    ]
