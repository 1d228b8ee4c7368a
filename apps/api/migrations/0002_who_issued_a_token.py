from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial"), ("audit", "0002_sql")]
    operations = [
        migrations.AddField("apitoken", "issued_by", models.CharField(default="", max_length=200)),
        migrations.RunSQL(
            "UPDATE api_apitoken t SET issued_by = e.actor FROM audit_entry e"
            " WHERE e.action = 'token.issued' AND e.subject = 'token:' || t.name",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField("apitoken", "issued_by", models.CharField(help_text="As the audit log names them.", max_length=200)),
    ]
