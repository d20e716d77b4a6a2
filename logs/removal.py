"""The run that ends every class of record when its row of the table says so, and its report.

One way in for the task, the recorder, the command and staff: at most one run at a time, in small
steps, each class for itself: what fails in one does not keep the others.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.expiry import Expiry
from accounts.timeids import moment
from logs import holds, retention, retention_rules
from logs.models import RequestLog, RetentionRun, SecurityEntry
from logs.retention_rules import Record

logger = logging.getLogger(__name__)

EVERY = dt.timedelta(hours=1)
# An unfinished run goes on after this.
AGAIN = dt.timedelta(minutes=1)
# A run that has not ended by then was killed.
DEAD_AFTER = dt.timedelta(hours=1)
# Steps of one run and class: two million rows, or that many days of partitions.
STEPS_MAX = 400
# A clock that is further ahead of the latest run than this is not believed for so long.
JUMP = dt.timedelta(days=7)
BELIEVED_AFTER = dt.timedelta(days=3)
# SQLite gives pages back in steps of this many, each a short write of its own.
VACUUM_PAGES, VACUUM_STEPS = 500, 200
INCREMENTAL = 2  # SQLite's number of that mode
HELD_REQUESTS = "held_requests"


class Busy(Exception):
    """Another run is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One class, or one of its tables. A step returns how many rows went, and how many are held."""

    record: str
    due: Callable[[], int]
    kept: Callable[[], int]
    step: Callable[[], tuple[int, int]]


@dataclass(slots=True, kw_only=True)
class _Tally:
    removed: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    is_complete: bool = True

    def add(self, record: str, gone: int, kept: int) -> None:
        for told, rows in ((self.removed, gone), (self.held, kept)):
            if rows:
                told[record] = told.get(record, 0) + rows


def expiries() -> list[Expiry]:
    """Return what all apps declare, in the order of the apps."""
    found: list[Expiry] = []
    for config in apps.get_app_configs():
        if name := getattr(config, "expiries", ""):
            found.extend(import_module(name).EXPIRIES)
    return found


# logs.debug.sweep, logs.archive.aging and accounts.exports.sweep look each minute or oftener.
ENDED_APART = (Record.DEBUG_CAPTURES, Record.ARCHIVE, Record.EXPORT_FILES)


def ended_records() -> frozenset[str]:
    """Return the classes that end by their days: by a run, or by tasks of their own."""
    ours = (Record.REQUEST_LOG, Record.SECURITY_LOG, *ENDED_APART)
    return frozenset({*ours, *(one.record for one in expiries())})


def preview(*, now: dt.datetime) -> dict[str, tuple[int, int]]:
    """Return what a run would end now, by class: rows that would go, and rows that holds keep."""
    held = holds.held_accounts(now=now)
    found: dict[str, tuple[int, int]] = {}
    for part in _parts(now=now, held=held):
        gone, kept = found.get(part.record, (0, 0))
        found[part.record] = (gone + part.due(), kept + part.kept())
    return found


def run_due(
    *, now: dt.datetime, actor: str, every: dt.timedelta = EVERY, steps_max: int = STEPS_MAX
) -> RetentionRun | None:
    """Run when it is time: `every` after the latest run, AGAIN after one that was not complete.

    None when it is not, or when another one runs. Raises: DatabaseError.
    """
    latest = RetentionRun.objects.order_by("-started_at").first()
    if latest is not None:
        wait = every if latest.is_complete or latest.is_held_back else AGAIN
        if dt.timedelta() <= now - latest.started_at < wait:
            return None
    try:
        return run(now=now, actor=actor, steps_max=steps_max)
    except Busy:
        return None


def run(
    *, now: dt.datetime, actor: str, is_forced: bool = False, steps_max: int = STEPS_MAX
) -> RetentionRun:
    """End what is over, and write the report. `is_forced`: believe the clock whatever it says.

    Raises: Busy; DatabaseError when the report itself cannot be written.
    """
    is_jump = not is_forced and _is_jump(now)
    report = _begin(now=now, actor=actor)
    tally = _Tally()
    if is_jump:
        logger.error("retention held back: the clock jumped")
    else:
        held = holds.held_accounts(now=now)
        for part in _parts(now=now, held=held):
            _end(part, tally, steps_max=steps_max)
        if tally.removed:
            _give_back_space(tally)
    _write(report, tally, is_held_back=is_jump)
    return report


def _begin(*, now: dt.datetime, actor: str) -> RetentionRun:
    killed = RetentionRun.objects.filter(running=1).exclude(
        started_at__gt=now - DEAD_AFTER, started_at__lte=now + DEAD_AFTER
    )
    killed.update(running=None, errors={"run": "killed"})
    try:
        with transaction.atomic():
            return RetentionRun.objects.create(started_at=now, actor=actor)
    except IntegrityError as error:
        raise Busy from error


def _write(report: RetentionRun, tally: _Tally, *, is_held_back: bool) -> None:
    report.removed, report.held, report.errors = tally.removed, tally.held, tally.errors
    report.is_complete = tally.is_complete and not is_held_back
    report.is_held_back = is_held_back
    report.ended_at = dt.datetime.now(dt.UTC)
    report.running = None
    report.save()


def _is_jump(now: dt.datetime) -> bool:
    """Tell whether the clock is too far ahead of the latest run to be believed.

    Rows are no witnesses: whoever has a wrong clock writes them with it. Only before the first
    run the newest row has to do. A clock that stays ahead for BELIEVED_AFTER is right after all:
    the installation was switched off.
    """
    runs = RetentionRun.objects.order_by("-started_at")
    known = runs.filter(is_held_back=False, started_at__lte=now).first()
    if known is not None:
        witness = known.started_at
    else:
        newest = RequestLog.objects.order_by("-request_id").values_list("request_id", flat=True)
        first = newest.first()
        witness = moment(first) if first else now
    if now - witness <= JUMP:
        return False
    doubted = runs.filter(is_held_back=True, started_at__gt=witness, started_at__lte=now).last()
    return doubted is None or now - doubted.started_at < BELIEVED_AFTER


def _end(part: _Part, tally: _Tally, *, steps_max: int) -> None:
    try:
        for _ in range(steps_max):
            gone, kept = part.step()
            if gone < 0:
                return
            tally.add(part.record, gone, kept)
    except DatabaseError as error:
        tally.errors[part.record] = type(error).__name__
        logger.warning("records not ended", extra={"error": type(error).__name__})
        connection.close()
    tally.is_complete = False


def _parts(*, now: dt.datetime, held: frozenset[int]) -> Iterator[_Part]:
    today = now.astimezone(dt.UTC).date()
    yield _requests(retention_rules.first_kept(Record.REQUEST_LOG, today=today), held)
    yield _security(retention_rules.first_kept(Record.SECURITY_LOG, today=today), held)
    yield _Part(
        record=HELD_REQUESTS,
        due=lambda: holds.over(held=held).count(),
        kept=lambda: 0,
        step=lambda: (holds.release(held=held) or -1, 0),
    )
    for one in expiries():
        yield _declared(one, retention_rules.ends_before(one.record, now=now), held)


def _requests(first_kept: dt.date, held: frozenset[int]) -> _Part:
    def step() -> tuple[int, int]:
        is_whole = retention.partitions_due(RequestLog._meta.db_table, before=first_kept)
        gone, kept = retention.forget_requests(first_kept, held=held)
        return (gone if gone or is_whole else -1), kept

    return _Part(
        record=Record.REQUEST_LOG,
        due=lambda: retention.requests_due(first_kept),
        kept=lambda: retention.requests_held(first_kept, held=held),
        step=step,
    )


def _security(first_kept: dt.date, held: frozenset[int]) -> _Part:
    def step() -> tuple[int, int]:
        is_whole = retention.partitions_due(SecurityEntry._meta.db_table, before=first_kept)
        gone = retention.forget_security(first_kept, held=held)
        return (gone if gone or is_whole else -1), 0

    return _Part(
        record=Record.SECURITY_LOG,
        due=lambda: retention.security_due(first_kept, held=held),
        kept=lambda: retention.security_held(first_kept, held=held),
        step=step,
    )


def _declared(expiry: Expiry, before: dt.datetime, held: frozenset[int]) -> _Part:
    return _Part(
        record=expiry.record,
        due=lambda: expiry.due(before, held=held).count(),
        kept=lambda: expiry.kept(before, held=held),
        step=lambda: (expiry.step(before, held=held) or -1, 0),
    )


def _give_back_space(tally: _Tally) -> None:
    """Let SQLite forget on disk, too: deleted rows are zeros by now, their pages go back.

    The write-ahead log still holds older pages until it is emptied. Writers wait for one short
    step at a time. A file from before auto_vacuum was set keeps its pages, zeroed, for new rows.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return
    try:
        with connection.cursor() as cursor:
            _vacuum(cursor)
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.fetchall()
    except DatabaseError as error:  # busy: the next run comes
        tally.errors["space"] = type(error).__name__


def _vacuum(cursor: Any) -> None:
    for _ in range(VACUUM_STEPS):
        cursor.execute("SELECT * FROM pragma_auto_vacuum, pragma_freelist_count")
        mode, free = cursor.fetchone()
        if not free or mode != INCREMENTAL:
            break
        # The driver's execute() would step once, which gives one page back.
        connection.connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
