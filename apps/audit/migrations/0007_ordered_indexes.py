"""Each filter of the log has an index in the order in which the log is read, so that a page costs the same
however long it is.

Words are found by trigrams; pg_trgm is an extension that the owner of a database may create.
"""

import django.contrib.postgres.indexes
import django.contrib.postgres.operations
import django.db.models.fields.json
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0006_demand'),
    ]

    operations = [
        django.contrib.postgres.operations.TrigramExtension(),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_entry_at',
        ),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_entry_actor',
        ),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_entry_action',
        ),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_entry_subject',
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['at', 'id'], name='audit_entry_time'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['actor', 'at', 'id'], name='audit_entry_who'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['action', 'at', 'id'], name='audit_entry_kind'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(models.Func(models.F('action'), models.Value('.'), models.Value(1), function='split_part', output_field=models.TextField()), models.F('at'), models.F('id'), name='audit_entry_family'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['subject', 'at', 'id'], name='audit_entry_object'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(models.Case(models.When(subject__startswith='model:', then=django.db.models.functions.text.Substr('subject', 7)), default=django.db.models.fields.json.KeyTextTransform('model', 'detail'), output_field=models.TextField()), models.F('at'), models.F('id'), name='audit_entry_about'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper(django.db.models.functions.text.Concat('actor', models.Value(' '), 'action', models.Value(' '), 'subject', models.Value(' '), django.db.models.fields.json.KeyTextTransform('text', 'detail'), models.Value(' '), django.db.models.fields.json.KeyTextTransform('reason', 'detail'), models.Value(' '), django.db.models.fields.json.KeyTextTransform('note', 'detail'), models.Value(' '), django.db.models.fields.json.KeyTextTransform('message', 'detail'), models.Value(' '), django.db.models.fields.json.KeyTextTransform('title', 'detail'), models.Value(' '), django.db.models.fields.json.KeyTextTransform('name', 'detail'), models.Value(' '), output_field=models.TextField())), 'gin_trgm_ops'), name='audit_entry_said'),
        ),
    ]
