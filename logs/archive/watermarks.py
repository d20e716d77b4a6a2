"""How far an archive was fed: one row for each hour, and a lock for the one who feeds."""

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Min, Q, Sum
from django.db.models.functions import Coalesce

from accounts import metrics
from accounts.timeids import DAY, midnight, moment
from logs.models import ArchiveBatch, ArchiveFeed, RequestLog
from logs.service_hours import HOUR, SETTLED_AFTER, hour_of

State = ArchiveBatch.State

# Longer than anything that its holder waits for; it ends by itself when the holder died.
LOCK = dt.timedelta(minutes=20)
RETRY_MIN = dt.timedelta(seconds=30)
AWAY_RETRY_MAX = dt.timedelta(minutes=15)
REFUSED_RETRY_MAX = dt.timedelta(hours=6)
# How old an hour is when it is compared with the log again: rows come late when the database,
# or a request, took long.
CHECK_AGES = tuple(dt.timedelta(hours=hours) for hours in (3, 6, 24, 48))
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
        feed.aged_until = feed.summed_until = start.date()
    with transaction.atomic():
        ArchiveBatch.objects.bulk_create(
            [ArchiveBatch(feed=feed, hour=hour, due_at=now) for hour in hours],
            ignore_conflicts=True,
        )
        feed.save(update_fields=["fed_until", "aged_until", "summed_until"])
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
    ages = [age for age in CHECK_AGES[batch.checks :] if batch.hour + HOUR + age > now]
    batch.checks = len(CHECK_AGES) - len(ages) + 1
    batch.due_at = batch.hour + HOUR + ages[0] if ages else None
    batch.save()


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


def forget(feed: ArchiveFeed, *, first_kept: dt.date) -> int:
    """Drop the batches of days whose rows are gone; return how many of them never arrived."""
    old = feed.batches.filter(hour__lt=midnight(first_kept))
    missed = old.filter(sent_at__isnull=True, rows__gt=0).count()
    old.delete()
    return missed


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


def first_kept(*, now: dt.datetime, days: int) -> dt.date:
    """Return the oldest day whose rows stand."""
    return now.astimezone(dt.UTC).date() - days * DAY
