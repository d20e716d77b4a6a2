"""Legal holds, reports of retention, anonymous sums of a day, the security log."""

from django.db import migrations, models


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel that PostgreSQL partitions by ranges of `id`; days are made when it is used."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        table = model._meta.db_table
        statement, parameters = schema_editor.table_sql(model)
        schema_editor.execute(f"{statement} PARTITION BY RANGE (id)", parameters or None)
        schema_editor.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT')
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0006_debug'),
    ]

    operations = [
        migrations.CreateModel(
            name='RebuildTurn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='HeldRequest',
            fields=[
                ('request_id', models.UUIDField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField()),
                ('account_id', models.BigIntegerField(null=True)),
                ('api_key_id', models.BigIntegerField(null=True)),
                ('source_ip', models.GenericIPAddressField(null=True)),
                ('surface', models.CharField(max_length=24)),
                ('model', models.CharField(max_length=160, null=True)),
                ('endpoint', models.CharField(max_length=250, null=True)),
                ('vendor', models.CharField(max_length=40, null=True)),
                ('channel', models.CharField(max_length=80, null=True)),
                ('jurisdiction', models.CharField(max_length=8, null=True)),
                ('is_stream', models.BooleanField(default=False)),
                ('input_tokens', models.BigIntegerField(default=0)),
                ('cache_read_tokens', models.BigIntegerField(default=0)),
                ('cache_write_tokens', models.BigIntegerField(default=0)),
                ('output_tokens', models.BigIntegerField(default=0)),
                ('reasoning_tokens', models.BigIntegerField(default=0)),
                ('is_estimated', models.BooleanField(default=False)),
                ('cost_nusd', models.BigIntegerField(default=0)),
                ('sent_ms', models.IntegerField(null=True)),
                ('first_byte_ms', models.IntegerField(null=True)),
                ('total_ms', models.IntegerField()),
                ('status', models.PositiveSmallIntegerField()),
                ('finish_reason', models.CharField(max_length=16, null=True)),
                ('error_code', models.CharField(max_length=32, null=True)),
                ('tag', models.CharField(max_length=64, null=True)),
                ('end_user', models.CharField(max_length=32, null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['account_id', '-request_id'], name='held_request_by_account')],
            },
        ),
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.BigIntegerField()),
                ('reason', models.CharField(max_length=400)),
                ('requested_by', models.CharField(max_length=40)),
                ('requested_at', models.DateTimeField()),
                ('approved_by', models.CharField(blank=True, max_length=40)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('ends_at', models.DateTimeField()),
                ('ended_by', models.CharField(blank=True, max_length=40)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['ends_at'], name='legal_hold_by_end')],
                'constraints': [models.CheckConstraint(condition=models.Q(('approved_by', models.F('requested_by')), _negated=True), name='legal_hold_two_people'), models.CheckConstraint(condition=models.Q(models.Q(('approved_at__isnull', True), ('approved_by', '')), models.Q(models.Q(('approved_by', ''), _negated=True), ('approved_at__isnull', False)), _connector='OR'), name='legal_hold_approval_whole'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_by', '')), models.Q(models.Q(('ended_by', ''), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='legal_hold_end_whole'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='legal_hold_has_reason'), models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('requested_at'))), name='legal_hold_ends_later')],
            },
        ),
        migrations.CreateModel(
            name='ModelDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('model', models.CharField(blank=True, max_length=160)),
                ('vendor', models.CharField(blank=True, max_length=40)),
                ('jurisdiction', models.CharField(blank=True, max_length=8)),
                ('accounts', models.IntegerField()),
                ('requests', models.BigIntegerField()),
                ('errors', models.BigIntegerField()),
                ('input_tokens', models.BigIntegerField()),
                ('cache_read_tokens', models.BigIntegerField()),
                ('cache_write_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('reasoning_tokens', models.BigIntegerField()),
                ('latencies', models.JSONField(default=dict)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('day', 'model', 'vendor', 'jurisdiction'), name='model_day_unique'), models.CheckConstraint(condition=models.Q(('accounts__gte', 20)), name='model_day_of_many')],
            },
        ),
        migrations.CreateModel(
            name='RetentionRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('actor', models.CharField(max_length=40)),
                ('removed', models.JSONField(default=dict)),
                ('held', models.JSONField(default=dict)),
                ('errors', models.JSONField(default=dict)),
                ('is_complete', models.BooleanField(default=False)),
                ('is_held_back', models.BooleanField(default=False)),
                ('running', models.PositiveSmallIntegerField(blank=True, default=1, null=True, unique=True)),
            ],
            options={
                'indexes': [models.Index(fields=['-started_at'], name='retention_run_latest')],
            },
        ),
        CreatePartitionedModel(
            name='SecurityEntry',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('source_ip', models.GenericIPAddressField(null=True)),
                ('account_id', models.BigIntegerField(null=True)),
                ('endpoint', models.CharField(max_length=24)),
            ],
            options={
                'verbose_name_plural': 'security entries',
                'indexes': [models.Index(fields=['account_id', '-id'], name='security_entry_by_account')],
            },
        ),
    ]
