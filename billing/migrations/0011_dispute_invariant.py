"""Two invariants of money that may have to go back.

I12: what is reserved in a wallet is what its open disputes hold. I13: what accounts owe is what
the ledger says is receivable.
"""

import importlib

from django.db import migrations

first = importlib.import_module("billing.migrations.0005_breach_view")
before = importlib.import_module("billing.migrations.0007_spend_invariant")

I12_I13 = """
UNION ALL
SELECT 'I12', 'wallet ' || CAST(w.account_id AS varchar(20)) || ' reserved',
    CAST(COALESCE(d.amount, 0) AS bigint), w.reserved_nusd
FROM billing_wallet w LEFT JOIN (
    SELECT o.account_id, SUM(d.reserved_nusd) AS amount
    FROM billing_dispute d JOIN billing_order o ON o.id = d.order_id
    WHERE d.state = 'open' GROUP BY o.account_id
) d ON d.account_id = w.account_id WHERE w.reserved_nusd <> COALESCE(d.amount, 0)
UNION ALL
SELECT 'I13', 'receivable', s.owed, s.receivable
FROM (
    SELECT CAST(COALESCE((SELECT SUM(owed_nusd) FROM billing_debt), 0) AS bigint) AS owed,
    CAST(COALESCE((
        SELECT -SUM(e.amount_nusd) FROM billing_ledgerentry e
        JOIN billing_ledgeraccount a ON a.id = e.account_id WHERE a.kind = 'receivable'
    ), 0) AS bigint) AS receivable
) s WHERE s.owed <> s.receivable
"""


def drop(apps, schema_editor):
    if schema_editor.connection.vendor in first.RECENT:
        schema_editor.execute("DROP VIEW billing_breach", None)


def create(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor in first.RECENT:
        words = {"LIVE": first.LIVE, "DONE": first.DONE, "RECENT": first.RECENT[vendor]}
        schema_editor.execute(first.VIEW.format(**words) + before.I11 + I12_I13, None)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0010_refunds'),
    ]

    operations = [
        migrations.RunPython(drop, before.create_view),
        migrations.RunPython(create, drop),
    ]
