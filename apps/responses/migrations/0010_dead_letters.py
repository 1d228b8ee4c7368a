"""What was given up is found without reading all that was sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("responses", "0009_down_by_people")]
    operations = [
        migrations.AddIndex(
            model_name="outboxmessage",
            index=models.Index(
                fields=["-created_at"], condition=models.Q(("state", "dead")), name="responses_dead_letters"
            ),
        ),
    ]
