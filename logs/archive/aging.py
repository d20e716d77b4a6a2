"""What becomes of a day beyond the window: sums of many accounts stay, rows go."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator

from accounts.timeids import DAY, midnight
from logs.archive import crowds, holding
from logs.archive.base import (
    DAYS,
    LATENCY,
    REQUESTS,
    TOKENS,
    Away,
    Packer,
    Part,
    Row,
    Sink,
    Table,
    text,
)
from logs.models import ArchiveFeed
from logs.service_hours import HOUR

SUMS = ("requests", "errors", "failures", *TOKENS, "cost_nusd")
# Days in one run: each is some thirty statements.
DAYS_PER_RUN_MAX = 3
_GROUPS = (
    "SELECT model, vendor, account, COUNT(*) AS requests, "
    "SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END) AS errors, "
    "SUM(CASE WHEN status >= 500 THEN 1 ELSE 0 END) AS failures, "
    + ", ".join(f"SUM({name}) AS sum_{name}" for name in (*TOKENS, "cost_nusd"))
    + " FROM {requests} WHERE day = '%s' GROUP BY model, vendor, account"
)
_STEPS = (
    "SELECT model, vendor, step, COUNT(*) AS requests "
    "FROM {requests} WHERE day = '%s' GROUP BY model, vendor, step"
)


def run(
    sink: Sink,
    feed: ArchiveFeed,
    *,
    first_kept: dt.date,
    held: Collection[int],
    now: dt.datetime,
) -> int:
    """Sum and empty the days before `first_kept`; return how many. Caller holds the lock.

    The rows of a day go only after its sums were read back and those of held accounts stand
    apart; sums are never made again once the first row may be gone. Raises: Away, Refused.
    """
    done, attempt = 0, int(now.timestamp())
    while feed.aged_until and feed.aged_until < first_kept and done < DAYS_PER_RUN_MAX:
        day = feed.aged_until
        if feed.summed_until is None or feed.summed_until <= day:
            _sum(sink, day, attempt=attempt)
            feed.summed_until = day + DAY
            feed.save(update_fields=["summed_until"])
        holding.keep(sink, day, held=held, attempt=attempt)
        _empty(sink, day)
        feed.aged_until = day + DAY
        feed.save(update_fields=["aged_until"])
        done += 1
    return done


def _sum(sink: Sink, day: dt.date, *, attempt: int) -> None:
    groups = [
        {**row, **{name: row[f"sum_{name}"] for name in (*TOKENS, "cost_nusd")}}
        for row in sink.ask(_GROUPS % text(day))
    ]
    if not groups:
        return
    found = crowds.merge(crowds.gather(groups, sums=SUMS))
    for table, rows in ((DAYS, _lines(found)), (LATENCY, _times(found, sink, day))):
        packer = Packer()
        for row in rows:
            packer.add({"day": text(day), **row})
        _put(sink, table, day, packer, attempt=attempt)
    total = sum(crowd.sums["requests"] for crowd in found.crowds.values())
    for table in (DAYS, LATENCY):
        if _requests(sink, table, day) != total:
            raise Away("sums_differ")


def _lines(found: crowds.Day) -> Iterator[Row]:
    for (model, vendor), crowd in sorted(found.crowds.items()):
        cell = {"model": model, "vendor": vendor, **crowd.sums}
        yield {**cell, "accounts": len(crowd.accounts)}


def _times(found: crowds.Day, sink: Sink, day: dt.date) -> Iterator[Row]:
    steps = Counter[tuple[str, str, int]]()
    for row in sink.ask(_STEPS % text(day)):
        if place := found.places[row["model"], row["vendor"]]:
            steps[*place, row["step"]] += row["requests"]
    for (model, vendor, step), requests in sorted(steps.items()):
        yield {"model": model, "vendor": vendor, "step": step, "requests": requests}


def _put(sink: Sink, table: Table, day: Part, packer: Packer, *, attempt: int) -> None:
    if packer.rows:
        sink.replace(table=table, part=day, packed=packer.done(may_lose=False), attempt=attempt)
    else:
        sink.drop(table=table, part=day)


def _requests(sink: Sink, table: Table, day: dt.date) -> int:
    asked = f"SELECT SUM(requests) AS total FROM {{{table.name}}} WHERE day = '{text(day)}'"
    return int(sink.ask(asked)[0]["total"] or 0)


def _empty(sink: Sink, day: dt.date) -> None:
    for number in range(24):
        sink.drop(table=REQUESTS, part=midnight(day) + number * HOUR)
    asked = f"SELECT COUNT(*) AS held FROM {{requests}} WHERE day = '{text(day)}'"
    if sink.ask(asked)[0]["held"]:
        raise Away("rows_left")
