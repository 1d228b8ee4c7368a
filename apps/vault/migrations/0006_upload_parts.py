"""Uploads are sealed in parts, checked against a version of the attribute schema, and stored slice by slice."""

import django.db.models.deletion
from django.db import migrations, models

import apps.common.clock

# Their content is of an earlier form, which nothing opens any more.
REFUSED = """
ALTER TABLE vault_upload DROP CONSTRAINT vault_upload_sealed_only_while_pending;
UPDATE vault_upload SET state = 'refused', reason = 'Sealed for an earlier version of biasgov; send it again.'
    WHERE state = 'pending';
INSERT INTO vault_schema (version, levels, created_at)
    SELECT 1, '{}', now() WHERE EXISTS (SELECT FROM vault_upload);
"""

# Sealed bytes cannot be compressed.
STORAGE = "ALTER TABLE vault_upload_part ALTER COLUMN sealed SET STORAGE EXTERNAL"


class Migration(migrations.Migration):
    dependencies = [("vault", "0005_blocks")]

    operations = [
        migrations.CreateModel(
            name="AttributeSchema",
            fields=[
                ("version", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("levels", models.JSONField(help_text="{attribute: [levels]}, sorted")),
                ("created_at", models.DateTimeField(default=apps.common.clock.now)),
            ],
            options={"db_table": "vault_schema"},
        ),
        migrations.CreateModel(
            name="VaultUploadPart",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "upload_id", "place", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("place", models.PositiveIntegerField()),
                ("sealed", models.BinaryField()),
                (
                    "upload",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="vault.vaultupload"
                    ),
                ),
            ],
            options={"db_table": "vault_upload_part"},
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(
            REFUSED,
            migrations.RunSQL.noop,
            state_operations=[
                migrations.RemoveConstraint(
                    model_name="vaultupload", name="vault_upload_sealed_only_while_pending"
                ),
            ],
        ),
        migrations.RemoveIndex(model_name="vaultupload", name="vault_upload_pending"),
        migrations.RemoveField(model_name="vaultupload", name="sealed"),
        migrations.AddField(
            model_name="vaultupload", name="parts", field=models.PositiveIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="vaultupload",
            name="position",
            field=models.PositiveIntegerField(default=0, help_text="how many, in the order of pseudonyms, are done"),
        ),
        migrations.AddField(
            model_name="vaultupload", name="replaced", field=models.PositiveIntegerField(default=0)
        ),
        migrations.AlterField(
            model_name="vaultupload",
            name="attributes",
            field=models.JSONField(help_text="names that the sender may change; null: everything", null=True),
        ),
        migrations.AlterField(
            model_name="vaultupload", name="reason", field=models.CharField(blank=True, max_length=300)
        ),
        migrations.AlterField(
            model_name="vaultupload",
            name="state",
            field=models.CharField(
                choices=[
                    ("receiving", "Receiving"),
                    ("pending", "Pending"),
                    ("storing", "Storing"),
                    ("stored", "Stored"),
                    ("refused", "Refused"),
                    ("withdrawn", "Withdrawn"),
                ],
                default="receiving",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="vaultupload", name="subjects", field=models.PositiveIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="vaultupload",
            name="schema",
            field=models.ForeignKey(
                db_column="schema_version",
                default=1,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="vault.attributeschema",
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="vaultupload",
            index=models.Index(
                condition=models.Q(("state__in", ["receiving", "pending", "storing"])),
                fields=["received_at"],
                name="vault_upload_open",
            ),
        ),
        migrations.AddIndex(
            model_name="vaultupload",
            index=models.Index(fields=["-received_at"], name="vault_upload_newest"),
        ),
    ]
