from django.db import migrations, models


def create(apps, schema_editor):
    """Make the charge table; on PostgreSQL a partitioned one, with the DEFAULT partition.

    Its day partitions are made by billing.charges.ensure_partitions, 7 days ahead.
    """
    charge = apps.get_model("billing", "Charge")
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.create_model(charge)
        return
    sql, params = schema_editor.table_sql(charge)
    schema_editor.execute(f"{sql} PARTITION BY RANGE (request_id)", params or None)
    for statement in schema_editor._model_indexes_sql(charge):
        schema_editor.execute(statement, None)
    # Room in each page, so that checkpoints and settles stay on it (HOT) and touch no index.
    schema_editor.execute(
        "CREATE TABLE billing_charge_default PARTITION OF billing_charge DEFAULT"
        " WITH (fillfactor = 70)"
    )


def delete(apps, schema_editor):
    schema_editor.delete_model(apps.get_model("billing", "Charge"))


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0001_initial'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='Charge',
                    fields=[
                        ('request_id', models.UUIDField(primary_key=True, serialize=False)),
                        ('lease_id', models.BigIntegerField()),
                        ('wallet_id', models.BigIntegerField()),
                        ('api_key_id', models.BigIntegerField(null=True)),
                        ('hold_nusd', models.BigIntegerField()),
                        ('checkpoint_nusd', models.BigIntegerField(default=0)),
                        ('cost_nusd', models.BigIntegerField(null=True)),
                        ('vendor_cost_nusd', models.BigIntegerField(null=True)),
                        ('endpoint', models.CharField(max_length=250, null=True)),
                        ('rate_card', models.BigIntegerField(null=True)),
                        ('usage', models.TextField(null=True)),
                        ('state', models.CharField(choices=[('open', 'Open'), ('settled', 'Settled'), ('estimated', 'Estimated'), ('voided', 'Voided')], default='open', max_length=10)),
                        ('reason', models.CharField(choices=[('normal', 'Normal'), ('no_usage', 'No Usage'), ('client_gone', 'Client Gone'), ('drained', 'Drained'), ('upstream_error', 'Upstream Error'), ('goodwill', 'Goodwill'), ('cut', 'Cut'), ('crash', 'Crash'), ('refused', 'Refused')], max_length=16, null=True)),
                        ('corrected', models.BooleanField(default=False)),
                    ],
                    options={
                        'indexes': [models.Index(fields=['lease_id'], name='charge_by_lease')],
                        'constraints': [models.CheckConstraint(condition=models.Q(('hold_nusd__gte', 0)), name='charge_hold_gte_0'), models.CheckConstraint(condition=models.Q(('cost_nusd__isnull', True), models.Q(('cost_nusd__gte', 0), ('cost_nusd__lte', models.F('hold_nusd'))), _connector='OR'), name='charge_cost_within_hold'), models.CheckConstraint(condition=models.Q(('checkpoint_nusd__gte', 0), ('checkpoint_nusd__lte', models.F('hold_nusd'))), name='charge_checkpoint_within_hold'), models.CheckConstraint(condition=models.Q(models.Q(('cost_nusd__isnull', True), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('cost_nusd__isnull', False)), _connector='OR'), name='charge_cost_when_ended')],
                    },
                ),
            ],
        ),
        migrations.RunPython(create, delete),
    ]
