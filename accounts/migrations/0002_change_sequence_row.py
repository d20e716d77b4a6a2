"""Insert the one row that numbers all changes."""

from django.db import migrations


def insert(apps, schema_editor):
    apps.get_model("accounts", "ChangeSequence").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(insert, migrations.RunPython.noop)]
