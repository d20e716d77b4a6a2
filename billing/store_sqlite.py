"""What the batcher says to SQLite: the same group commits under the one write lock."""

import contextlib
import sqlite3
from collections.abc import Sequence
from uuid import UUID

from django.db import connections

from billing.batch import Batch, Item, Outcome

TIMEOUT_S = 2.0

FOR_UPDATE = FOR_SHARE = ""  # BEGIN IMMEDIATE has locked the whole database
EXPIRED = "julianday(expires_at) <= julianday('now')"
UNEXPIRED = "julianday(expires_at) > julianday('now')"
EXPIRES_IN_S = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %s || ' seconds')"

# The fence: nobody else writes between this INSERT and our commit, so one condition is enough.
INTENT = f"""
INSERT INTO billing_charge (request_id, lease_id, wallet_id, api_key_id, hold_nusd,
    checkpoint_nusd, state, corrected)
SELECT ?1, l.id, ?3, ?4, ?5, 0, 'open', 0 FROM billing_lease l
WHERE l.id = ?2 AND l.state = 'active'
AND EXISTS (SELECT 1 FROM billing_worker WHERE boot = l.worker AND {UNEXPIRED})
ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
SETTLE = """
UPDATE billing_charge SET cost_nusd = MIN(?2, hold_nusd), vendor_cost_nusd = ?3, endpoint = ?4,
    rate_card = ?5, usage = ?6, state = ?7, reason = ?8
WHERE request_id = ?1 AND state = 'open'
"""
ATTEMPT = """
INSERT INTO billing_attempt (request_id, n, endpoint, outcome, vendor_cost_nusd)
VALUES (?, ?, ?, ?, ?) ON CONFLICT (request_id, n) DO NOTHING
"""
EXTENSION = """
UPDATE billing_charge SET hold_nusd = MAX(hold_nusd, ?2) WHERE request_id = ?1 AND state = 'open'
"""
CHECKPOINT = """
UPDATE billing_charge SET checkpoint_nusd = MAX(checkpoint_nusd, MIN(?2, hold_nusd))
WHERE request_id = ?1 AND state = 'open'
"""
# On the same lease: a request that was admitted again has its intent on another one.
IS_OPEN = """
SELECT 1 FROM billing_charge WHERE request_id = ?1 AND lease_id = ?2 AND state = 'open'
"""
IS_OURS = """
SELECT 1 FROM billing_charge
WHERE request_id = ?1 AND ?2 IS NOT NULL AND state <> 'open' AND reason IS NOT 'crash'
"""


AWAY = frozenset({
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
})  # fmt: skip
PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Store:
    """The batcher's own connection."""

    # A number that the client library cannot pass on is refused like one that the table refuses.
    errors: tuple[type[Exception], ...] = (sqlite3.Error, OverflowError, ValueError, TypeError)

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    def is_away(self, error: Exception) -> bool:
        """Tell whether the file cannot be read or written at all."""
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in AWAY

    def is_passing(self, error: Exception) -> bool:
        """Tell whether the same may succeed a moment later."""
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in PASSING

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def commit(self, batch: Batch, *, is_replay: bool) -> Outcome:
        """Write a batch in one transaction; see store_postgresql.Store.commit.

        Raises: sqlite3.Error, with nothing of the batch written unless the commit was reached.
        """
        connection = self._connect()
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcome = _write(connection, batch, is_replay=is_replay)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return outcome

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            params = connections["default"].get_connection_params()
            opened = sqlite3.connect(
                params["database"],
                timeout=TIMEOUT_S,
                isolation_level=None,
                uri=bool(params.get("uri")),
                check_same_thread=False,
            )
            opened.execute("PRAGMA journal_mode=WAL")
            opened.execute("PRAGMA synchronous=FULL")
            opened.execute("PRAGMA secure_delete=ON")
            self._connection = opened
        return self._connection


def _write(connection: sqlite3.Connection, batch: Batch, *, is_replay: bool) -> Outcome:
    outcome = Outcome()
    execute = connection.execute
    outcome.settled.update(i.request_id for i in batch.settles if _settle(connection, i))
    for item in batch.extensions:
        if execute(EXTENSION, (item.request_id.hex, item.wanted_hold_nusd)).rowcount:
            outcome.extended.add(item.request_id)
    for item in batch.checkpoints:
        execute(CHECKPOINT, (item.request_id.hex, item.checkpoint_nusd))
    for item in batch.intents:
        key = item.request_id.hex
        values = (key, item.lease_id, item.wallet_id, item.api_key_id, item.hold_nusd)
        if execute(INTENT, values).rowcount:
            outcome.intended.add(item.request_id)
    if is_replay:
        _recognize(connection, batch.intents, outcome.intended, IS_OPEN)
        _recognize(connection, batch.settles, outcome.settled, IS_OURS)
    return outcome


def _settle(connection: sqlite3.Connection, item: Item) -> bool:
    end = item.settlement
    key = item.request_id.hex
    values = (key, end.cost_nusd, end.vendor_cost_nusd, end.endpoint, end.rate_card,
              end.usage_raw, end.state, end.reason)  # fmt: skip
    is_done = bool(connection.execute(SETTLE, values).rowcount)
    for a in end.attempts:
        connection.execute(ATTEMPT, (key, a.n, a.endpoint, a.outcome, a.vendor_cost_nusd))
    return is_done


def _recognize(
    connection: sqlite3.Connection, items: Sequence[Item], found: set[UUID], sql: str
) -> None:
    """Count what an earlier commit of the same rows wrote."""
    for item in items:
        key = item.request_id
        if key not in found and connection.execute(sql, (key.hex, item.lease_id)).fetchone():
            found.add(key)
