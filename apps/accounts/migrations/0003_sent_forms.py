"""Which forms were sent, so that none is carried out twice."""

import apps.common.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_role_terms_and_invitations'),
    ]

    operations = [
        migrations.CreateModel(
            name='SentForm',
            fields=[
                ('digest', models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ('sent_at', models.DateTimeField(db_index=True, default=apps.common.clock.now)),
            ],
            options={
                'db_table': 'accounts_sent_form',
            },
        ),
    ]
