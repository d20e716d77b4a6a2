"""Sums of a day that are nobody's: each is of at least ACCOUNTS_MIN accounts (pure)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

ACCOUNTS_MIN = 20
OTHER = ("other", "other")

Cell = tuple[str, str]  # model, vendor


@dataclass(slots=True, kw_only=True)
class Crowd:
    """What some accounts did together."""

    accounts: set[str] = field(default_factory=set)
    sums: Counter[str] = field(default_factory=Counter)

    def join(self, other: "Crowd") -> None:
        """Add another crowd; who is in both counts once."""
        self.accounts |= other.accounts
        self.sums.update(other.sums)

    @property
    def is_large(self) -> bool:
        """True when nobody can be told from it."""
        return len(self.accounts) >= ACCOUNTS_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The crowds of a day, and where each cell went: None when the day had too few accounts."""

    crowds: Mapping[Cell, Crowd]
    places: Mapping[Cell, Cell | None]


def gather(rows: Iterable[Mapping[str, object]], *, sums: Sequence[str]) -> dict[Cell, Crowd]:
    """Add up rows of (model, vendor, account, sums) by model and vendor."""
    cells: dict[Cell, Crowd] = {}
    for row in rows:
        crowd = cells.setdefault((str(row["model"]), str(row["vendor"])), Crowd())
        if row["account"]:
            crowd.accounts.add(str(row["account"]))
        crowd.sums.update({name: int(str(row[name])) for name in sums})
    return cells


def merge(cells: Mapping[Cell, Crowd]) -> Day:
    """Put cells of too few accounts into OTHER, and the next ones until OTHER is large itself.

    A day that is not large as a whole leaves nothing.
    """
    kept = sorted(cells, key=lambda cell: (len(cells[cell].accounts), cell))
    other, inside = Crowd(), list[Cell]()
    while kept and (not cells[kept[0]].is_large or (inside and not other.is_large)):
        inside.append(kept.pop(0))
        other.join(cells[inside[-1]])
    crowds = {cell: cells[cell] for cell in kept}
    if other.is_large:
        crowds[OTHER] = other
    place = OTHER if other.is_large else None
    return Day(
        crowds=crowds, places={**{cell: cell for cell in kept}, **dict.fromkeys(inside, place)}
    )
