"""The wallet's own sum of what requests cost, past hours filled in, and the invariant I11.

Leases whose charges are kept give their hours exactly. What the ledger took for leases whose
charges are gone goes to the hour of their closing, with no key and no endpoint (docs/adr/0022).
Gateways of older code must be stopped: they would close leases without their hours.
"""

import importlib

from django.db import migrations, models

from accounts.hours import hour_sql

before = importlib.import_module("billing.migrations.0005_breach_view")

HOUR_OF_TIME = {
    "postgresql": "date_trunc('hour', t.created_at, 'UTC')",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:00:00', t.created_at)",
}
BILLED = """
(c.state IN ('settled', 'estimated') OR c.cost_nusd > 0)
AND NOT (COALESCE(c.reason, '') = 'goodwill' AND c.corrected)
"""
INSERT = """
INSERT INTO billing_spendhour (wallet_id, hour, api_key_id, endpoint, requests, cost_nusd)
"""
CHARGES = """
SELECT c.wallet_id, {HOUR}, COALESCE(c.api_key_id, 0), COALESCE(c.endpoint, ''), COUNT(*),
    SUM(c.cost_nusd)
FROM billing_charge c JOIN billing_lease l ON l.id = c.lease_id
WHERE l.state IN ('closed', 'reclaimed') AND {BILLED} GROUP BY 1, 2, 3, 4
"""
DIFFERENCES = """
SELECT a.owner_id, {HOUR}, 0, '', 0, SUM(-e.amount_nusd - COALESCE(k.cost, 0))
FROM billing_ledgertransaction t
JOIN billing_ledgerentry e ON e.transaction_id = t.id
JOIN billing_ledgeraccount a ON a.id = e.account_id
LEFT JOIN (
    SELECT c.lease_id, SUM(c.cost_nusd) AS cost FROM billing_charge c WHERE {BILLED}
    GROUP BY c.lease_id
) k ON CAST(k.lease_id AS varchar(20)) = t.ref
WHERE t.kind = 'lease' AND a.kind = 'wallet' AND a.currency = 'USD'
GROUP BY 1, 2 HAVING SUM(-e.amount_nusd - COALESCE(k.cost, 0)) <> 0
ON CONFLICT (wallet_id, hour, api_key_id, endpoint) DO UPDATE SET
cost_nusd = billing_spendhour.cost_nusd + EXCLUDED.cost_nusd
"""
SPENT = """
UPDATE billing_wallet SET spent_nusd = COALESCE((
    SELECT -SUM(e.amount_nusd) FROM billing_ledgerentry e
    JOIN billing_ledgeraccount a ON a.id = e.account_id
    JOIN billing_ledgertransaction t ON t.id = e.transaction_id
    WHERE t.kind = 'lease' AND a.kind = 'wallet' AND a.currency = 'USD'
    AND a.owner_id = billing_wallet.account_id
), 0)
"""
I11 = """
UNION ALL
SELECT 'I11', 'wallet ' || CAST(w.account_id AS varchar(20)) || ' spent',
    CAST(COALESCE(s.amount, 0) AS bigint), w.spent_nusd
FROM billing_wallet w LEFT JOIN (
    SELECT a.owner_id, -SUM(e.amount_nusd) AS amount
    FROM billing_ledgerentry e JOIN billing_ledgeraccount a ON a.id = e.account_id
    JOIN billing_ledgertransaction t ON t.id = e.transaction_id
    WHERE t.kind = 'lease' AND a.kind = 'wallet' AND a.currency = 'USD' GROUP BY a.owner_id
) s ON s.owner_id = w.account_id WHERE COALESCE(s.amount, 0) <> w.spent_nusd
UNION ALL
SELECT 'I11', 'wallet ' || CAST(w.account_id AS varchar(20)) || ' hours', w.spent_nusd,
    CAST(COALESCE(h.cost, 0) AS bigint)
FROM billing_wallet w LEFT JOIN (
    SELECT wallet_id, SUM(cost_nusd) AS cost FROM billing_spendhour GROUP BY wallet_id
) h ON h.wallet_id = w.account_id WHERE COALESCE(h.cost, 0) <> w.spent_nusd
"""


def fill(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor not in HOUR_OF_TIME:
        return
    with schema_editor.connection.cursor() as cursor:
        hour = hour_sql(vendor, "c.request_id")
        cursor.execute(INSERT + CHARGES.format(HOUR=hour, BILLED=BILLED), [])
        cursor.execute(INSERT + DIFFERENCES.format(HOUR=HOUR_OF_TIME[vendor], BILLED=BILLED), [])
        cursor.execute(SPENT)


def empty(apps, schema_editor):
    apps.get_model("billing", "SpendHour").objects.all().delete()


def drop_view(apps, schema_editor):
    if schema_editor.connection.vendor in before.RECENT:
        schema_editor.execute("DROP VIEW billing_breach", None)


def create_view(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor in before.RECENT:
        words = {"LIVE": before.LIVE, "DONE": before.DONE, "RECENT": before.RECENT[vendor]}
        schema_editor.execute(before.VIEW.format(**words) + I11, None)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_spend_and_trials'),
    ]

    operations = [
        # SQLite makes the table anew, which a view on it would forbid.
        migrations.RunPython(drop_view, before.create),
        migrations.AddField(
            model_name="wallet",
            name="spent_nusd",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunPython(fill, empty),
        migrations.RunPython(create_view, drop_view),
    ]
