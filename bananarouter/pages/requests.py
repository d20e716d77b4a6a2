"""Requests: the list with filters and CSV, and the full story of one."""

import csv
import re
import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse

from accounts import roles
from bananarouter.pages import activity, words
from bananarouter.pages.shell import Page, Private
from billing.money import decimal_usd
from logs.models import RequestLog

CSV_COLUMNS = (
    "request_id", "created_at", "surface", "model", "endpoint", "vendor", "jurisdiction",
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "is_estimated", "cost_usd", "first_byte_ms", "total_ms", "status",
    "finish_reason", "error_code", "is_stream", "api_key_id", "source_ip",
)  # fmt: skip
# What a model can be named; PostgreSQL refuses some characters outright.
_NAME = re.compile(r"[!-~]{1,160}").fullmatch


def read_filters(request: HttpRequest) -> activity.Filters:
    """Read the filters of a URL; what makes no sense is left out."""
    status = request.GET.get("status", "")
    try:
        before = uuid.UUID(request.GET.get("before", ""))
    except ValueError:
        before = None
    model = request.GET.get("model", "")
    return activity.Filters(
        status=status if status in {"ok", "failed"} else "",
        model=model if _NAME(model) else "",
        before=before,
    )


def _query(filters: activity.Filters, **more: str) -> str:
    chosen = {"status": filters.status, "model": filters.model, **more}
    return urlencode({name: value for name, value in chosen.items() if value})


class Requests(Page):
    """The account's requests, newest first."""

    template_name = "requests.html"
    nav = "requests"
    needs = roles.may_see_requests

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        filters = read_filters(self.request)
        rows = activity.latest(self.account.pk, filters, rows_max=activity.PAGE_ROWS + 1)
        has_more = len(rows) > activity.PAGE_ROWS
        rows = rows[: activity.PAGE_ROWS]
        older = _query(filters, before=str(rows[-1].request_id)) if has_more else ""
        return super().get_context_data(
            rows=rows,
            filters=filters,
            is_filtered=bool(filters.status or filters.model),
            models=_options(activity.models_used(self.account.pk), filters.model),
            older=older,
            newest=_query(filters),
            csv_rows_max=activity.CSV_ROWS_MAX,
            **kwargs,
        )


def _options(models: list[str], chosen: str) -> list[str]:
    return models if not chosen or chosen in models else [chosen, *models]


class Download(Private):
    """The filtered requests as CSV, newest first, up to a limit."""

    needs = roles.may_see_requests

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = activity.latest(
            self.account.pk, read_filters(request), rows_max=activity.CSV_ROWS_MAX
        )
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="requests.csv"'
        writer = csv.writer(response)
        writer.writerow(CSV_COLUMNS)
        writer.writerows([_cell(row, column) for column in CSV_COLUMNS] for row in rows)
        return response


def _cell(row: RequestLog, column: str) -> str:
    if column == "cost_usd":
        return decimal_usd(row.cost_nusd)
    if column == "created_at":
        return row.created_at.isoformat(timespec="milliseconds")
    value = getattr(row, column)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


class Request(Page):
    """Everything that is kept of one request, for members of its account only."""

    template_name = "request.html"
    nav = "requests"
    needs = roles.may_see_requests

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            story = activity.story(kwargs.pop("request_id"), account_ids=self.account_ids)
        except RequestLog.DoesNotExist as error:
            raise Http404 from error
        return super().get_context_data(
            story=story,
            row=story.row,
            charge=story.charge,
            ending=words.ending(story.charge),
            failure=words.failure(story.row.error_code),
            **kwargs,
        )
