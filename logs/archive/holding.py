"""What a legal hold keeps of the archive: rows that no day empties, and that go with the hold.

They stand in a table of their own, under the names that they had; an account's keys stay as long
as a hold names it. When it ends its keys go first, whether the archive answers or not; then every
row goes whose name no held account has (ADR 33).
"""

import datetime as dt
from collections.abc import Collection

from accounts.timeids import DAY, bound, moment
from logs.archive import finding, pseudonyms, rows
from logs.archive.base import HELD, Away, Packer, Sink, text
from logs.models import ArchiveFeed, HeldRequest, RequestLog

# Days in one run, as in aging.
FILLED_PER_RUN_MAX = 3


def keep(sink: Sink, day: dt.date, *, held: Collection[int], attempt: int) -> None:
    """Put held accounts' rows of a day aside; again, the same. Caller holds the lock.

    They are read from our database, where the hold keeps them too, on either side of the window:
    what the archive has lost by itself stands there again. Raises: Away, Refused.
    """
    if not held:
        return
    span = {
        "account_id__in": held,
        "request_id__gte": bound(day),
        "request_id__lt": bound(day + DAY),
    }
    # One statement sees one state, whatever moves from the one table into the other meanwhile.
    found = rows.read(RequestLog.objects.filter(**span)).union(
        rows.read(HeldRequest.objects.filter(**span))
    )
    packer = Packer()
    for _, row in rows.named(found, pseudonyms.Day(day)):
        if row["account"]:  # erased ones are nobody's: no hold can name them
            packer.add(row)
    if not packer.rows:
        sink.drop(table=HELD, part=day)
        return
    packed = packer.done(may_lose=True)
    sink.replace(table=HELD, part=day, packed=packed, attempt=attempt)
    asked = f"SELECT COUNT(*) AS held FROM {{held_requests}} WHERE day = '{text(day)}'"
    if not 0 <= packer.rows - sink.ask(asked)[0]["held"] <= packed.rejected_max:
        raise Away("held_differ")


def fill(sink: Sink, feed: ArchiveFeed, *, held: Collection[int], now: dt.datetime) -> int:
    """Put aside what holds keep of days that were over when this archive was new; return how many.

    The latest day first: an archive that takes another's place gets what that one kept, from our
    database. Caller holds the lock. Raises: Away, Refused.
    """
    done = 0
    while feed.holds_unfilled_before and done < FILLED_PER_RUN_MAX:
        day = _latest_day(feed.holds_unfilled_before, held=held)
        if day:
            keep(sink, day, held=held, attempt=int(now.timestamp()))
            done += 1
        feed.holds_unfilled_before = day
        feed.save(update_fields=["holds_unfilled_before"])
    return done


def _latest_day(before: dt.date, *, held: Collection[int]) -> dt.date | None:
    """Return the latest day of which our database has rows of held accounts."""
    span = {"account_id__in": held, "request_id__lt": bound(before)}
    # The log first: rows move from it to those that are held, never back.
    latest = [
        rows.order_by("-request_id").values_list("request_id", flat=True).first()
        for rows in (RequestLog.objects.filter(**span), HeldRequest.objects.filter(**span))
    ]
    return max((moment(each).date() for each in latest if each), default=None)


def release(sink: Sink, *, held: Collection[int]) -> int:
    """Delete what no hold keeps any more; return how many rows. Raises: Away, Refused."""
    kept = set(pseudonyms.of(held))
    asked = "SELECT account, COUNT(*) AS held FROM {held_requests} GROUP BY account"
    over = sorted({row["account"] for row in sink.ask(asked)} - kept)
    return finding.delete(sink, HELD, over)
