"""People's access to attributes of named subjects, what happened to it, and how the keys stand as the web side may see."""

import apps.common.clock
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# A look that was had, or an access that ended, stays so: also for who has the web side's role.
FINAL = """
CREATE FUNCTION vault_access_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.state IN ('shown', 'ended', 'expired') THEN
        RAISE EXCEPTION 'an access that is % stays as it is', OLD.state USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vault_access_moves BEFORE UPDATE ON vault_access FOR EACH ROW EXECUTE FUNCTION vault_access_moves();
"""

POLICIES = """
ALTER POLICY block_read ON vault.block
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation', 'access'));
ALTER POLICY data_key_read ON vault.data_key
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation', 'access'));
ALTER POLICY key_floor_read ON vault.key_floor
    USING (current_setting('biasgov.purpose', true) IN ('monitoring', 'upload', 'erasure', 'keys', 'rotation', 'access'));
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0002_sql'),
        ('vault', '0007_files'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='VaultAccess',
            fields=[
                ('approval', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='approvals.approval')),
                ('until', models.DateTimeField()),
                ('state', models.CharField(choices=[('granted', 'Granted'), ('asked', 'Asked'), ('sealed', 'Sealed'), ('shown', 'Shown'), ('ended', 'Ended'), ('expired', 'Expired')], default='granted', max_length=7)),
                ('public_key', models.BinaryField(null=True)),
                ('asked_at', models.DateTimeField(null=True)),
                ('sealed', models.BinaryField(null=True)),
                ('sealed_at', models.DateTimeField(null=True)),
                ('shown_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'vault_access',
            },
        ),
        migrations.CreateModel(
            name='VaultAccessStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(max_length=8)),
                ('actor', models.CharField(max_length=200)),
                ('at', models.DateTimeField(default=apps.common.clock.now)),
                ('announced_at', models.DateTimeField(null=True)),
                ('access', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='vault.vaultaccess')),
            ],
            options={
                'db_table': 'vault_access_step',
            },
        ),
        migrations.CreateModel(
            name='VaultKeyReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('keys', models.JSONField(help_text='[{version, wrapped_by, created_at, sealed, people}], oldest first')),
                ('floor', models.PositiveIntegerField()),
                ('next_at', models.DateTimeField(help_text='when the newest is replaced by its age', null=True)),
                ('reported_at', models.DateTimeField(default=apps.common.clock.now)),
            ],
            options={
                'db_table': 'vault_key_report',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='vault_key_report_is_one')],
            },
        ),
        migrations.AddIndex(
            model_name='vaultaccess',
            index=models.Index(condition=models.Q(('state__in', ['granted', 'asked', 'sealed'])), fields=['asked_at'], name='vault_access_open'),
        ),
        migrations.AddConstraint(
            model_name='vaultaccess',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sealed__isnull', False), ('state', 'sealed')), models.Q(models.Q(('state', 'sealed'), _negated=True), ('sealed__isnull', True)), _connector='OR'), name='vault_access_sealed_only_until_shown'),
        ),
        migrations.AddIndex(
            model_name='vaultaccessstep',
            index=models.Index(fields=['access', 'id'], name='vault_access_steps_of'),
        ),
        migrations.AddIndex(
            model_name='vaultaccessstep',
            index=models.Index(fields=['event', 'at'], name='vault_access_steps_by_event'),
        ),
        migrations.AddIndex(
            model_name='vaultaccessstep',
            index=models.Index(condition=models.Q(('announced_at__isnull', True)), fields=['id'], name='vault_access_unannounced'),
        ),
        migrations.RunSQL(
            FINAL, "DROP TRIGGER vault_access_moves ON vault_access; DROP FUNCTION vault_access_moves()"
        ),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
