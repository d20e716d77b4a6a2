"""How much to think: words of effort against budgets of tokens (pure)."""

from collections.abc import Mapping, Sequence
from typing import Final

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Percent of the output limit, after OpenRouter's practice ([mem], 2026-11); a setting.
EFFORT_SHARES: Final[Mapping[str, int]] = {
    "none": 0,
    "minimal": 10,
    "low": 20,
    "medium": 50,
    "high": 80,
    "xhigh": 95,
    "max": 95,
}


def budget_of(effort: str, *, limit: int, shares: Mapping[str, int]) -> int:
    """Return the tokens that an effort may think, out of an output limit."""
    return limit * shares.get(effort, shares["medium"]) // 100


def effort_of(budget: int, *, limit: int, shares: Mapping[str, int]) -> str:
    """Return the highest effort whose share of the limit is within the budget."""
    if budget <= 0 or limit <= 0:
        return "none"
    within = [word for word in EFFORTS[1:-1] if shares[word] * limit <= budget * 100]
    return within[-1] if within else "minimal"


def nearest(effort: str, known: Sequence[str]) -> str:
    """Return the effort itself, else the nearest below that is known, else the lowest known.

    `known` empty: every word is.
    """
    if not known or effort in known:
        return effort
    if effort not in EFFORTS:
        return ""
    below = [word for word in EFFORTS[: EFFORTS.index(effort)] if word in known]
    if below:
        return below[-1]
    return next((word for word in EFFORTS if word in known), "")
