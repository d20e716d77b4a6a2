"""What the batcher says to PostgreSQL: group commits in one round trip, fenced by row locks."""

import contextlib
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connections

from billing.batch import Batch, Item, Outcome

# Money waits for nothing long; a transaction left open by a stopped process must not hold locks.
OPTIONS = (
    "-c synchronous_commit=on -c lock_timeout=500ms -c statement_timeout=2s"
    " -c idle_in_transaction_session_timeout=1s"
    # A killed worker's statement that waits for a lock must not commit after its death.
    " -c client_connection_check_interval=100ms"
)
# Seconds; every keyword below bounds how long a dead network can hold the thread.
CONNECT_TIMEOUT_S = 2

FOR_UPDATE = " FOR UPDATE"
FOR_SHARE = " FOR SHARE"
EXPIRED = "expires_at <= clock_timestamp()"
EXPIRES_IN_S = "clock_timestamp() + make_interval(secs => %s)"
UNEXPIRED = "expires_at > clock_timestamp()"

# The fence. Whoever closes or reclaims a lease takes FOR UPDATE on it in an earlier statement
# than the one that reads its charges; so after this either the lease stays active until our
# commit, or we see that it does not. (FOR KEY SHARE would not conflict with that.)
FENCE = """
SELECT id FROM billing_lease WHERE id = ANY(%s::bigint[]) AND state = 'active'
ORDER BY id FOR SHARE
"""
# A row only where the lease is active and the worker alive; the lock above keeps it so.
INTENTS = f"""
INSERT INTO billing_charge (request_id, lease_id, wallet_id, api_key_id, hold_nusd,
    checkpoint_nusd, state, corrected)
SELECT u.request_id, u.lease_id, u.wallet_id, u.api_key_id, u.hold, 0, 'open', false
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS u (request_id, lease_id, wallet_id, api_key_id, hold)
JOIN billing_lease l ON l.id = u.lease_id AND l.state = 'active'
WHERE EXISTS (SELECT 1 FROM billing_worker WHERE boot = l.worker AND {UNEXPIRED})
ON CONFLICT DO NOTHING RETURNING request_id
"""  # noqa: S608 - constants
SETTLES = """
UPDATE billing_charge c SET cost_nusd = LEAST(u.cost, c.hold_nusd),
    vendor_cost_nusd = u.vendor_cost, endpoint = u.endpoint, rate_card = u.rate_card,
    usage = u.usage, state = u.state, reason = u.reason
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::text[],
    %s::text[], %s::text[])
    AS u (request_id, cost, vendor_cost, endpoint, rate_card, usage, state, reason)
WHERE c.request_id = u.request_id AND c.state = 'open' RETURNING c.request_id
"""
EXTENSIONS = """
UPDATE billing_charge c SET hold_nusd = GREATEST(c.hold_nusd, u.hold)
FROM unnest(%s::uuid[], %s::bigint[]) AS u (request_id, hold)
WHERE c.request_id = u.request_id AND c.state = 'open' RETURNING c.request_id
"""
CHECKPOINTS = """
UPDATE billing_charge c
SET checkpoint_nusd = GREATEST(c.checkpoint_nusd, LEAST(u.cost, c.hold_nusd))
FROM unnest(%s::uuid[], %s::bigint[]) AS u (request_id, cost)
WHERE c.request_id = u.request_id AND c.state = 'open'
"""
ATTEMPTS = """
INSERT INTO billing_attempt (request_id, n, endpoint, outcome, vendor_cost_nusd)
SELECT * FROM unnest(%s::uuid[], %s::smallint[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (request_id, n) DO NOTHING
"""
# On the same lease: a request that was admitted again has its intent on another one.
IS_OPEN = """
SELECT c.request_id FROM billing_charge c
JOIN unnest(%s::uuid[], %s::bigint[]) AS u (request_id, lease_id)
    ON u.request_id = c.request_id AND u.lease_id = c.lease_id
WHERE c.state = 'open'
"""
# Only the worker itself and a sweeper end a charge, and a sweeper says so.
IS_OURS = """
SELECT request_id FROM billing_charge
WHERE request_id = ANY(%s::uuid[]) AND state <> 'open' AND reason IS DISTINCT FROM 'crash'
"""

# SQLSTATE classes: connection, resources, system; shutdown, idle in transaction, read-only.
AWAY_CLASSES = frozenset({"08", "53", "58", "XX"})
AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25006"})
# Serialization, deadlock, lock timeout, statement timeout.
PASSING = frozenset({"40001", "40P01", "55P03", "57014"})

Queries = list[tuple[str, Sequence[Any]]]


def _array(values: list[Any]) -> str:
    """Write ids or numbers as PostgreSQL's array literal: faster than adapting each of them."""
    return "{" + ",".join(["NULL" if v is None else str(v) for v in values]) + "}"


def _texts(values: list[str | None]) -> str:
    """Write texts as PostgreSQL's array literal."""
    return "{" + ",".join(["NULL" if v is None else _quoted(v) for v in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Store:
    """The batcher's own connection; not Django's, so that a batch is one round trip."""

    # A number that the client library cannot pass on is refused like one that the table refuses.
    errors: tuple[type[Exception], ...] = (psycopg.Error, OverflowError, ValueError, TypeError)

    def __init__(self) -> None:
        self._connection: psycopg.Connection | None = None

    def is_away(self, error: Exception) -> bool:
        """Tell whether the server is unreachable, or cannot write at all."""
        state = getattr(error, "sqlstate", None)
        if not isinstance(state, str):
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return state[:2] in AWAY_CLASSES or state in AWAY

    def is_passing(self, error: Exception) -> bool:
        """Tell whether the same may succeed a moment later."""
        return getattr(error, "sqlstate", None) in PASSING

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def commit(self, batch: Batch, *, is_replay: bool) -> Outcome:
        """Write a batch in one transaction.

        A replay follows a commit whose result is unknown: rows that stand already count as done.
        Raises: psycopg.Error, with nothing of the batch written unless the commit was reached.
        """
        connection = self._connect()
        try:
            outcome = _commit(connection, batch)
            if is_replay:
                _recognize(connection, batch, outcome)
        except psycopg.Error:
            if connection.broken or connection.closed:
                self.close()
            raise
        return outcome

    def _connect(self) -> psycopg.Connection:
        if self._connection is None:
            params = connections["default"].get_connection_params()
            for key in ("cursor_factory", "context"):
                params.pop(key, None)
            params.update(
                options=OPTIONS, connect_timeout=CONNECT_TIMEOUT_S, prepare_threshold=0,
                keepalives_idle=5, keepalives_interval=2, keepalives_count=3,
                tcp_user_timeout=5_000,
            )  # fmt: skip
            self._connection = psycopg.connect(**params, autocommit=True)
        return self._connection


def _queries(batch: Batch) -> Queries:
    """Return the statements of a batch; leases are locked before charges, as everywhere."""
    queries: Queries = []
    if batch.intents:
        queries.append((FENCE, [_array(sorted({i.lease_id for i in batch.intents}))]))
    if batch.settles:
        queries.append((SETTLES, _settle_values(batch.settles)))
        if rows := [(i.request_id, a) for i in batch.settles for a in i.settlement.attempts]:
            queries.append((ATTEMPTS, [
                _array([r for r, _ in rows]), _array([a.n for _, a in rows]),
                [a.endpoint for _, a in rows], [a.outcome for _, a in rows],
                _array([a.vendor_cost_nusd for _, a in rows]),
            ]))  # fmt: skip
    if batch.extensions:
        values = [_ids(batch.extensions), _array([i.wanted_hold_nusd for i in batch.extensions])]
        queries.append((EXTENSIONS, values))
    if batch.checkpoints:
        values = [_ids(batch.checkpoints), _array([i.checkpoint_nusd for i in batch.checkpoints])]
        queries.append((CHECKPOINTS, values))
    if batch.intents:
        queries.append((INTENTS, _intent_values(batch.intents)))
    return queries


def _ids(items: Sequence[Item]) -> str:
    return _array([i.request_id.hex for i in items])


def _intent_values(items: Sequence[Item]) -> list[Any]:
    return [
        _ids(items),
        _array([i.lease_id for i in items]),
        _array([i.wallet_id for i in items]),
        _array([i.api_key_id for i in items]),
        _array([i.hold_nusd for i in items]),
    ]


def _settle_values(items: Sequence[Item]) -> list[Any]:
    ends = [i.settlement for i in items]
    return [
        _ids(items),
        _array([s.cost_nusd for s in ends]),
        _array([s.vendor_cost_nusd for s in ends]),
        _texts([s.endpoint for s in ends]),
        _array([s.rate_card for s in ends]),
        _texts([s.usage_raw for s in ends]),
        _texts([s.state for s in ends]),
        _texts([s.reason for s in ends]),
    ]


def _commit(connection: psycopg.Connection, batch: Batch) -> Outcome:
    queries = _queries(batch)
    cursors = []
    try:
        with connection.pipeline():
            connection.execute("BEGIN")
            for sql, values in queries:
                cursors.append((sql, connection.execute(sql, values)))
            connection.execute("COMMIT")
    except psycopg.Error:
        if not (connection.broken or connection.closed):
            connection.rollback()
        raise
    outcome = Outcome()
    targets = {INTENTS: outcome.intended, SETTLES: outcome.settled, EXTENSIONS: outcome.extended}
    for sql, cursor in cursors:
        if (target := targets.get(sql)) is not None:
            target.update(row[0] for row in cursor.fetchall())
    return outcome


def _recognize(connection: psycopg.Connection, batch: Batch, outcome: Outcome) -> None:
    """Count what an earlier, unanswered commit of the same batch wrote."""
    intents = [i for i in batch.intents if i.request_id not in outcome.intended]
    if intents:
        values = [_ids(intents), _array([i.lease_id for i in intents])]
        outcome.intended.update(row[0] for row in connection.execute(IS_OPEN, values))
    settles = [i for i in batch.settles if i.request_id not in outcome.settled]
    if settles:
        outcome.settled.update(row[0] for row in connection.execute(IS_OURS, [_ids(settles)]))
