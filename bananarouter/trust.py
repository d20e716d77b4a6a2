"""Which clauses of the policy are proved: read from docs/trust.json, which policy_report writes.

A clause is proved by a test that passed and that was seen to fail when the code was broken once.
"""

import datetime as dt
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings

from bananarouter.clauses import BY_ID, Clause

PLACE = "docs/trust.json"


class State(StrEnum):
    """How far a clause is proved."""

    PROVED = "proved"
    PARTLY = "partly"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """How the code was broken so that the test failed, when, and at which version."""

    file: str
    before: str
    after: str
    on: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A test that passed in the run of the report; without a break it proves nothing."""

    test: str
    databases: Sequence[str]
    breaks: Sequence[Break] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found when the proofs of all clauses were run."""

    version: str = ""
    made_at: str = ""
    proofs: Mapping[str, Sequence[Proof]] = field(default_factory=dict)

    def state(self, clause: Clause) -> State:
        """Tell how far a clause is proved."""
        if not any(proof.breaks for proof in self.proofs.get(clause.id, ())):
            return State.OPEN
        return State.PARTLY if clause.missing else State.PROVED

    def totals(self) -> dict[State, int]:
        """Count clauses by state."""
        states = [self.state(clause) for clause in BY_ID.values()]
        return {state: states.count(state) for state in State}

    @property
    def made_on(self) -> dt.date | None:
        """The day of the run."""
        return dt.datetime.fromisoformat(self.made_at).date() if self.made_at else None


def path() -> Path:
    """Return where the report stands."""
    return Path(settings.BASE_DIR) / PLACE


def read() -> Report:
    """Return the report that this version came with; an empty one where there is none."""
    place = path()
    return _read(place, place.stat().st_mtime_ns) if place.is_file() else Report()


@functools.lru_cache(maxsize=1)
def _read(place: Path, written_ns: int) -> Report:  # noqa: ARG001 - a report made anew is read anew
    found: dict[str, Any] = json.loads(place.read_text())
    proofs = {
        name: [
            Proof(**{**row, "breaks": [Break(**each) for each in row["breaks"]]}) for row in rows
        ]
        for name, rows in found["proofs"].items()
    }
    return Report(version=found["version"], made_at=found["made_at"], proofs=proofs)


def write(report: Report) -> None:
    """Keep a report where `read` finds it."""
    text = json.dumps(asdict(report), indent=1, ensure_ascii=False, sort_keys=True)
    path().write_text(text + "\n")


def merge(
    results: Mapping[str, Mapping[str, Any]],
    breaks: Mapping[str, Sequence[tuple[str, Break]]],
    *,
    version: str,
    now: dt.datetime,
) -> Report:
    """Put together what passed in a run and what was seen to fail.

    `results`: test -> clauses, outcome, on (databases). `breaks`: test -> pairs of a clause and a
    break that was recorded. A test that did not pass is left out.
    """
    proofs: dict[str, list[Proof]] = {name: [] for name in BY_ID}
    for test, row in sorted(results.items()):
        if row["outcome"] != "passed":
            continue
        for clause in row["clauses"]:
            seen = [found for name, found in breaks.get(test, ()) if name == clause]
            proof = Proof(test=test, databases=row["on"], breaks=seen)
            proofs[clause].append(proof)
    return Report(version=version, made_at=now.isoformat(timespec="seconds"), proofs=proofs)
