"""Rows of the archive by the names of accounts: counted, and deleted for good."""

from collections.abc import Iterator, Sequence

from logs.archive.base import Away, Sink, Table

# Names in one statement.
GROUP = 500


def count(sink: Sink, table: Table, names: Sequence[str], *, column: str = "account") -> int:
    """Count rows by names, which are ours: hexadecimal digits. Raises: Away."""
    return sum(
        int(
            sink.ask(f"SELECT COUNT(*) AS held FROM {{{table.name}}} WHERE {column} IN ({each})")[
                0
            ]["held"]
        )
        for each in _listed(names)
    )


def delete(sink: Sink, table: Table, names: Sequence[str]) -> int:
    """Delete rows by names and see that they are gone; return how many. Raises: Away."""
    found = count(sink, table, names)
    if found:
        for at in range(0, len(names), GROUP):
            sink.erase(table=table, column="account", values=names[at : at + GROUP])
        if count(sink, table, names):
            raise Away("rows_left")
    return found


def _listed(names: Sequence[str]) -> Iterator[str]:
    for at in range(0, len(names), GROUP):
        yield ", ".join(f"'{name}'" for name in names[at : at + GROUP])
