"""Orders of an account in one state, newest first: the filters of its history."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("billing", "0012_books"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                fields=["account", "state", "-created_at", "-id"], name="order_by_account_state"
            ),
        ),
    ]
