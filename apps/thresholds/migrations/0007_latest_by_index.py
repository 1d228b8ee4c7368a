"""The index that tells where every version stands holds the version's id too, which was read from the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0006_emergencies_tighten")]
    operations = [
        migrations.RemoveIndex(model_name="policyversion", name="thresholds_latest_first"),
        migrations.AddIndex(
            model_name="policyversion",
            index=models.Index(
                fields=["model", "-version"], include=["id", "effective_from"], name="thresholds_latest"
            ),
        ),
    ]
