"""The geometry of charts that the server draws: stacked bars, their scale, sparklines (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# A drawing's own units; it is stretched to the space that the page has.
COLUMN = 10
HEIGHT = 1_000
GAP = 2
TICKS = 4
LABELS_MAX = 7
NICE = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line of the scale: its value, and its distance from the top in percent."""

    value: int
    top: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A word below a column: its middle in percent of the width."""

    text: str
    middle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Stacked bars: one path for each series, in the order given, the first at the bottom."""

    width: int
    height: int
    paths: Sequence[str]
    ticks: Sequence[Tick]
    labels: Sequence[Label]


def stacked(series: Sequence[Sequence[int]], *, labels: Sequence[str]) -> Bars:
    """Draw series of one length on top of each other; values below zero count as zero."""
    columns = len(labels)
    bars = [[max(values[n], 0) for values in series] for n in range(columns)]
    top = ceiling(max((sum(bar) for bar in bars), default=0))
    paths: list[list[str]] = [[] for _ in series]
    for place, bar in enumerate(bars):
        for number, (value, upper) in enumerate(zip(bar, accumulate(bar), strict=True)):
            if value:
                high, low = (_height(v, top) for v in (upper, upper - value))
                x = place * COLUMN + GAP / 2
                paths[number].append(f"M{x:g} {HEIGHT - high}h{COLUMN - GAP}v{high - low}H{x:g}z")
    return Bars(
        width=columns * COLUMN,
        height=HEIGHT,
        paths=["".join(path) for path in paths],
        ticks=[
            Tick(value=top * n // TICKS, top=f"{100 - 100 * n / TICKS:g}%")
            for n in range(TICKS + 1)
        ],
        labels=_thinned(labels),
    )


def _height(value: int, top: int) -> int:
    return round(HEIGHT * value / top)


def ceiling(value: int) -> int:
    """Return a round number that is not below a value, and a multiple of the ticks' number."""
    power = TICKS
    while True:
        for nice in NICE:
            if power * nice >= value:
                return power * nice
        power *= 10


def _thinned(labels: Sequence[str]) -> list[Label]:
    every = -(-len(labels) // LABELS_MAX) or 1
    return [
        Label(text=text, middle=f"{100 * (place + 0.5) / len(labels):.2f}%")
        for place, text in enumerate(labels)
        if place % every == 0
    ]


def sparkline(values: Sequence[int]) -> str:
    """Return the path of small bars, in a drawing of COLUMN units for each value and HEIGHT."""
    (path,) = stacked([values], labels=[""] * len(values)).paths
    return path
