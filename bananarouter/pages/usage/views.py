"""Usage: what was spent and asked for, by day, kept apart as one likes; as CSV, too."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import roles
from bananarouter.pages.shell import Page, Private, of
from bananarouter.pages.usage import picture, scope
from bananarouter.pages.usage.choices import (
    CUSTOM,
    DAYS_MAX,
    GROUPINGS,
    LABELS,
    MEASURES,
    OF_LABELS,
    RANGES,
    Choice,
    Grouping,
    Measure,
    read,
)
from bananarouter.pages.usage.report import Figures, Report, build
from billing.money import decimal_usd
from logs import queries
from logs.sums import TOKENS

# On the page; the CSV tells more apart.
LABELS_SHOWN = 25
# What a spreadsheet would run as a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Reader(Private):
    """Reads the question of the URL, for those whose keys it may be about."""

    needs = roles.may_see_requests

    @property
    def _sees_all(self) -> bool:
        return roles.may_see_all_requests(of(self.request).role)

    def _choice(self) -> Choice:
        # Labels are summed for the whole account, so they are not for who sees own keys only.
        groupings = [one for one in Grouping if self._sees_all or one not in LABELS]
        return read(self.request.GET, today=timezone.now().date(), groupings=groupings)

    def _report(self, choice: Choice, *, labels_max: int) -> Report:
        return build(
            self.account.pk,
            period=choice.period,
            grouping=choice.grouping,
            key_ids=scope.key_ids(of(self.request).membership),
            labels_max=labels_max,
        )


class Usage(_Reader, Page):
    """The chart, the tables behind it, and whether they are the ledger's."""

    template_name = "usage/usage.html"
    nav = "usage"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        choice = self._choice()
        report = self._report(choice, labels_max=LABELS_SHOWN)
        total = report.total
        kwargs |= self._controls(choice, total)
        if report.cells:
            kwargs |= self._figures(choice, report)
        return super().get_context_data(
            choice=choice,
            total=total,
            spending=report.spending,
            sees_all=self._sees_all,
            is_by_label=choice.grouping in LABELS,
            retention_days=settings.LOG_RETENTION_DAYS,
            days_max=DAYS_MAX,
            **kwargs,
        )

    def _controls(self, choice: Choice, total: Figures) -> dict[str, Any]:
        measures = [m for m in Measure if choice.grouping not in LABELS or m in OF_LABELS]
        return {
            "ranges": [(key, name, choice.query(range=key)) for key, name in RANGES.items()],
            "groupings": [
                (one, GROUPINGS[one]) for one in Grouping if self._sees_all or one not in LABELS
            ],
            "tiles": [
                (one, name, choice.query(measure=one) if one in measures else "",
                 picture.amount(total.measured(one), one))
                for one, name in ((one, MEASURES[one]) for one in Measure)
            ],
            "custom": CUSTOM,
            "query": choice.query(),
        }  # fmt: skip

    def _figures(self, choice: Choice, report: Report) -> dict[str, Any]:
        drawn = picture.chart(report, choice.measure)
        return {
            "chart": drawn,
            "rows": picture.rows(report, drawn, choice.measure),
            "group_name": GROUPINGS[choice.grouping],
            "measure_name": MEASURES[choice.measure],
            "classes": picture.token_classes(report.total),
        }


class Latency(_Reader, Page):
    """How long answers took: thousands of counts, so the page of usage asks for it later."""

    template_name = "usage/latency.html"
    nav = "usage"
    # Summed for the whole account.
    needs = roles.may_see_all_requests

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        choice = self._choice()
        since, until = choice.period.since, choice.period.until
        steps = queries.latencies(self.account.pk, since=since, until=until)
        return super().get_context_data(
            latencies=picture.latencies(steps), query=choice.query(), **kwargs
        )


class Download(_Reader):
    """The same figures as CSV: one row for each step and group, amounts exact."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        choice = self._choice()
        report = self._report(choice, labels_max=queries.LABELS_MAX)
        lines = io.StringIO()
        writer = csv.writer(lines)
        counted = ("requests",) if choice.grouping in LABELS else ("requests", "errors", *TOKENS)
        writer.writerow([choice.period.step, choice.grouping, "note", *counted, "spend_usd"])
        place = {ident: number for number, ident in enumerate(report.ranked(Measure.SPEND))}
        starts = [at.isoformat(timespec="minutes") for at in report.starts]
        for ident, step in sorted(report.cells, key=lambda cell: (cell[1], place[cell[0]])):
            group, figures = report.groups[ident], report.cells[ident, step]
            counts = _counts(figures)[: len(counted)]
            names = [_text(group.name), _text(group.note)]
            writer.writerow([starts[step], *names, *counts, decimal_usd(figures.spend_nusd)])
        response = HttpResponse(lines.getvalue(), content_type="text/csv; charset=utf-8")
        name = f"usage-{choice.period.since}-{choice.period.latest}-by-{choice.grouping}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _counts(figures: Figures) -> Sequence[int]:
    return (figures.requests, figures.errors, *figures.tokens)


def _text(text: str) -> str:
    """Keep a spreadsheet from running a name as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
