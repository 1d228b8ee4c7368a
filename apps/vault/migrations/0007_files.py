"""Uploads as files: their form, how far they are received, and of which bytes each part was made."""

import apps.common.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('vault', '0006_upload_parts'),
    ]

    operations = [
        migrations.AddField(
            model_name='vaultupload',
            name='form',
            field=models.CharField(default='batch', help_text='csv, json or ndjson for a file', max_length=6),
        ),
        migrations.AddField(
            model_name='vaultupload',
            name='heading',
            field=models.JSONField(default=list, help_text='how the columns of a CSV file are told apart'),
        ),
        migrations.AddField(
            model_name='vaultupload',
            name='taken',
            field=models.BigIntegerField(default=0, help_text='bytes of the file that are in parts'),
        ),
        migrations.AddField(
            model_name='vaultupload',
            name='touched_at',
            field=models.DateTimeField(default=apps.common.clock.now, help_text='when its newest part came'),
        ),
        migrations.AddField(
            model_name='vaultuploadpart',
            name='digest',
            field=models.BinaryField(default=b'', help_text='HMAC of the bytes of the file that it was made of'),
        ),
        migrations.AddField(
            model_name='vaultuploadpart',
            name='ends_at',
            field=models.BigIntegerField(default=0, help_text='byte of the file behind the last of it'),
        ),
        migrations.AlterField(
            model_name='vaultupload',
            name='received_at',
            field=models.DateTimeField(default=apps.common.clock.now, help_text='when its receipt began'),
        ),
    ]
