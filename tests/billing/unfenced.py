"""The control of the proofs: this worker's intents without their fence, which must break.

Import it before the gateway starts: `python -c "import tests.billing.unfenced; ..."`. It lives
here, and is never reachable by a setting.
"""

from billing import store_postgresql

FENCED = (store_postgresql.FENCE, store_postgresql.INTENTS)

UNFENCED_INTENTS = """
INSERT INTO billing_charge (request_id, lease_id, wallet_id, api_key_id, hold_nusd,
    checkpoint_nusd, state, corrected)
SELECT u.request_id, u.lease_id, u.wallet_id, u.api_key_id, u.hold, 0, 'open', false
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS u (request_id, lease_id, wallet_id, api_key_id, hold)
ON CONFLICT DO NOTHING RETURNING request_id
"""


def install() -> None:
    """Take the fence away: no lock, no look at the lease or at the worker."""
    store_postgresql.FENCE = "SELECT %s::bigint[]"
    store_postgresql.INTENTS = UNFENCED_INTENTS


def remove() -> None:
    """Put the fence back."""
    store_postgresql.FENCE, store_postgresql.INTENTS = FENCED
