"""Looking for a person's traces in the archive, on its own side where rows are many."""

import re
from collections.abc import Iterator

from django.conf import settings

from accounts.traces import Place, Search, Trace
from logs.archive import erasure, finding, pseudonyms, sinks
from logs.archive.base import TABLES, Kind, Sink, Table

KIND = "archive"
_NAME = re.compile(rf"[0-9a-f]{{{2 * pseudonyms.NAME_BYTES}}}").fullmatch


def of(account_ids: tuple[int, ...]) -> list[Trace]:
    """Return the names of accounts in the archive; after an erasure nobody can make them again."""
    return [Trace(kind=KIND, value=name) for name in pseudonyms.of(account_ids)]


def searched() -> tuple[str, tuple[str, ...]]:
    """Name the archive that is searched, "" without one, and those fed before: out of reach."""
    config = sinks.config()
    return (config.name if config.is_on else "", erasure.unreached())


def places(search: Search) -> Iterator[Place]:
    """Look for traces in every column of text of every table of the archive.

    Words are few, and are compared here; of names those that are sought are asked for. Raises:
    Away, Refused.
    """
    config = sinks.config()
    if not config.is_on:
        return
    sink = sinks.connect(config)
    sink.prepare(kept_days=settings.LOG_RETENTION_DAYS)
    for table in TABLES:
        yield from _in_words(sink, table, search)
        yield from _in_names(sink, table, search)


def _in_words(sink: Sink, table: Table, search: Search) -> Iterator[Place]:
    for column in (each.name for each in table.columns if each.kind is Kind.WORD):
        rows = sink.ask(f"SELECT DISTINCT {column} AS told FROM {{{table.name}}}")
        kinds = {kind for row in rows for kind in search.in_value(row["told"])}
        for kind in sorted(kinds):
            yield Place(where=f"archive {table.name}.{column}", kind=kind)


def _in_names(sink: Sink, table: Table, search: Search) -> Iterator[Place]:
    sought: dict[str, list[str]] = {}
    for trace in search.traces:
        if _NAME(trace.value):
            sought.setdefault(trace.kind, []).append(trace.value)
    for column in (each.name for each in table.columns if each.kind is Kind.TEXT):
        for kind, names in sorted(sought.items()):
            if finding.count(sink, table, names, column=column):
                yield Place(where=f"archive {table.name}.{column}", kind=kind)
