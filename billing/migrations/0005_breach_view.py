"""The invariants of money as one view: every row is a breach (docs/adr/0005)."""

from django.db import migrations

LIVE = "state IN ('active', 'draining')"
DONE = "state IN ('closed', 'reclaimed')"
# Charges are dropped after 30 days: older leases keep their sum alone.
RECENT = {
    "postgresql": "created_at > now() - interval '25 days'",
    "sqlite": "julianday(created_at) > julianday('now', '-25 days')",
}

# rule, subject, expected, found
VIEW = """
CREATE VIEW billing_breach AS
SELECT 'I1' AS rule, 'transaction ' || CAST(e.transaction_id AS varchar(36)) || ' ' || a.currency AS subject,
    0 AS expected, CAST(SUM(e.amount_nusd) AS bigint) AS found
FROM billing_ledgerentry e JOIN billing_ledgeraccount a ON a.id = e.account_id
GROUP BY e.transaction_id, a.currency HAVING SUM(e.amount_nusd) <> 0
UNION ALL
SELECT 'I1', 'transaction ' || CAST(id AS varchar(36)) || ' sealed', 1, 0
FROM billing_ledgertransaction WHERE NOT sealed
UNION ALL
SELECT 'I2', 'wallet ' || CAST(account_id AS varchar(20)) || ' available', 0,
    credit_nusd - debit_nusd - leased_nusd - reserved_nusd
FROM billing_wallet WHERE credit_nusd - debit_nusd - leased_nusd - reserved_nusd < 0
UNION ALL
SELECT 'I3', 'wallet ' || CAST(w.account_id AS varchar(20)) || ' leased',
    CAST(COALESCE(l.amount, 0) AS bigint), w.leased_nusd
FROM billing_wallet w LEFT JOIN (
    SELECT wallet_id, SUM(amount_nusd) AS amount FROM billing_lease WHERE {LIVE} GROUP BY wallet_id
) l ON l.wallet_id = w.account_id WHERE w.leased_nusd <> COALESCE(l.amount, 0)
UNION ALL
SELECT 'I3', 'budget ' || CAST(b.id AS varchar(20)) || ' leased',
    CAST(COALESCE(l.amount, 0) AS bigint), b.leased_nusd
FROM billing_budget b LEFT JOIN (
    SELECT lb.budget_id, SUM(amount_nusd) AS amount
    FROM billing_lease JOIN billing_leasebudget lb ON lb.lease_id = billing_lease.id
    WHERE {LIVE} GROUP BY lb.budget_id
) l ON l.budget_id = b.id WHERE b.leased_nusd <> COALESCE(l.amount, 0)
UNION ALL
SELECT 'I4', 'lease ' || CAST(l.id AS varchar(20)) || ' held and spent', l.amount_nusd, CAST(c.used AS bigint)
FROM (SELECT * FROM billing_lease WHERE {LIVE}) l JOIN (
    SELECT lease_id, SUM(COALESCE(cost_nusd, hold_nusd)) AS used FROM billing_charge GROUP BY lease_id
) c ON c.lease_id = l.id WHERE c.used > l.amount_nusd
UNION ALL
SELECT 'I4', 'lease ' || CAST(l.id AS varchar(20)) || ' spent', CAST(COALESCE(c.cost, 0) AS bigint), l.spent_nusd
FROM (SELECT * FROM billing_lease WHERE {DONE} AND {RECENT}) l LEFT JOIN (
    SELECT lease_id, SUM(cost_nusd) AS cost FROM billing_charge GROUP BY lease_id
) c ON c.lease_id = l.id WHERE COALESCE(c.cost, 0) <> l.spent_nusd
UNION ALL
SELECT 'I5', 'wallet ' || CAST(w.account_id AS varchar(20)) || ' balance',
    CAST(COALESCE(s.amount, 0) AS bigint), w.credit_nusd - w.debit_nusd
FROM billing_wallet w LEFT JOIN (
    SELECT a.owner_id, SUM(e.amount_nusd) AS amount
    FROM billing_ledgerentry e JOIN billing_ledgeraccount a ON a.id = e.account_id
    WHERE a.kind = 'wallet' AND a.currency = 'USD' GROUP BY a.owner_id
) s ON s.owner_id = w.account_id WHERE COALESCE(s.amount, 0) <> w.credit_nusd - w.debit_nusd
UNION ALL
SELECT 'I7', 'charge ' || CAST(c.request_id AS varchar(36)) || ' open', 0, 1
FROM billing_charge c LEFT JOIN billing_lease l ON l.id = c.lease_id
WHERE c.state = 'open' AND (l.id IS NULL OR l.state IN ('closed', 'reclaimed'))
UNION ALL
SELECT 'I8', 'posting ' || kind || ' ' || ref, 1, COUNT(*)
FROM billing_ledgertransaction GROUP BY kind, ref HAVING COUNT(*) > 1
UNION ALL
SELECT 'I10', 'lease ' || CAST(l.id AS varchar(20)) || ' revenue', l.spent_nusd,
    CAST(COALESCE(r.amount, 0) AS bigint)
FROM (SELECT * FROM billing_lease WHERE {DONE}) l LEFT JOIN (
    SELECT t.ref, SUM(e.amount_nusd) AS amount
    FROM billing_ledgertransaction t JOIN billing_ledgerentry e ON e.transaction_id = t.id
    JOIN billing_ledgeraccount a ON a.id = e.account_id
    WHERE t.kind = 'lease' AND a.kind = 'revenue' GROUP BY t.ref
) r ON r.ref = CAST(l.id AS varchar(20)) WHERE COALESCE(r.amount, 0) <> l.spent_nusd
UNION ALL
SELECT 'I10', 'revenue', s.spent, s.revenue
FROM (
    SELECT CAST(COALESCE((SELECT SUM(spent_nusd) FROM billing_lease), 0) AS bigint) AS spent,
    CAST(COALESCE((
        SELECT SUM(e.amount_nusd) FROM billing_ledgerentry e
        JOIN billing_ledgeraccount a ON a.id = e.account_id
        JOIN billing_ledgertransaction t ON t.id = e.transaction_id
        WHERE a.kind = 'revenue' AND t.kind NOT IN ('correction', 'goodwill')
    ), 0) AS bigint) AS revenue
) s WHERE s.spent <> s.revenue
"""


def create(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor in RECENT:
        sql = VIEW.format(LIVE=LIVE, DONE=DONE, RECENT=RECENT[vendor])
        schema_editor.execute(sql, None)


def delete(apps, schema_editor):
    if schema_editor.connection.vendor in RECENT:
        schema_editor.execute("DROP VIEW billing_breach", None)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_fillfactor'),
    ]

    operations = [migrations.RunPython(create, delete)]
