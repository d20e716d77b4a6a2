"""How endpoints served everybody: hourly sums without any account, made once for each hour.

Nothing is told of fewer than REQUESTS_MIN requests or ACCOUNTS_MIN accounts: what one account did
must not be read from a public page (docs/adr/0024).
"""

import datetime as dt
import uuid
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from django.db import transaction
from django.db.models import Case, Count, IntegerField, Max, Q, QuerySet, Value, When
from django.db.models import Sum as SumOf

from accounts.timeids import bound, moment
from logs.models import RequestLog, ServiceHour

REQUESTS_MIN = 20
ACCOUNTS_MIN = 3
HOUR = dt.timedelta(hours=1)
KEPT = dt.timedelta(days=7)
HOURS_PER_RUN_MAX = 24
# A row reaches the log when its request ends, under the id of its start (STREAM_TIMEOUT_S).
SETTLED_AFTER = dt.timedelta(minutes=35)
# Upper ends in milliseconds; what took longer than the last stands in one more step.
STEPS = (
    50, 100, 150, 200, 300, 400, 500, 700, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000,
    12_000, 20_000, 30_000, 60_000,
)  # fmt: skip
# The vendor failed, or we towards it: routing.error_codes of the last kind.
_IS_FAILURE = Q(error_code__startswith="upstream_") | Q(error_code="stream_interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What was served by one endpoint, or by several together."""

    endpoint: str = ""
    vendor: str = ""
    requests: int = 0
    failures: int = 0
    accounts: int = 0  # at least so many
    first_bytes: tuple[int, ...] = field(default=(0,) * (len(STEPS) + 1))

    def may_be_told(self, *, is_simulated: bool = False) -> bool:
        """Tell whether this is so many people's that it is nobody's.

        Only demo accounts reach the simulated vendor: there is no second account to hide among.
        """
        accounts_min = 1 if is_simulated else ACCOUNTS_MIN
        return self.requests >= REQUESTS_MIN and self.accounts >= accounts_min

    def answered_ppm(self) -> int:
        """Return how many of a million requests the vendor answered, rounded down."""
        return 1_000_000 * (self.requests - self.failures) // self.requests if self.requests else 0

    def first_byte_ms(self, percent: int) -> int | None:
        """Return the time within which that many percent of first bytes came; None: too long."""
        total = sum(self.first_bytes)
        counted = list(accumulate(self.first_bytes))
        step = bisect_left(counted, -(-total * percent // 100))
        return STEPS[step] if total and step < len(STEPS) else None


def total(sums: Iterable[Sum]) -> Sum:
    """Add sums up. Accounts may be the same ones, so the largest number is all that is known."""
    listed = list(sums)
    if not listed:
        return Sum()
    return Sum(
        endpoint=listed[0].endpoint,
        vendor=listed[0].vendor,
        requests=sum(each.requests for each in listed),
        failures=sum(each.failures for each in listed),
        accounts=max(each.accounts for each in listed),
        first_bytes=tuple(map(sum, zip(*(each.first_bytes for each in listed), strict=True))),
    )


def closed(*, since: dt.datetime, endpoints: Collection[str]) -> list[tuple[dt.datetime, Sum]]:
    """Return the sums of some endpoints' closed hours that began since then, with their hours."""
    rows = ServiceHour.objects.filter(hour__gte=since, endpoint__in=endpoints)
    fields = ("endpoint", "vendor", "requests", "failures", "accounts")
    return [
        (row["hour"], Sum(**{name: row[name] for name in fields},
                          first_bytes=tuple(row["first_bytes"])))
        for row in rows.values("hour", *fields, "first_bytes")
    ]  # fmt: skip


def closed_requests(*, since: dt.datetime, but: str) -> Sum:
    """Return what all vendors but one served in closed hours that began since then; no times."""
    rows = ServiceHour.objects.filter(hour__gte=since).exclude(vendor=but)
    found = rows.aggregate(
        requests=SumOf("requests"), failures=SumOf("failures"), accounts=Max("accounts")
    )
    return Sum(
        requests=found["requests"] or 0,
        failures=found["failures"] or 0,
        accounts=found["accounts"] or 0,
    )


def measure(*, start: dt.datetime, end: dt.datetime | None = None) -> list[Sum]:
    """Sum what began in a span from the log itself, for each endpoint; two queries."""
    rows = RequestLog.objects.filter(request_id__gte=_first_id(start), endpoint__isnull=False)
    if end is not None:
        rows = rows.filter(request_id__lt=_first_id(end))
    steps = _first_bytes(rows)
    counted = (
        rows.order_by()
        .values("endpoint")
        .annotate(
            at=Max("vendor"),  # an endpoint has one vendor
            requests=Count("request_id"),
            failures=Count("request_id", filter=_IS_FAILURE),
            accounts=Count("account_id", distinct=True),
        )
    )
    return [
        Sum(
            endpoint=row["endpoint"] or "",
            vendor=row["at"] or "",
            requests=row["requests"],
            failures=row["failures"],
            accounts=row["accounts"],
            first_bytes=tuple(steps.get(row["endpoint"] or "", _none())),
        )
        for row in counted
    ]


def _none() -> list[int]:
    return [0] * (len(STEPS) + 1)


def _first_bytes(rows: QuerySet[RequestLog]) -> dict[str, list[int]]:
    step = Case(
        *[When(first_byte_ms__lte=end, then=Value(n)) for n, end in enumerate(STEPS)],
        default=Value(len(STEPS)),
        output_field=IntegerField(),
    )
    timed = rows.filter(first_byte_ms__isnull=False).order_by()
    counted = timed.values_list("endpoint").annotate(step=step, requests=Count("request_id"))
    found: dict[str, list[int]] = {}
    for endpoint, number, requests in counted:
        if endpoint is not None:
            found.setdefault(endpoint, _none())[number] += requests
    return found


def _first_id(at: dt.datetime) -> uuid.UUID:
    midnight = dt.datetime.combine(at.date(), dt.time(), tzinfo=dt.UTC)
    millis = (at - midnight) // dt.timedelta(milliseconds=1)
    return uuid.UUID(int=bound(at.date()).int + (millis << 80))


def hour_of(at: dt.datetime) -> dt.datetime:
    """Return the beginning of an hour (UTC)."""
    return at.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def close_hours(*, now: dt.datetime) -> int:
    """Sum the hours that are over, each once; return how many.

    Many processes may do so at once: the first row of an hour and an endpoint stands. A long
    backlog goes in steps. Raises: DatabaseError.
    """
    done = 0
    start = open_since(now=now)
    while done < HOURS_PER_RUN_MAX:
        hour = _next_hour(start)
        if hour is None or hour + HOUR + SETTLED_AFTER > now:
            break
        _close(hour)
        start = hour + HOUR
        done += 1
    ServiceHour.objects.filter(hour__lt=hour_of(now - KEPT)).delete()
    return done


def open_since(*, now: dt.datetime) -> dt.datetime:
    """Return the beginning of what no closed hour holds yet, at most KEPT ago; one query."""
    latest = ServiceHour.objects.order_by("-hour").values_list("hour", flat=True).first()
    oldest = hour_of(now - KEPT)
    return max(latest + HOUR, oldest) if latest else oldest


def _next_hour(start: dt.datetime) -> dt.datetime | None:
    """Return the hour of the first request since then that reached a vendor."""
    later = RequestLog.objects.filter(request_id__gte=_first_id(start), endpoint__isnull=False)
    first = later.order_by("request_id").values_list("request_id", flat=True).first()
    return hour_of(moment(first)) if first else None


def _close(hour: dt.datetime) -> None:
    sums = measure(start=hour, end=hour + HOUR)
    with transaction.atomic():
        ServiceHour.objects.bulk_create(
            [
                ServiceHour(
                    hour=hour,
                    endpoint=each.endpoint,
                    vendor=each.vendor,
                    requests=each.requests,
                    failures=each.failures,
                    accounts=each.accounts,
                    first_bytes=list(each.first_bytes),
                )
                for each in sums
            ],
            ignore_conflicts=True,
        )
