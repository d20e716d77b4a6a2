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
from django.db.models import Count, QuerySet, Sum

from accounts.timeids import moment
from logs import latency
from logs.archive import aging, pseudonyms, sinks, watermarks
from logs.archive.base import (
    REQUESTS,
    TOKENS,
    Away,
    Packer,
    Refused,
    Sink,
    text,
)
from logs.models import ArchiveBatch, ArchiveRejection, RequestLog
from logs.service_hours import HOUR

logger = logging.getLogger(__name__)

# The worker has other tasks: a long backlog goes in steps.
BUDGET_S = 10.0
ROWS_PER_READ = 2_000
SUMMED = (*TOKENS, "cost_nusd", "total_ms", "status")
_READ = (
    "request_id", "account_id", "surface", "model", "vendor", "endpoint", "channel", "jurisdiction",
    "finish_reason", "error_code", "is_stream", "is_estimated", *TOKENS, "cost_nusd", "total_ms",
    "status", "sent_ms", "first_byte_ms",
)  # fmt: skip
_COPIED = _READ[5:]

State = ArchiveBatch.State

# What the archive did not take: values of the log's rows by request id.
Missing = dict[uuid.UUID, dict[str, Any]]


def run(*, now: dt.datetime, budget_s: float = BUDGET_S) -> int:
    """Send what is due, and let age what is old; return how many hours were looked at.

    Keys of days beyond the window are destroyed first, whether there is an archive or not.
    Raises: DatabaseError.
    """
    first_kept = watermarks.first_kept(now=now, days=settings.LOG_RETENTION_DAYS)
    pseudonyms.destroy_before(first_kept)
    config = sinks.config()
    if not config.is_on:
        return 0
    feed = watermarks.feed_of(config.name)
    if feed.next_try_at and feed.next_try_at > now:
        return 0
    try:
        with watermarks.locked(feed, now=now):
            if missed := watermarks.forget(feed, first_kept=first_kept):
                logger.error("hours never reached the archive", extra={"hours": missed})
            watermarks.plan(feed, first_kept=first_kept, now=now)
            try:
                sink = sinks.connect(config)
                sink.prepare(kept_days=settings.LOG_RETENTION_DAYS)
                done = _send_due(sink, watermarks.due(feed, now=now), budget_s=budget_s, now=now)
                aging.run(sink, feed, first_kept=first_kept, now=now)
            except (Away, Refused) as error:
                watermarks.away(feed, error.code, now=now)
                logger.warning("archive away", extra={"code": error.code})
                return 0
            watermarks.answered(feed, now=now)
            return done
    except watermarks.Busy:
        return 0


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
    rows = _rows(batch.hour)
    counted = rows.aggregate(rows=Count("request_id"), cost=Sum("cost_nusd"))
    is_known = (counted["rows"], counted["cost"] or 0) == (batch.rows, batch.cost_nusd)
    is_bare = not (counted["rows"] or batch.attempts)  # nothing is there, nor ever was
    if is_bare or (batch.state == State.SENT and is_known and _stands(sink, batch)):
        watermarks.sent(batch, now=now)
        return
    watermarks.begin(batch)
    _send(sink, batch, rows, now=now)
    watermarks.sent(batch, now=now)


def _rows(hour: dt.datetime) -> QuerySet[RequestLog]:
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


def _send(sink: Sink, batch: ArchiveBatch, rows: QuerySet[RequestLog], *, now: dt.datetime) -> None:
    """Replace an hour, and read back what arrived. Raises: Away, Refused."""
    packer, sums = Packer(), Counter[str](dict.fromkeys(("rows", *SUMMED), 0))
    for _, row in _named(rows, batch.hour):
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
        missing = _missing(sink, batch.hour, rows)
        for row in missing.values():
            sums.subtract({"rows": 1, **{name: row[name] for name in SUMMED}})
    if sums != held:
        # Half of an hour is worse than none: it comes again.
        sink.drop(table=REQUESTS, part=batch.hour)
        raise Refused("sums_differ")
    _note(batch, missing, now=now)


def _missing(sink: Sink, hour: dt.datetime, rows: QuerySet[RequestLog]) -> Missing:
    """Return the rows of an hour that the archive did not take."""
    asked = f"SELECT row_id FROM {{requests}} WHERE hour = '{text(hour)}'"
    taken = {row["row_id"] for row in sink.ask(asked)}
    lost = [row for row, sent in _named(rows, hour) if sent["row_id"] not in taken]
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


def _named(
    rows: QuerySet[RequestLog], hour: dt.datetime
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the rows of an hour: as the log has them, and as the archive keeps them."""
    names = pseudonyms.Day(hour.date())
    names.learn(rows.order_by().values_list("account_id", flat=True).distinct())
    read = rows.order_by("request_id").values(*_READ)
    for row in read.iterator(chunk_size=ROWS_PER_READ):
        names.learn([row["account_id"]])  # one that came just now
        account_id, request_id = row["account_id"], row["request_id"]
        yield (
            row,
            {
                "hour": text(hour),
                "day": text(hour.date()),
                "at": text(moment(request_id)),
                "row_id": names.row(account_id, request_id),
                "account": names.account(account_id),
                "surface": row["surface"],
                "model": row["model"] or "",
                "vendor": row["vendor"] or "",
                "step": latency.step(row["total_ms"]),
                **{name: row[name] for name in _COPIED},
            },
        )
