from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_apikey_is_management")]
    operations = [
        migrations.AddField(
            model_name="apikey",
            name="paused_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
