"""Published versions stay as they are, for the owner of the tables too."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0001_initial"), ("audit", "0002_sql")]
    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER thresholds_policyversion_append_only"
            " BEFORE UPDATE OR DELETE OR TRUNCATE ON thresholds_policyversion"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only();",
            "DROP TRIGGER thresholds_policyversion_append_only ON thresholds_policyversion",
        )
    ]
