"""Latency by day (hours would be most of the table and nobody asks for them); end users by age."""

from django.db import migrations, models

# Rows that are updated in place leave room in their pages (PostgreSQL's HOT updates).
TABLES = ("logs_usagehour", "logs_labelhour", "logs_latencyday")


def make_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 70)", None)


class Migration(migrations.Migration):

    dependencies = [
        ("logs", "0002_usage_sums"),
    ]

    operations = [
        migrations.DeleteModel("LatencyHour"),
        migrations.CreateModel(
            name="LatencyDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("model", models.CharField(blank=True, default="", max_length=160)),
                ("step", models.SmallIntegerField()),
                ("requests", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account_id", "day", "model", "step"), name="latency_day_unique"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="labelhour",
            index=models.Index(
                condition=models.Q(("kind", "end_user")), fields=["hour"], name="label_hour_end_user"
            ),
        ),
        migrations.RunPython(make_room, migrations.RunPython.noop),
    ]
