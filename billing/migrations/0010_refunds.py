"""What was told of disputes, and holds on accounts."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0013_key_rotation'),
        ('billing', '0009_payments'),
    ]

    operations = [
        migrations.AddField(
            model_name='dispute',
            name='said',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='dispute',
            name='tax_minor',
            field=models.BigIntegerField(default=0),
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='hold', serialize=False, to='accounts.account')),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=20)),
                ('is_frozen', models.BooleanField(default=False)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('until__isnull', False)), fields=['until'], name='hold_running_by_end')],
            },
        ),
    ]
