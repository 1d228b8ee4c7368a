from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="monitoredmodel",
            name="public_data",
            field=models.BooleanField(
                default=False,
                help_text="Its events are published anyway: what was told before holds nothing back.",
            ),
        ),
    ]
