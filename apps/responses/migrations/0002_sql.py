"""A finding's steps stay as they were taken."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("responses", "0001_initial"), ("audit", "0002_sql")]
    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER responses_findingtransition_append_only"
            " BEFORE UPDATE OR DELETE OR TRUNCATE ON responses_findingtransition"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only();",
            "DROP TRIGGER responses_findingtransition_append_only ON responses_findingtransition",
        )
    ]
