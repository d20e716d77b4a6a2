"""What pages and the API show of an account's money."""

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account's money, nUSD. available = credit - spent - in flight - reserved."""

    available_nusd: int
    # Held by requests that run.
    in_flight_nusd: int
    # All that was ever credited, corrections included.
    credit_nusd: int
    # All that was ever spent, requests of leases that are not closed yet included.
    spent_nusd: int


_BALANCE = """
SELECT w.credit_nusd, w.debit_nusd + COALESCE(SUM(c.cost_nusd), 0), w.reserved_nusd,
    COALESCE(SUM(CASE WHEN c.state = 'open' THEN c.hold_nusd END), 0)
FROM billing_wallet w
LEFT JOIN billing_lease l ON l.wallet_id = w.account_id AND l.state IN ('active', 'draining')
LEFT JOIN billing_charge c ON c.lease_id = l.id
WHERE w.account_id = %s
GROUP BY w.account_id, w.credit_nusd, w.debit_nusd, w.reserved_nusd
"""


def balance(account_id: int) -> Balance:
    """Return an account's balance, from one query over its wallet and live leases.

    Credit that workers hold idle is the account's and counts as available.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE, [account_id])
        row = cursor.fetchone()
    credit, spent, reserved, in_flight = map(int, row) if row else (0, 0, 0, 0)
    return Balance(
        available_nusd=credit - spent - reserved - in_flight,
        in_flight_nusd=in_flight,
        credit_nusd=credit,
        spent_nusd=spent,
    )
