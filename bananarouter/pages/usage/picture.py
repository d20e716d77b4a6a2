"""The chart of a report, and the tables that say the same in numbers."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from bananarouter.pages import charts
from bananarouter.pages.usage.choices import Measure, Step
from bananarouter.pages.usage.names import OTHERS, Group
from bananarouter.pages.usage.report import COLORS, Figures, Report
from bananarouter.pages.words import CLASSES, Words
from billing.money import decimal_usd, display_usd
from billing.usage import UnitClass
from logs import latency

# Models whose latency is told; the others are in the first line, which is for all.
LATENCY_MODELS_MAX = 10
SHARES = (0.5, 0.95, 0.99)
# In the order of logs.sums.TOKENS.
_CLASSES = (
    UnitClass.INPUT,
    UnitClass.CACHE_READ,
    UnitClass.CACHE_WRITE,
    UnitClass.OUTPUT,
    UnitClass.REASONING,
)


class Amount(NamedTuple):
    """A number for people, and exactly."""

    shown: str
    exact: str = ""


def amount(value: int, measure: Measure) -> Amount:
    """Write what was measured."""
    if measure is Measure.SPEND:
        return Amount(shown=display_usd(value), exact=f"${decimal_usd(value)}")
    return Amount(shown=f"{value:,}")


def short(value: int, measure: Measure) -> str:
    """Write a round number for a scale: `$0.50`, `1.5M`."""
    if measure is Measure.SPEND:
        return display_usd(value)
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One color of the chart: its class in the stylesheet, and its path."""

    group: Group
    css: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One step in numbers: when, each series' amount, all together."""

    at: str
    cells: Sequence[Amount]
    total: Amount

    @property
    def html(self) -> SafeString:
        """The table's cells. Hundreds of them: a template would take longer than all else."""
        # Digits, commas and a currency's sign: nothing to escape.
        cells = [*self.cells, self.total]
        if self.total.exact:
            drawn = [f'<td class="number" title="{one.exact}">{one.shown}</td>' for one in cells]
        else:
            drawn = [f'<td class="number">{one.shown}</td>' for one in cells]
        return mark_safe("".join(drawn))  # noqa: S308


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that the chart and the table behind it show."""

    bars: charts.Bars
    ticks: Sequence[tuple[str, str]]
    series: Sequence[Series]
    columns: Sequence[Column]


def chart(report: Report, measure: Measure) -> Chart:
    """Draw a report: the largest groups in colors of their own, the rest as one more."""
    ranked = report.ranked(measure)
    apart, rest = ranked[:COLORS], ranked[COLORS:]
    if len(rest) == 1:
        apart, rest = ranked, []
    place = {ident: number for number, ident in enumerate(apart)}
    values = [[0] * len(report.starts) for _ in range(len(apart) + bool(rest))]
    for (ident, step), figures in report.cells.items():
        values[place.get(ident, len(apart))][step] += figures.measured(measure)
    groups = [report.groups[ident] for ident in apart]
    if rest:
        groups.append(Group(ident=OTHERS, name=_("All others")))
    labels = [_label(at, report.period.step) for at in report.starts]
    bars = charts.stacked(values, labels=labels)
    return Chart(
        bars=bars,
        ticks=[(short(tick.value, measure), tick.top) for tick in bars.ticks],
        series=[
            Series(group=group, css=_css(number), path=path)
            for number, (group, path) in enumerate(zip(groups, bars.paths, strict=True))
        ],
        columns=[
            Column(
                at=_title(at, report.period.step),
                cells=[amount(row[step], measure) for row in values],
                total=amount(sum(row[step] for row in values), measure),
            )
            for step, at in enumerate(report.starts)
        ],
    )


def _css(number: int) -> str:
    return f"series-{number + 1}" if number < COLORS else "series-rest"


def _label(at: dt.datetime, step: Step) -> str:
    return f"{at:%H:%M}" if step is Step.HOUR else f"{at:%m-%d}"


def _title(at: dt.datetime, step: Step) -> str:
    if step is Step.HOUR:
        return f"{at:%m-%d %H:%M}"
    if step is Step.WEEK:
        return _("Week of %(day)s") % {"day": f"{at:%Y-%m-%d}"}
    return f"{at:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group in numbers; `css` is its color in the chart, `bar` its share of the measure."""

    group: Group
    css: str
    spend: Amount
    share: str
    requests: Amount
    tokens: Amount
    errors: Amount


def rows(report: Report, drawn: Chart, measure: Measure) -> list[Row]:
    """Return the table by group, in the order of the chart."""
    colors = {series.group.ident: series.css for series in drawn.series}
    sums = report.by_group
    whole = sum(max(figures.measured(measure), 0) for figures in sums.values())
    return [
        Row(
            group=report.groups[ident],
            css=colors.get(ident, "series-rest"),
            spend=amount(sums[ident].spend_nusd, Measure.SPEND),
            share=share(sums[ident].measured(measure), whole),
            requests=amount(sums[ident].requests, Measure.REQUESTS),
            tokens=amount(sums[ident].all_tokens, Measure.TOKENS),
            errors=amount(sums[ident].errors, Measure.ERRORS),
        )
        for ident in report.ranked(measure)
    ]


def share(part: int, whole: int) -> str:
    """Write a part of a whole: `37.5%`."""
    return f"{100 * part / whole:.1f}%" if whole else ""


def token_classes(total: Figures) -> list[tuple[Words, int, str]]:
    """Return each class of tokens: its name, how many, its share."""
    named = zip(_CLASSES, total.tokens, strict=True)
    return [(CLASSES[one], count, share(count, total.all_tokens)) for one, count in named]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long answers took: at most so long for half, 95 % and 99 % of them, in milliseconds."""

    model: str
    requests: int
    percentiles: Sequence[int | None]


def latencies(steps: Mapping[str, Mapping[int, int]]) -> list[Latency]:
    """Return the percentiles of all answers, then of the models with most of them."""
    everything: dict[int, int] = {}
    for counts in steps.values():
        for step, requests in counts.items():
            everything[step] = everything.get(step, 0) + requests
    if not everything:
        return []
    models = sorted(
        (_latency(model, counts) for model, counts in steps.items() if model),
        key=lambda one: (-one.requests, one.model),
    )
    return [_latency("", everything), *models[:LATENCY_MODELS_MAX]]


def _latency(model: str, counts: Mapping[int, int]) -> Latency:
    return Latency(
        model=model,
        requests=sum(counts.values()),
        percentiles=[latency.percentile(counts, part) for part in SHARES],
    )
