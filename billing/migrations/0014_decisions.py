"""What staff decide: fapiao with date and file, lines of statements, credit given by hand."""

import accounts.timeids
import django.db.models.deletion
from django.db import migrations, models


def say_how_lines_ended(apps, schema_editor):
    """Lines that left the queue before say now how."""
    rows = apps.get_model("billing", "StatementRow").objects.filter(resolved_at__isnull=False)
    rows.filter(resolved_by__in=("import", "query")).update(resolution="settled")
    rows.filter(resolution="").update(resolution="explained")


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0013_key_rotation'),
        ('billing', '0013_paypages'),
    ]

    operations = [
        migrations.CreateModel(
            name='StaffCredit',
            fields=[
                ('id', models.UUIDField(default=accounts.timeids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('amount_nusd', models.BigIntegerField()),
                ('reason', models.CharField(max_length=200)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('given', 'Given'), ('refused', 'Refused')], default='waiting', max_length=8)),
                ('form_id', models.UUIDField(editable=False, unique=True)),
                ('needs_second', models.BooleanField()),
                ('asked_by', models.CharField(max_length=80)),
                ('asked_at', models.DateTimeField()),
                ('decided_by', models.CharField(blank=True, max_length=80)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'permissions': [('approve_staffcredit', 'Can agree to staff credits that need a second person')],
            },
        ),
        migrations.AlterModelOptions(
            name='statementrow',
            options={'permissions': [('write_off_statementrow', 'Can write off lines of statements')]},
        ),
        migrations.AddField(
            model_name='fapiaorequest',
            name='answered_by',
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name='fapiaorequest',
            name='fapiao_date',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='fapiaorequest',
            name='file_ref',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='fapiaorequest',
            name='red_date',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='fapiaorequest',
            name='red_file_ref',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='refund',
            name='form_id',
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='statementrow',
            name='resolution',
            field=models.CharField(blank=True, choices=[('settled', 'Settled'), ('explained', 'It is explained: no money is missing'), ('suspended', 'Put the money aside: a case of suspense decides whose it is'), ('written_off', 'Book the difference as our loss or gain')], max_length=11),
        ),
        migrations.AlterField(
            model_name='statementrow',
            name='verdict',
            field=models.CharField(choices=[('matched', 'Matched'), ('missing_local', 'Missing Local'), ('missing_remote', 'Missing Remote'), ('amount_diff', 'Amount Diff'), ('status_diff', 'Status Diff'), ('duplicate', 'Duplicate'), ('fee', 'Fee'), ('fee_diff', 'Fee Diff')], max_length=14),
        ),
        migrations.RunPython(say_how_lines_ended, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('form_id__isnull', False)), fields=('order', 'form_id'), name='refund_form_unique'),
        ),
        migrations.AddConstraint(
            model_name='statementrow',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolution', ''), ('resolved_at__isnull', True)), models.Q(('resolved_at__isnull', False), models.Q(('resolution', ''), _negated=True)), _connector='OR'), name='statement_row_resolution'),
        ),
        migrations.AddField(
            model_name='staffcredit',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='staff_credits', to='accounts.account'),
        ),
        migrations.AddConstraint(
            model_name='staffcredit',
            constraint=models.CheckConstraint(condition=models.Q(('amount_nusd__gt', 0)), name='staff_credit_amount_gt_0'),
        ),
        migrations.AddConstraint(
            model_name='staffcredit',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by', models.F('asked_by')), ('needs_second', True), ('state', 'given'), _negated=True), name='staff_credit_two_persons'),
        ),
        migrations.AddConstraint(
            model_name='staffcredit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by', ''), ('state', 'waiting')), models.Q(models.Q(('state', 'waiting'), _negated=True), ('decided_at__isnull', False), models.Q(('decided_by', ''), _negated=True)), _connector='OR'), name='staff_credit_decided'),
        ),
    ]
