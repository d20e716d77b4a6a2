from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def fill_all(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001
    """Have every archive filled: one that took another's place before this has none of its rows."""
    feeds = apps.get_model("logs", "ArchiveFeed").objects
    feeds.update(holds_unfilled_before=models.F("aged_until"))


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0010_signals'),
    ]

    operations = [
        migrations.AddField(
            model_name='archivefeed',
            name='holds_unfilled_before',
            field=models.DateField(null=True),
        ),
        migrations.RunPython(fill_all, migrations.RunPython.noop),
    ]
