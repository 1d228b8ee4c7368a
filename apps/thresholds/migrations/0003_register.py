"""Provenance, signatures and reviews of versions; assessments; proposals that are run over the past."""

import apps.common.clock
import datetime
import django.db.models.deletion
from django.db import migrations, models

# What was published before: reviews fall due a year after the start, and later versions bear no signature.
OLDER_VERSIONS = """
ALTER TABLE thresholds_policyversion DISABLE TRIGGER thresholds_policyversion_append_only;
UPDATE thresholds_policyversion SET
    review_due = ((effective_from AT TIME ZONE 'UTC')::date + 365),
    way = CASE version WHEN 1 THEN 'registration' ELSE 'emergency' END,
    justification = CASE WHEN version > 1 AND justification !~ '\\S'
        THEN 'Published before the register asked for signatures.' ELSE justification END;
ALTER TABLE thresholds_policyversion ENABLE TRIGGER thresholds_policyversion_append_only;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0002_sql'),
        ('registry', '0001_initial'),
        ('thresholds', '0002_sql'),
    ]

    operations = [
        migrations.CreateModel(
            name='Backtest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('policies', models.JSONField(help_text='{today, proposed}: Policy.to_dict() each')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=7)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('asked_at', models.DateTimeField(default=apps.common.clock.now)),
                ('lease_until', models.DateTimeField(null=True)),
                ('result', models.JSONField(null=True)),
                ('note', models.CharField(blank=True, help_text='why it failed, without any value', max_length=200)),
                ('computed_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'thresholds_backtest',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('next_due', models.DateField()),
                ('reviewed_at', models.DateTimeField(default=apps.common.clock.now)),
            ],
            options={
                'db_table': 'thresholds_review',
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='policyversion',
            name='approval',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.approval'),
        ),
        migrations.AddField(
            model_name='policyversion',
            name='limits',
            field=models.JSONField(default=dict, help_text='term -> the loosest number that compliance alone may sign'),
        ),
        migrations.AddField(
            model_name='policyversion',
            name='review_due',
            field=models.DateField(default=datetime.date(2000, 1, 1)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='policyversion',
            name='way',
            field=models.CharField(choices=[('registration', "with the model's registration"), ('signed', 'proposed and signed'), ('emergency', 'in an emergency, without a signature')], default='registration', max_length=12),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name='Assessment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=200)),
                ('title', models.CharField(max_length=200)),
                ('assessor', models.CharField(max_length=200)),
                ('assessed_on', models.DateField()),
                ('content', models.JSONField(help_text='apps.thresholds.assessments.Assessed.to_dict()')),
                ('source', models.TextField(help_text='the file as it came')),
                ('digest', models.CharField(help_text="SHA-256 of the file's bytes", max_length=64)),
                ('imported_by', models.CharField(max_length=200)),
                ('imported_at', models.DateTimeField(default=apps.common.clock.now)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assessments', to='registry.monitoredmodel')),
            ],
            options={
                'db_table': 'thresholds_assessment',
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='policyversion',
            name='assessment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policy_versions', to='thresholds.assessment'),
        ),
        migrations.RunSQL(OLDER_VERSIONS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='policyversion',
            index=models.Index(fields=['model', 'effective_from', 'version'], name='thresholds_by_start'),
        ),
        migrations.AddIndex(
            model_name='policyversion',
            index=models.Index(fields=['-published_at', '-id'], name='thresholds_newest_first'),
        ),
        migrations.AddConstraint(
            model_name='policyversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('approval__isnull', False), ('way', 'signed')), models.Q(models.Q(('way', 'signed'), _negated=True), ('approval__isnull', True)), _connector='OR'), name='thresholds_signed_by_a_request'),
        ),
        migrations.AddConstraint(
            model_name='policyversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('way', 'emergency'), _negated=True), ('justification__regex', '\\S'), _connector='OR'), name='thresholds_emergency_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='policyversion',
            constraint=models.CheckConstraint(condition=models.Q(('version', 1), ('effective_from__gte', models.F('published_at')), _connector='OR'), name='thresholds_not_backdated'),
        ),
        migrations.AddField(
            model_name='backtest',
            name='model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.monitoredmodel'),
        ),
        migrations.AddField(
            model_name='backtest',
            name='approval',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.approval'),
        ),
        migrations.AddField(
            model_name='review',
            name='approval',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.approval'),
        ),
        migrations.AddField(
            model_name='review',
            name='policy_version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='thresholds.policyversion'),
        ),
        migrations.AddConstraint(
            model_name='assessment',
            constraint=models.UniqueConstraint(fields=('model', 'reference'), name='thresholds_assessment_once_per_model'),
        ),
        migrations.AddConstraint(
            model_name='assessment',
            constraint=models.CheckConstraint(condition=models.Q(('reference__regex', '\\S')), name='thresholds_assessment_has_reference'),
        ),
        migrations.AddIndex(
            model_name='backtest',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['asked_at'], name='thresholds_backtest_waiting'),
        ),
        migrations.AddConstraint(
            model_name='backtest',
            constraint=models.UniqueConstraint(fields=('approval', 'digest'), name='thresholds_backtest_once_per_text'),
        ),
    ]
