"""Runs that people ask to have computed again. Whoever asks brings no answer along: the compute side gives it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.common.clock

ASKED = """
CREATE FUNCTION monitoring_recomputation_is_asked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state <> 'waiting' OR NEW.outcome <> '' OR NEW.result IS NOT NULL OR NEW.computed_at IS NOT NULL THEN
        RAISE EXCEPTION 'what is asked to be computed again comes without an answer'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER monitoring_recomputation_is_asked BEFORE INSERT ON monitoring_recomputation
    FOR EACH ROW EXECUTE FUNCTION monitoring_recomputation_is_asked();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0009_digest_key"),
        ("registry", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Recomputation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("run_id", models.BigIntegerField(help_text="a provisional run may be let go of once it is superseded")),
                ("asked_at", models.DateTimeField(default=apps.common.clock.now)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed")],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=20)),
                ("result", models.JSONField(help_text="see recomputing.Recomputed", null=True)),
                (
                    "note",
                    models.CharField(blank=True, help_text="why it failed, without any value", max_length=200),
                ),
                ("computed_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="registry.monitoredmodel"
                    ),
                ),
            ],
            options={
                "db_table": "monitoring_recomputation",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["run_id", "-id"], name="monitoring_recomputed_runs")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("run_id",),
                        name="monitoring_recomputation_waits_once",
                    )
                ],
            },
        ),
        migrations.RunSQL(ASKED, "DROP FUNCTION monitoring_recomputation_is_asked CASCADE"),
    ]
