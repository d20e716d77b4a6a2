from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_change_sequence_row")]
    operations = [
        migrations.AddField(
            model_name="apikey",
            name="is_management",
            field=models.BooleanField(default=False),
        ),
    ]
