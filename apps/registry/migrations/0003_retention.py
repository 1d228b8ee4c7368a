import django.db.models.deletion
from django.db import migrations, models

import apps.common.clock


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_public_data")]

    operations = [
        migrations.CreateModel(
            name="RetentionSetting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("events", models.PositiveIntegerField()),
                ("pseudonyms", models.PositiveIntegerField()),
                ("cubes", models.PositiveIntegerField()),
                ("runs", models.PositiveIntegerField()),
                ("reason", models.CharField(max_length=500)),
                ("set_by", models.CharField(max_length=200)),
                ("set_at", models.DateTimeField(default=apps.common.clock.now, editable=False)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="retention_settings",
                        to="registry.monitoredmodel",
                    ),
                ),
            ],
            options={"db_table": "registry_retention", "ordering": ["model_id", "id"]},
        ),
    ]
