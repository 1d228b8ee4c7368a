"""What was overridden stays written down, for the owner of the table too."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("overrides", "0001_initial"), ("audit", "0002_sql")]
    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER overrides_override_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON overrides_override"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
            "DROP TRIGGER overrides_override_append_only ON overrides_override",
        )
    ]
