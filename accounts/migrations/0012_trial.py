from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_contact_sender")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="is_trial",
            field=models.BooleanField(default=False, editable=False),
        ),
    ]
