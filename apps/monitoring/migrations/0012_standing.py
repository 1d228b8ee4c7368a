"""The worst of a model's newest runs, one row a model."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0011_turns'),
        ('registry', '0003_retention'),
    ]

    operations = [
        migrations.CreateModel(
            name='MonitoringStanding',
            fields=[
                ('model', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='registry.monitoredmodel')),
                ('runs', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), help_text='the runs that it speaks of; others make it void', size=None)),
                ('worst', models.JSONField(help_text='apps.monitoring.rows.Point; empty where nothing was judged', null=True)),
            ],
            options={
                'db_table': 'monitoring_standing',
            },
        ),
    ]
