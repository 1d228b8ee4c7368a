"""Whether a request is signed is asked of `approvals_is_signed` alone; this app came before it and had its own."""

from django.db import migrations, models

ASK = """
DO $$
DECLARE
    asking regproc;
BEGIN
    FOREACH asking IN ARRAY ARRAY['public.thresholds_version_fits', 'public.thresholds_review_fits']::regproc[] LOOP
        EXECUTE replace(pg_get_functiondef(asking), 'public.thresholds_is_signed', 'public.approvals_is_signed');
    END LOOP;
END $$;
DROP FUNCTION thresholds_is_signed;
"""


class Migration(migrations.Migration):
    dependencies = [("thresholds", "0007_latest_by_index"), ("approvals", "0005_no_way_around")]
    operations = [
        migrations.RunSQL(ASK, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="backtest",
            name="note",
            field=models.CharField(
                blank=True, help_text="why it failed, or how far it is, without any value", max_length=200
            ),
        ),
    ]
