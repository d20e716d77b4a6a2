"""Feeding the archive: an hour at a time, oldest first, each replaced whole until it is right.

What is sent is what the log holds when it is read, so sending an hour again never doubles a row,
and an hour whose rows came late is sent again (ADR 33).
"""

import datetime as dt
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet, Sum

from logs import holds
from logs.archive import aging, holding, pseudonyms, rows, sinks, watermarks
from logs.archive.base import (
    REQUESTS,
    TOKENS,
    Away,
    Config,
    Packer,
    Refused,
    Sink,
    text,
)
from logs.models import ArchiveBatch, ArchiveFeed, ArchiveRejection, RequestLog
from logs.service_hours import HOUR

logger = logging.getLogger(__name__)

# The worker has other tasks: a long backlog goes in steps.
BUDGET_S = 10.0
SUMMED = (*TOKENS, "cost_nusd", "total_ms", "status")
State = ArchiveBatch.State

Values = dict[str, Any]
# What the archive did not take: values of the log's rows by request id.
Missing = dict[uuid.UUID, Values]


def run(*, now: dt.datetime, budget_s: float = BUDGET_S) -> int:
    """Send what is due, and let age what is old; return how many hours were looked at.

    Keys of days beyond the window are destroyed first, whether there is an archive or not, but
    for accounts under a legal hold. Raises: DatabaseError.
    """
    first_kept = watermarks.first_kept(now=now, days=settings.LOG_RETENTION_DAYS)
    with transaction.atomic():
        if pseudonyms.destroy_before(first_kept, held=holds.held_accounts(now=now)):
            ArchiveFeed.objects.update(release_asked_at=now)
    config = sinks.config()
    if not config.is_on:
        return 0
    feed = watermarks.feed_of(config.name)
    if feed.next_try_at and feed.next_try_at > now:
        return 0
    try:
        with watermarks.locked(feed, now=now):
            if missed := watermarks.forget(feed, first_kept=first_kept, now=now):
                logger.error("requests never reached the archive", extra={"rows": missed})
            watermarks.plan(feed, first_kept=first_kept, now=now)
            try:
                done = _work(config, feed, first_kept=first_kept, budget_s=budget_s, now=now)
            except (Away, Refused) as error:
                watermarks.away(feed, error.code, now=now)
                logger.warning("archive away", extra={"code": error.code})
                return 0
            watermarks.answered(feed, now=now)
            return done
    except watermarks.Busy:
        return 0


def _work(
    config: Config, feed: ArchiveFeed, *, first_kept: dt.date, budget_s: float, now: dt.datetime
) -> int:
    """Do with the archive what is to be done now. Raises: Away, Refused."""
    sink = sinks.connect(config)
    sink.prepare(kept_days=settings.LOG_RETENTION_DAYS)
    done = _send_due(sink, watermarks.due(feed, now=now), budget_s=budget_s, now=now)
    held = holds.held_accounts(now=now)
    aging.run(sink, feed, first_kept=first_kept, held=held, now=now)
    if feed.release_asked_at:
        holding.release(sink, held=held)
        watermarks.released(feed)
    holding.fill(sink, feed, held=held, now=now)
    return done


def _send_due(sink: Sink, batches: list[ArchiveBatch], *, budget_s: float, now: dt.datetime) -> int:
    end = time.monotonic() + budget_s
    for done, batch in enumerate(batches, start=1):
        try:
            _settle(sink, batch, now=now)
        except Refused as error:
            watermarks.refused(batch, error.code, now=now)
            logger.error("archive refused an hour", extra={"code": error.code})
        if time.monotonic() > end:
            return done
    return len(batches)


def _settle(sink: Sink, batch: ArchiveBatch, *, now: dt.datetime) -> None:
    """Send an hour, unless log and archive agree about it already."""
    logged = _logged(batch.hour)
    counted = logged.aggregate(rows=Count("request_id"), cost=Sum("cost_nusd"))
    is_known = (counted["rows"], counted["cost"] or 0) == (batch.rows, batch.cost_nusd)
    is_bare = not (counted["rows"] or batch.attempts)  # nothing is there, nor ever was
    if is_bare or (batch.state == State.SENT and is_known and _stands(sink, batch)):
        watermarks.sent(batch, now=now)
        return
    watermarks.begin(batch)
    _send(sink, batch, logged, now=now)
    watermarks.sent(batch, now=now)


def _logged(hour: dt.datetime) -> QuerySet[RequestLog]:
    first, end = watermarks.first_id(hour), watermarks.first_id(hour + HOUR)
    return RequestLog.objects.filter(request_id__gte=first, request_id__lt=end)


def _stands(sink: Sink, batch: ArchiveBatch) -> bool:
    return _held(sink, batch.hour)["rows"] == batch.rows - batch.rejected


def _held(sink: Sink, hour: dt.datetime) -> Counter[str]:
    """Return what the archive holds of an hour: rows and sums."""
    sums = ", ".join(f"SUM({name}) AS sum_{name}" for name in SUMMED)
    (row,) = sink.ask(
        f"SELECT COUNT(*) AS held, {sums} FROM {{requests}} WHERE hour = '{text(hour)}'"
    )
    return Counter(rows=row["held"], **{name: row[f"sum_{name}"] or 0 for name in SUMMED})


def _send(
    sink: Sink, batch: ArchiveBatch, logged: QuerySet[RequestLog], *, now: dt.datetime
) -> None:
    """Replace an hour, and read back what arrived. Raises: Away, Refused."""
    packer, sums = Packer(), Counter[str](dict.fromkeys(("rows", *SUMMED), 0))
    for _, row in _named(logged, batch.hour):
        packer.add(row)
        sums.update(rows=1, **{name: row[name] for name in SUMMED})
    batch.rows, batch.cost_nusd = sums["rows"], sums["cost_nusd"]
    packed = packer.done(may_lose=True)
    if packer.rows:
        sink.replace(table=REQUESTS, part=batch.hour, packed=packed, attempt=batch.attempts)
    else:
        sink.drop(table=REQUESTS, part=batch.hour)
    held = _held(sink, batch.hour)
    missing: Missing = {}
    if 0 < sums["rows"] - held["rows"] <= packed.rejected_max:
        missing = _missing(sink, batch.hour, logged)
        for row in missing.values():
            sums.subtract({"rows": 1, **{name: row[name] for name in SUMMED}})
    if sums != held:
        # Half of an hour is worse than none: it comes again.
        sink.drop(table=REQUESTS, part=batch.hour)
        raise Refused("sums_differ")
    _note(batch, missing, now=now)


def _named(logged: QuerySet[RequestLog], hour: dt.datetime) -> Iterator[tuple[Values, Values]]:
    names = pseudonyms.Day(hour.date())
    names.learn(logged.order_by().values_list("account_id", flat=True).distinct())
    return rows.named(rows.read(logged), names)


def _missing(sink: Sink, hour: dt.datetime, logged: QuerySet[RequestLog]) -> Missing:
    """Return the rows of an hour that the archive did not take."""
    asked = f"SELECT row_id FROM {{requests}} WHERE hour = '{text(hour)}'"
    taken = {row["row_id"] for row in sink.ask(asked)}
    lost = [row for row, sent in _named(logged, hour) if sent["row_id"] not in taken]
    return {row["request_id"]: row for row in lost}


def _note(batch: ArchiveBatch, missing: Missing, *, now: dt.datetime) -> None:
    batch.rejected = len(missing)
    batch.rejections.exclude(request_id__in=missing).delete()
    ArchiveRejection.objects.bulk_create(
        [
            ArchiveRejection(
                batch=batch, request_id=each, account_id=row["account_id"], found_at=now
            )
            for each, row in missing.items()
        ],
        ignore_conflicts=True,
    )
    if missing:
        logger.error("archive rejected rows", extra={"rows": len(missing)})
