"""An account in the archive: finding it, and deleting it for good."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings

from accounts.timeids import DAY
from logs.archive import finding, pseudonyms, sinks, watermarks
from logs.archive.base import OF_ACCOUNTS, Config
from logs.models import ArchiveFeed, ArchiveRejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was done."""

    archive: str  # "": there is none
    rows: int
    keys: int
    # Archives that were fed before, and that the settings no longer name: their rows cannot be
    # reached, mean nothing without the keys, and go by themselves after the window.
    unreached: tuple[str, ...]


def search(*, account_id: int) -> int:
    """Count an account's rows in the archive; 0 when none can be told to be its. Raises: Away."""
    config = sinks.config()
    names = pseudonyms.of([account_id])
    if not config.is_on or not names:
        return 0
    sink = sinks.connect(config)
    return sum(finding.count(sink, table, names) for table in OF_ACCOUNTS)


def erase(*, account_id: int, now: dt.datetime) -> Erased:
    """Delete an account's rows from the archive, see that they are gone, destroy its keys.

    Its rows in the request log may go before or after: sent again, they would be nobody's.
    Raises: Away when the archive does not answer or rows are left, watermarks.Busy while it is
    fed; nothing is half done then: calling again goes on.
    """
    config = sinks.config()
    if not config.is_on:
        keys = _destroy(account_id, now=now)
        return Erased(archive="", rows=0, keys=keys, unreached=unreached())
    ArchiveRejection.objects.filter(account_id=account_id).delete()
    with watermarks.locked(watermarks.feed_of(config.name), now=now):
        names = pseudonyms.of([account_id])
        rows = _erase(config, names) if names else 0
        keys = _destroy(account_id, now=now)
    return Erased(archive=config.name, rows=rows, keys=keys, unreached=unreached())


def unreached() -> tuple[str, ...]:
    """Name the archives that were fed before, and that the settings no longer name."""
    others = ArchiveFeed.objects.exclude(archive=sinks.config().name)
    return tuple(others.filter(fed_until__isnull=False).values_list("archive", flat=True))


def _destroy(account_id: int, *, now: dt.datetime) -> int:
    first = watermarks.first_kept(now=now, days=settings.LOG_RETENTION_DAYS)
    # Until tomorrow: a request may still run while its account is closed.
    days = [first + n * DAY for n in range(settings.LOG_RETENTION_DAYS + 2)]
    return pseudonyms.destroy(account_id, days=days)


def _erase(config: Config, names: list[str]) -> int:
    sink = sinks.connect(config)
    sink.prepare(kept_days=settings.LOG_RETENTION_DAYS)  # a table may be newer than the last run
    return sum(finding.delete(sink, table, names) for table in OF_ACCOUNTS)
