"""How far an archive was fed: one row for each hour, and a lock for the one who feeds."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, Q, Sum
from django.db.models.functions import Coalesce

from accounts import metrics
from accounts.timeids import DAY, midnight, moment
from logs.archive import sinks
from logs.models import ArchiveBatch, ArchiveFeed, RequestLog
from logs.service_hours import HOUR, SETTLED_AFTER, hour_of

State = ArchiveBatch.State

# Longer than anything that its holder waits for; it ends by itself when the holder died.
LOCK = dt.timedelta(minutes=20)
RETRY_MIN = dt.timedelta(seconds=30)
AWAY_RETRY_MAX = dt.timedelta(minutes=15)
REFUSED_RETRY_MAX = dt.timedelta(hours=6)
# How old an hour is when it is compared with the log again: rows come late when the database,
# or a request, took long, and change when they are corrected.
CHECK_AGES = tuple(dt.timedelta(hours=hours) for hours in (3, 6, 24, 48, 96, 192, 384))
# The last time is so long before its day leaves the log.
LAST_CHECK = dt.timedelta(hours=2)
BATCHES_PER_RUN_MAX = 200


class Busy(Exception):
    """Another process feeds the archive, or erases in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What staff and metrics are told."""

    lag: dt.timedelta  # how long the oldest hour that is not there could have been there
    waiting: int
    refused: int
    rejected: int
    missed: int  # rows that the archive never got and never will


def feed_of(archive: str) -> ArchiveFeed:
    """Return the row of an archive; made at its first use."""
    return ArchiveFeed.objects.get_or_create(archive=archive)[0]


@contextmanager
def locked(feed: ArchiveFeed, *, now: dt.datetime) -> Iterator[None]:
    """Hold the archive: nobody else feeds it or erases in it. Raises: Busy."""
    holder = uuid.uuid4().hex
    ours = ArchiveFeed.objects.filter(pk=feed.pk)
    is_free = Q(locked_until__isnull=True) | Q(locked_until__lte=now)
    if not ours.filter(is_free).update(holder=holder, locked_until=now + LOCK):
        raise Busy
    try:
        feed.refresh_from_db()
        yield
    finally:
        ours.filter(holder=holder).update(holder="", locked_until=None)


def plan(feed: ArchiveFeed, *, first_kept: dt.date, now: dt.datetime) -> int:
    """Make the batches of hours that are over; return how many.

    An hour is over when its longest request must have ended. Caller holds the lock.
    """
    end = hour_of(now - SETTLED_AFTER)
    start = feed.fed_until or _first_hour(midnight(first_kept))
    if start is None:
        return 0
    start = max(start, midnight(first_kept))
    hours = [start + n * HOUR for n in range(max((end - start) // HOUR, 0))]
    feed.fed_until = max(start, end) if feed.fed_until is None else max(feed.fed_until, start, end)
    if feed.aged_until is None:
        feed.aged_until = feed.summed_until = feed.holds_unfilled_before = start.date()
    with transaction.atomic():
        ArchiveBatch.objects.bulk_create(
            [ArchiveBatch(feed=feed, hour=hour, due_at=now) for hour in hours],
            ignore_conflicts=True,
        )
        feed.save(
            update_fields=["fed_until", "aged_until", "summed_until", "holds_unfilled_before"]
        )
    return len(hours)


def _first_hour(since: dt.datetime) -> dt.datetime | None:
    rows = RequestLog.objects.filter(request_id__gte=first_id(since)).order_by("request_id")
    first = rows.values_list("request_id", flat=True).first()
    return hour_of(moment(first)) if first else None


def first_id(at: dt.datetime) -> uuid.UUID:
    """Return the smallest id of a time."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def due(feed: ArchiveFeed, *, now: dt.datetime) -> list[ArchiveBatch]:
    """Return the batches to send or to compare now, the oldest hour first."""
    rows = feed.batches.filter(due_at__lte=now).order_by("hour")
    return list(rows[:BATCHES_PER_RUN_MAX])


def begin(batch: ArchiveBatch) -> None:
    """Count a try before it is made: its number never comes again."""
    batch.state = State.SENDING
    batch.attempts += 1
    batch.save(update_fields=["state", "attempts"])


def sent(batch: ArchiveBatch, *, now: dt.datetime) -> None:
    """Note that the archive holds the batch as the log held it."""
    if batch.sent_at is None or batch.state != State.SENT:
        batch.sent_at = now
    batch.state, batch.error = State.SENT, ""
    times = _check_times(batch.hour)
    left = [at for at in times if at > now]
    batch.checks = len(times) - len(left) + 1
    batch.due_at = left[0] if left else None
    batch.save()


def _check_times(hour: dt.datetime) -> list[dt.datetime]:
    last = midnight(hour.date()) + (settings.LOG_RETENTION_DAYS + 1) * DAY - LAST_CHECK
    return [*(at for age in CHECK_AGES if (at := hour + HOUR + age) < last), last]


def refused(batch: ArchiveBatch, code: str, *, now: dt.datetime) -> None:
    """Note that the archive refused the batch; it is tried again, later each time."""
    batch.state, batch.error = State.REFUSED, code[:64]
    batch.due_at = now + _wait(batch.attempts, REFUSED_RETRY_MAX)
    batch.save()


def away(feed: ArchiveFeed, code: str, *, now: dt.datetime) -> None:
    """Note that the archive is away: everything waits, longer each time."""
    feed.failures += 1
    feed.away_since = feed.away_since or now
    feed.error = code[:64]
    feed.next_try_at = now + _wait(feed.failures, AWAY_RETRY_MAX)
    feed.save(update_fields=["failures", "away_since", "error", "next_try_at"])


def answered(feed: ArchiveFeed, *, now: dt.datetime) -> None:
    """Note that the archive did what it was asked."""
    feed.failures, feed.away_since, feed.error, feed.next_try_at = 0, None, "", None
    feed.worked_at = now
    feed.save(update_fields=["failures", "away_since", "error", "next_try_at", "worked_at"])


def _wait(tries: int, longest: dt.timedelta) -> dt.timedelta:
    doublings: int = min(max(tries - 1, 0), 20)
    return min(RETRY_MIN * (1 << doublings), longest)


def forget(feed: ArchiveFeed, *, first_kept: dt.date, now: dt.datetime) -> int:
    """Drop the batches of days that leave the log; return how many rows the archive never got.

    They are counted in the feed, too: rows of hours that never arrived, and those that came
    after the last time that their hour was compared.
    """
    old = feed.batches.filter(hour__lt=midnight(first_kept))
    missed = sum(_missed(batch) for batch in old)
    with transaction.atomic():
        old.delete()
        _miss(feed, missed, now=now)
    return missed


def _missed(batch: ArchiveBatch) -> int:
    is_there = batch.sent_at is not None and batch.state != State.REFUSED
    ours = RequestLog.objects.filter(
        request_id__gte=first_id(batch.hour), request_id__lt=first_id(batch.hour + HOUR)
    )
    # Where the log has let the day go already, what it held when it was read last.
    return max(ours.count(), batch.rows) - (batch.rows if is_there else 0)


def note_late(ids: Iterable[uuid.UUID], *, now: dt.datetime) -> int:
    """Count rows just written to the log whose hour no batch will send any more.

    In the transaction that writes them; returns how many. An hour whose batch still stands is
    compared again, or counted when its day leaves.
    """
    config = sinks.config()
    feed = ArchiveFeed.objects.filter(archive=config.name).first() if config.is_on else None
    if feed is None or feed.fed_until is None:
        return 0
    hours = Counter(hour_of(moment(each)) for each in ids)
    standing = set(feed.batches.filter(hour__in=list(hours)).values_list("hour", flat=True))
    missed = sum(
        rows for hour, rows in hours.items() if hour < feed.fed_until and hour not in standing
    )
    _miss(feed, missed, now=now)
    return missed


def _miss(feed: ArchiveFeed, rows: int, *, now: dt.datetime) -> None:
    if rows:
        mine = ArchiveFeed.objects.filter(pk=feed.pk)
        mine.update(missed_rows=F("missed_rows") + rows, missed_at=now)


def released(feed: ArchiveFeed) -> None:
    """Note that nothing of holds that are over is left, unless one has ended meanwhile."""
    mine = ArchiveFeed.objects.filter(pk=feed.pk, release_asked_at=feed.release_asked_at)
    mine.update(release_asked_at=None)


def health(feed: ArchiveFeed, *, now: dt.datetime) -> Health:
    """Say how far behind an archive is; three queries."""
    unsent = feed.batches.filter(sent_at__isnull=True)
    oldest = unsent.aggregate(hour=Min("hour"))["hour"]
    end = hour_of(now - SETTLED_AFTER)
    if oldest is None and feed.fed_until is not None and feed.fed_until < end:
        oldest = feed.fed_until
    since = oldest + HOUR + SETTLED_AFTER if oldest else now
    return Health(
        lag=max(now - since, dt.timedelta()),
        waiting=unsent.count(),
        refused=feed.batches.filter(state=State.REFUSED).count(),
        rejected=feed.batches.aggregate(rows=Coalesce(Sum("rejected"), 0))["rows"],
        missed=feed.missed_rows,
    )


def measure(archive: str, *, now: dt.datetime) -> None:
    """Set the archive's metrics, in whichever process is asked for them. Raises: DatabaseError."""
    feed = ArchiveFeed.objects.filter(archive=archive).first()
    if feed is None:
        return
    found = health(feed, now=now)
    metrics.ARCHIVE_LAG.set(found.lag.total_seconds())
    metrics.ARCHIVE_REFUSED.set(found.refused)
    metrics.ARCHIVE_REJECTED.set(found.rejected)
    metrics.ARCHIVE_MISSED.set(found.missed)


def first_kept(*, now: dt.datetime, days: int) -> dt.date:
    """Return the oldest day whose rows stand."""
    return now.astimezone(dt.UTC).date() - days * DAY
