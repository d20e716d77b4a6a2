"""Reads what an operator sets about people's data."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from bananarouter import env


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How users leave."""

    # How long a closure with money waits.
    cooling: dt.timedelta
    # Who was erased, by numbers alone: kept apart from what a backup of the database brings back.
    list_file: Path


def read_erasure(folder: Path) -> Erasure:
    """Return the settings of erasure. Raises: ImproperlyConfigured."""
    named = env.text("ERASURE_LIST")
    return Erasure(
        cooling=dt.timedelta(hours=env.number("CLOSURE_COOLING_HOURS", 72, high=720)),
        list_file=Path(named) if named else folder / "erased.jsonl",
    )


def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)
