"""The request log: daily partitions on PostgreSQL, a plain table elsewhere."""

import datetime as dt

from django.db import migrations, models

from accounts.timeids import DAY, partition_sql

DAYS_AHEAD = 7


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel that PostgreSQL partitions by ranges of the primary key."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        table = model._meta.db_table
        statement, parameters = schema_editor.table_sql(model)
        schema_editor.execute(f"{statement} PARTITION BY RANGE (request_id)", parameters or None)
        schema_editor.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT')
        today = dt.datetime.now(dt.UTC).date()
        for n in range(DAYS_AHEAD + 1):
            schema_editor.execute(partition_sql(table, today + n * DAY))
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        CreatePartitionedModel(
            name="RequestLog",
            fields=[
                ("request_id", models.UUIDField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField()),
                ("account_id", models.BigIntegerField(null=True)),
                ("api_key_id", models.BigIntegerField(null=True)),
                ("source_ip", models.GenericIPAddressField(null=True)),
                ("surface", models.CharField(max_length=24)),
                ("model", models.CharField(max_length=160, null=True)),
                ("endpoint", models.CharField(max_length=250, null=True)),
                ("vendor", models.CharField(max_length=40, null=True)),
                ("channel", models.CharField(max_length=80, null=True)),
                ("jurisdiction", models.CharField(max_length=8, null=True)),
                ("is_stream", models.BooleanField(default=False)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("is_estimated", models.BooleanField(default=False)),
                ("cost_nusd", models.BigIntegerField(default=0)),
                ("first_byte_ms", models.IntegerField(null=True)),
                ("total_ms", models.IntegerField()),
                ("status", models.PositiveSmallIntegerField()),
                ("finish_reason", models.CharField(max_length=16, null=True)),
                ("error_code", models.CharField(max_length=32, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["account_id", "-request_id"], name="request_log_by_account"
                    )
                ],
            },
        ),
    ]
