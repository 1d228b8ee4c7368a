import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0002_alarms_of_the_audit_log"), ("registry", "0003_retention")]

    operations = [
        migrations.CreateModel(
            name="LetGo",
            fields=[
                (
                    "model",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="registry.monitoredmodel",
                    ),
                ),
                ("before", models.DateTimeField()),
            ],
            options={"db_table": "pipeline_let_go"},
        ),
    ]
