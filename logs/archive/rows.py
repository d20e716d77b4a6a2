"""Rows of the log as the archive keeps them: under names of one day."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from accounts.timeids import moment
from logs import latency
from logs.archive import pseudonyms
from logs.archive.base import TOKENS, text
from logs.service_hours import hour_of

ROWS_PER_READ = 2_000
_READ = (
    "request_id", "account_id", "surface", "model", "vendor", "endpoint", "channel", "jurisdiction",
    "finish_reason", "error_code", "is_stream", "is_estimated", *TOKENS, "cost_nusd", "total_ms",
    "status", "sent_ms", "first_byte_ms",
)  # fmt: skip
_COPIED = _READ[5:]


def read(rows: QuerySet[Any]) -> QuerySet[Any, dict[str, Any]]:
    """Return of rows of a log what the archive is told."""
    return rows.order_by().values(*_READ)


def named(
    found: QuerySet[Any, dict[str, Any]], names: pseudonyms.Day
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield rows of one day, oldest first: as the log has them, and as the archive keeps them."""
    for row in found.order_by("request_id").iterator(chunk_size=ROWS_PER_READ):
        account_id, request_id = row["account_id"], row["request_id"]
        names.learn([account_id])
        at = moment(request_id)
        hour = hour_of(at)
        yield (
            row,
            {
                "hour": text(hour),
                "day": text(hour.date()),
                "at": text(at),
                "row_id": names.row(account_id, request_id),
                "account": names.account(account_id),
                "surface": row["surface"],
                "model": row["model"] or "",
                "vendor": row["vendor"] or "",
                "step": latency.step(row["total_ms"]),
                **{name: row[name] for name in _COPIED},
            },
        )
