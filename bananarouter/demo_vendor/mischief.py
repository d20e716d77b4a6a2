"""Misbehavior on request: read from the latest message (the package's docstring lists it)."""

import re
from dataclasses import dataclass

_ONE = r"(?!demo:)[a-z-]+(?:=[0-9.]+)?"
INSTRUCTIONS = re.compile(rf"\bdemo:\s*({_ONE}(?:[\s,]+{_ONE})*)", re.IGNORECASE)
INSTRUCTION = re.compile(r"([a-z-]+)(?:=([0-9.]+))?", re.IGNORECASE)
TOKENS_MAX = 16_384
SECONDS_MAX = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes wrong, and when; counts are events sent before."""

    status: int | None = None
    first_s: float | None = None
    stall: int | None = None
    cut: int | None = None
    reset: int | None = None
    error: int | None = None
    garbage: int | None = None
    has_usage: bool = True
    pace: float = 1.0
    tokens: int | None = None
    refuses: bool = False


def read(text: str) -> Plan:
    """Read the instructions in a message; what is not understood is ignored."""
    found: dict[str, str] = {}
    for block in INSTRUCTIONS.findall(text):
        found.update({name.lower(): value for name, value in INSTRUCTION.findall(block)})
    return Plan(
        status=_status(found),
        first_s=_seconds(found, "first"),
        stall=_count(found, "stall"),
        cut=_count(found, "cut"),
        reset=_count(found, "reset"),
        error=_count(found, "error"),
        garbage=_count(found, "garbage"),
        has_usage="no-usage" not in found,
        pace=_pace(found),
        tokens=_count(found, "tokens"),
        refuses="refuse" in found,
    )


class Refused(Exception):
    """A request that gets an error status."""

    def __init__(self, status: int) -> None:
        self.status = status


def refuse(plan: Plan) -> None:
    """Refuse the request if that is the plan. Raises: Refused."""
    if plan.status is not None:
        raise Refused(plan.status)


def _number(found: dict[str, str], name: str) -> float | None:
    try:
        return float(found[name])
    except (KeyError, ValueError):
        return None


def _count(found: dict[str, str], name: str) -> int | None:
    number = _number(found, name)
    return None if number is None else min(int(number), TOKENS_MAX)


def _seconds(found: dict[str, str], name: str) -> float | None:
    number = _number(found, name)
    return None if number is None else min(number, SECONDS_MAX)


def _status(found: dict[str, str]) -> int | None:
    status = _count(found, "status")
    return status if status is not None and 400 <= status <= 599 else None


def _pace(found: dict[str, str]) -> float:
    """Return by what the usual waits are multiplied."""
    for name in ("pace", "slow"):
        number = _number(found, name)
        if number is not None:
            return min(number, SECONDS_MAX)
    return 1.0
