"""Rows that are updated in place leave room in their pages (PostgreSQL's HOT updates)."""

from django.db import migrations

TABLES = ("billing_wallet", "billing_lease", "billing_worker", "billing_budget")


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 50)", None)


def delete(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(f"ALTER TABLE {table} RESET (fillfactor)", None)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_ledger_triggers'),
    ]

    operations = [migrations.RunPython(create, delete)]
