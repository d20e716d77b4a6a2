import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_trial"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="limits_of",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="sharing_limits",
                to="accounts.apikey",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="form_id",
            field=models.UUIDField(blank=True, editable=False, null=True, unique=True),
        ),
    ]
