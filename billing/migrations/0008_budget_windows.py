"""Budgets that start over: a lease notes the window that it was taken in."""

import importlib

from django.db import migrations, models
from django.db.models import Q

breach_view = importlib.import_module("billing.migrations.0007_spend_invariant")


def forget_removed(apps, schema_editor):
    """Delete limits that were removed: a key's every budget is in force from now on."""
    budgets = apps.get_model("billing", "Budget").objects.filter(api_key__has_budget=False)
    apps.get_model("billing", "LeaseBudget").objects.filter(budget__in=budgets).delete()
    budgets.delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_spend_invariant"),
    ]

    operations = [
        migrations.RunPython(forget_removed, migrations.RunPython.noop, elidable=True),
        migrations.AddField(
            model_name="leasebudget",
            name="period_start",
            field=models.DateField(null=True),
        ),
        # SQLite makes the table anew, which it refuses under a view.
        migrations.RunPython(breach_view.drop_view, breach_view.create_view),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=Q(period="total", period_start__isnull=True)
                | (~Q(period="total") & Q(period_start__isnull=False)),
                name="budget_window_when_recurring",
            ),
        ),
        migrations.RunPython(breach_view.create_view, breach_view.drop_view),
    ]
