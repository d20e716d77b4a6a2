"""What an account did today and yesterday (reads only)."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Case, Count, F, IntegerField, Q, Sum, Value, When

from accounts.timeids import DAY, bound
from logs.models import RequestLog
from logs.search import FAILED_FROM


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Sums over one UTC day."""

    requests: int = 0
    errors: int = 0
    spent_nusd: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.prompt_tokens + self.completion_tokens


def two_days(account_id: int, *, today: dt.date) -> tuple[Day, Day]:
    """Return the sums of today and of yesterday; one query."""
    is_today = Case(
        When(request_id__gte=bound(today), then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    rows = (
        RequestLog.objects.filter(account_id=account_id, request_id__gte=bound(today - DAY))
        .values(is_today=is_today)
        .order_by()
        .annotate(
            requests=Count("request_id"),
            errors=Count("request_id", filter=Q(status__gte=FAILED_FROM)),
            spent_nusd=Sum("cost_nusd"),
            prompt_tokens=Sum(F("input_tokens") + F("cache_read_tokens") + F("cache_write_tokens")),
            completion_tokens=Sum(F("output_tokens") + F("reasoning_tokens")),
        )
    )
    days = {
        row["is_today"]: Day(
            requests=row["requests"],
            errors=row["errors"],
            spent_nusd=row["spent_nusd"] or 0,
            prompt_tokens=row["prompt_tokens"] or 0,
            completion_tokens=row["completion_tokens"] or 0,
        )
        for row in rows
    }
    return days.get(1, Day()), days.get(0, Day())
