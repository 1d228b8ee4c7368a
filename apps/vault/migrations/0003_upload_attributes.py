from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0002_sql")]

    operations = [
        migrations.AddField(
            model_name="vaultupload",
            name="attributes",
            field=models.JSONField(
                help_text="names that the sender may change; null: the whole record", null=True
            ),
        )
    ]
