from django.db import migrations, models
from django.db.models import F, Q

PEOPLE = (
    ('disclosure', 'created_by'),
    ('disclosure', 'first_approver'),
    ('disclosure', 'second_approver'),
    ('disclosureevent', 'actor'),
)


def mark(apps, schema_editor):
    """Call members of staff what outlives their accounts."""
    for model, field in PEOPLE:
        for row in apps.get_model('accounts', model).objects.exclude(**{f'{field}_user': None}):
            setattr(row, field, f"staff:{getattr(row, f'{field}_user_id')}")
            row.save(update_fields=[field])
    settle(schema_editor)


def unmark(apps, schema_editor):
    """Point at those who still have an account."""
    known = set(apps.get_model('accounts', 'User').objects.values_list('pk', flat=True))
    for model, field in PEOPLE:
        for row in apps.get_model('accounts', model).objects.exclude(**{field: ''}):
            number = int(getattr(row, field).removeprefix('staff:'))
            if number in known:
                setattr(row, f'{field}_user_id', number)
                row.save(update_fields=[f'{field}_user'])
    settle(schema_editor)


def settle(schema_editor):
    """Check foreign keys now: PostgreSQL alters no table that has checks of rows before it."""
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute('SET CONSTRAINTS ALL IMMEDIATE')


def renamed():
    for model, field in PEOPLE:
        yield migrations.RenameField(model, field, f'{field}_user')
        yield migrations.AlterField(
            model,
            f'{field}_user',
            models.ForeignKey(
                'accounts.user', models.PROTECT, null=True, blank=True, related_name='+'
            ),
        )
        yield migrations.AddField(
            model, field, models.CharField(max_length=40, blank=True, default=''),
            preserve_default=False,
        )


CONSTRAINTS = (
    models.CheckConstraint(
        name='disclosure_two_approvers',
        condition=Q(second_approver='')
        | (~Q(first_approver='') & ~Q(first_approver=F('second_approver'))),
    ),
    models.CheckConstraint(
        name='disclosure_not_by_its_author',
        condition=~Q(created_by='')
        & ~Q(first_approver=F('created_by'))
        & ~Q(second_approver=F('created_by')),
    ),
    models.CheckConstraint(
        name='disclosure_allowed_by_two',
        condition=Q(state__in=['open', 'refused']) | ~Q(second_approver=''),
    ),
)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0020_closures'),
    ]

    operations = [
        migrations.AddField('closure', 'cleared_at', models.DateTimeField(null=True, blank=True)),
        migrations.AddConstraint(
            'closure',
            models.CheckConstraint(
                name='closure_cleared_when_closed',
                condition=Q(cleared_at__isnull=True) | Q(state='closed'),
            ),
        ),
        *(migrations.RemoveConstraint('disclosure', one.name) for one in CONSTRAINTS),
        *renamed(),
        migrations.RunPython(mark, unmark),
        *(migrations.RemoveField(model, f'{field}_user') for model, field in PEOPLE),
        migrations.AlterField('disclosure', 'created_by', models.CharField(max_length=40)),
        *(migrations.AddConstraint('disclosure', one) for one in CONSTRAINTS),
    ]
