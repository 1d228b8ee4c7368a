from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0008_access")]

    operations = [
        migrations.AlterField(
            model_name="vaulterasure",
            name="subject",
            field=models.UUIDField(help_text="pseudonym; null once nothing needs it any more", null=True),
        ),
    ]
