"""Where every version stands is told by an index alone, without reading the versions themselves."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0004_rules")]
    operations = [
        migrations.AddIndex(
            model_name="policyversion",
            index=models.Index(fields=["model", "-version"], include=["effective_from"], name="thresholds_latest_first"),
        ),
    ]
