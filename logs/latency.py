"""Latency in steps, each a fifth longer than the one before (pure)."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

FACTOR = 1.2
STEPS = 88  # the longest is above two hours


def _tops() -> list[int]:
    """Return the longest latency of each step, in whole milliseconds, without repetition."""
    tops = [1]
    while len(tops) < STEPS:
        tops.append(max(tops[-1] + 1, round(tops[-1] * FACTOR)))
    return tops


TOPS = _tops()


def step(milliseconds: int) -> int:
    """Return the number of the step that a latency falls into; 0 is one millisecond and less."""
    return min(bisect_left(TOPS, milliseconds), STEPS - 1)


def step_sql(column: str) -> str:
    """Return SQL for the step of a column of milliseconds."""
    return case_sql(column, TOPS[:-1], range(STEPS))


def case_sql(column: str, tops: Sequence[object], values: Sequence[object]) -> str:
    """Return SQL for the value whose place is that of the first top that a column is not above.

    A search by halves: seven comparisons where a list would take ninety. One value more than tops,
    for what is above them all; both are written as they stand, so they are ours.
    """
    if not tops:
        return str(values[0])
    half = (len(tops) - 1) // 2
    low = case_sql(column, tops[:half], values[: half + 1])
    high = case_sql(column, tops[half + 1 :], values[half + 1 :])
    return f"CASE WHEN {column} <= {tops[half]} THEN {low} ELSE {high} END"


def percentile(requests: Mapping[int, int], share: float) -> int | None:
    """Return the latency that a share (0 to 1) of requests did not exceed, in milliseconds.

    `requests` counts by step. What is told is a step's top: at most a fifth too long, never too
    short. None without requests.
    """
    steps = sorted(requests)
    sums = list(accumulate(requests[number] for number in steps))
    if not sums or sums[-1] <= 0:
        return None
    place = bisect_left(sums, share * sums[-1])
    return TOPS[steps[min(place, len(steps) - 1)]]
