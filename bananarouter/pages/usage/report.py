"""The usage of an account: figures for each group and step, whose sum is the ledger's."""

import datetime as dt
import functools
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bananarouter.pages.usage import names
from bananarouter.pages.usage.choices import LABELS, Grouping, Measure, Period, Step
from bananarouter.pages.usage.names import Group
from billing import spending
from logs import queries as logs
from logs.models import LabelHour
from logs.sums import TOKENS

# Groups that are told apart in the chart; the rest is one more.
COLORS = 8

_SPEND_PART = {Grouping.MODEL: spending.Part.ENDPOINT, Grouping.VENDOR: spending.Part.ENDPOINT}
_USAGE_PART = {Grouping.MODEL: logs.Part.MODEL, Grouping.VENDOR: logs.Part.VENDOR}
_KINDS = {Grouping.TAG: LabelHour.Kind.TAG, Grouping.END_USER: LabelHour.Kind.END_USER}


# What is counted, in the order of a cell: spend in nUSD, requests, errors, tokens by class.
SPEND, REQUESTS, ERRORS, FIRST_TOKENS = range(4)
WIDTH = FIRST_TOKENS + len(TOKENS)
_PLACES = {Measure.SPEND: SPEND, Measure.REQUESTS: REQUESTS, Measure.ERRORS: ERRORS}


class Figures(list[int]):
    """What is counted of a group's step, or of several: a plain list, for there are thousands."""

    def add(self, other: Sequence[int]) -> None:
        """Add other figures to these."""
        self[: len(other)] = map(operator.add, self, other)

    def measured(self, measure: Measure) -> int:
        """Return one of them."""
        place = _PLACES.get(measure)
        return sum(self[FIRST_TOKENS:]) if place is None else self[place]

    @property
    def spend_nusd(self) -> int:
        """What it cost."""
        return self[SPEND]

    @property
    def requests(self) -> int:
        """How many requests."""
        return self[REQUESTS]

    @property
    def errors(self) -> int:
        """How many of them failed."""
        return self[ERRORS]

    @property
    def tokens(self) -> list[int]:
        """Tokens by class, in the order of logs.sums.TOKENS."""
        return self[FIRST_TOKENS:]

    @property
    def all_tokens(self) -> int:
        """Tokens of every class."""
        return sum(self[FIRST_TOKENS:])


def nothing() -> Figures:
    """Return figures that are all zero."""
    return Figures([0] * WIDTH)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures of a period. `cells` is by group and step, without those that are zero."""

    period: Period
    starts: Sequence[dt.datetime]
    groups: Mapping[str, Group]
    cells: Mapping[tuple[str, int], Figures]
    spending: spending.Spending

    @functools.cached_property
    def by_group(self) -> Mapping[str, Figures]:
        """Each group's figures over the whole period."""
        found: dict[str, Figures] = {ident: nothing() for ident in self.groups}
        for (ident, _), figures in self.cells.items():
            found[ident].add(figures)
        return found

    @functools.cached_property
    def total(self) -> Figures:
        """The figures of everything."""
        total = nothing()
        for figures in self.by_group.values():
            total.add(figures)
        return total

    def ranked(self, measure: Measure) -> list[str]:
        """Return the groups, largest first; those without a name come last."""
        sums = self.by_group
        return sorted(
            sums,
            key=lambda ident: (
                ident in {"", names.OTHERS},
                -sums[ident].measured(measure),
                -sums[ident].requests,
                self.groups[ident].name.casefold(),
            ),
        )


class _Builder:
    """Adds rows of sums to the cells of a report."""

    def __init__(self, period: Period, grouping: Grouping) -> None:
        self.period = period
        self.grouping = grouping
        self.starts = period.starts()
        self._places: dict[dt.datetime, int] = {}
        self.groups: dict[str, Group] = {}
        self.cells: dict[tuple[str, int], Figures] = {}

    def cell(self, group: Group, at: dt.datetime) -> Figures:
        """Return the figures of a group's step, to add to."""
        place = self._places.get(at)
        if place is None:
            place = self._places[at] = self.period.place(at, self.starts[0])
        key = (group.ident, place)
        found = self.cells.get(key)
        if found is None:
            self.groups.setdefault(group.ident, group)
            found = self.cells[key] = nothing()
        return found

    def report(self, spent: spending.Spending) -> Report:
        """Return what was added."""
        return Report(
            period=self.period,
            starts=self.starts,
            groups=self.groups,
            cells=self.cells,
            spending=spent,
        )


def build(
    account_id: int,
    *,
    period: Period,
    grouping: Grouping,
    key_ids: Collection[int] | None = None,
    labels_max: int = logs.LABELS_MAX,
) -> Report:
    """Report on an account, or on some of its keys; at most four queries.

    `labels_max`: how many of the caller's labels are told apart.

    What is spent is the ledger's; requests, errors and tokens are the request log's.
    """
    asked: dict[str, Any] = {
        "since": period.since,
        "until": period.until,
        "by_hour": period.step is Step.HOUR,
        "key_ids": key_ids,
    }
    is_label = grouping in LABELS
    by_key = spending.Part.KEY, logs.Part.KEY
    spend_parts = [] if is_label else [_SPEND_PART.get(grouping, by_key[0])]
    usage_parts = [] if is_label else [_USAGE_PART.get(grouping, by_key[1])]
    spent = spending.spent(account_id, parts=spend_parts, **asked)
    usage = logs.usage(account_id, parts=usage_parts, **asked)
    builder = _Builder(period, grouping)
    if is_label:
        _add_labels(builder, account_id, labels_max=labels_max)
    of_sum, of_usage = _namers(grouping, spent.sums, usage, account_id=account_id)
    for one in spent.sums:
        builder.cell(of_sum(one), one.at)[SPEND] += one.cost_nusd
    for row in usage:
        builder.cell(of_usage(row), row.at).add((0, row.requests, row.errors, *row.tokens))
    return builder.report(spent)


def _namers(
    grouping: Grouping,
    sums: Sequence[spending.Sum],
    usage: Sequence[logs.Usage],
    *,
    account_id: int,
) -> tuple[Callable[[spending.Sum], Group], Callable[[logs.Usage], Group]]:
    """Return how sums of money and of usage find their groups."""
    if grouping is Grouping.MODEL:
        of_model = functools.cache(names.of_model)
        return (
            lambda one: of_model(one.endpoint.partition(":")[2]),
            lambda row: of_model(row.model),
        )
    if grouping is Grouping.VENDOR:
        vendors = names.vendors({one.endpoint.partition(":")[0] for one in sums})
        of_vendor = functools.cache(names.of_vendor)
        return (
            lambda one: of_vendor(vendors.get(one.endpoint.partition(":")[0], "")),
            lambda row: of_vendor(row.vendor),
        )
    ids = {one.key_id for one in sums} | {row.key_id for row in usage}
    # Of what carries a label its key is not known here: labels are added by themselves.
    is_label = grouping in LABELS
    keys = {} if is_label else names.of_keys(grouping, ids, account_id=account_id)
    rest = names.nameless(grouping)
    return lambda one: keys.get(one.key_id, rest), lambda row: keys.get(row.key_id, rest)


def _add_labels(builder: _Builder, account_id: int, *, labels_max: int) -> None:
    """Add what carries a label to its group, and take it out of what carries none."""
    of_label = functools.cache(names.of_label)
    carried: dict[dt.datetime, Figures] = {}
    for row in logs.labeled(
        account_id,
        since=builder.period.since,
        until=builder.period.until,
        kind=_KINDS[builder.grouping],
        by_hour=builder.period.step is Step.HOUR,
        labels_max=labels_max,
    ):
        figures = row.cost_nusd, row.requests
        builder.cell(of_label(row.label), row.at).add(figures)
        carried.setdefault(row.at, nothing()).add(figures)
    rest = names.nameless(builder.grouping)
    for at, labeled in carried.items():
        builder.cell(rest, at).add([-count for count in labeled])
