import apps.common.clock
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0002_sql'),
    ]

    operations = [
        migrations.CreateModel(
            name='Resolution',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verb', models.CharField(help_text='the need that it meets', max_length=40)),
                ('digest', models.CharField(max_length=64)),
                ('case_id', models.BigIntegerField()),
                ('decided_at', models.DateTimeField(default=apps.common.clock.now)),
                ('approval', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='resolutions', to='approvals.approval')),
            ],
            options={
                'db_table': 'approvals_resolution',
                'ordering': ['id'],
            },
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.UniqueConstraint(fields=('approval', 'digest', 'verb'), name='approvals_resolved_once'),
        ),
    ]
