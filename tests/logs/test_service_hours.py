"""Hourly sums of how endpoints served: right, made once, and silent about few."""

import datetime as dt

import pytest

from logs import recorder, service_hours
from logs.models import RequestLog, ServiceHour
from logs.service_hours import ACCOUNTS_MIN, HOUR, REQUESTS_MIN, STEPS, Sum
from routing.error_codes import Code
from tests.logs.test_recorder import entry

NOW = dt.datetime(2026, 11, 23, 12, 50, tzinfo=dt.UTC)
NOON = NOW.replace(minute=0)


def log(at: dt.datetime, *, account: int = 1, **fields) -> None:
    number = RequestLog.objects.count()
    request_id = service_hours._first_id(at).int + (7 << 76) + number
    values = {"endpoint": "us:openai/alpha", "vendor": "openai", "account_id": account, **fields}
    recorder.write([entry(request_id=type(service_hours._first_id(at))(int=request_id), **values)])


def test_codes_of_a_vendors_failure_are_told_by_their_names():
    failures = [code for code in Code if code.value.startswith("upstream_")]
    assert Code.STREAM_INTERRUPTED.value == "stream_interrupted"
    assert set(failures) == {
        Code.UPSTREAM_AUTH, Code.UPSTREAM_MODEL, Code.UPSTREAM_RATE_LIMIT,
        Code.UPSTREAM_OVERLOADED, Code.UPSTREAM_TIMEOUT, Code.UPSTREAM_CONNECT,
        Code.UPSTREAM_INVALID, Code.UPSTREAM_ERROR,
    }  # fmt: skip


@pytest.mark.django_db
def test_a_span_is_summed_by_endpoint_and_what_is_outside_is_not():
    log(NOON - dt.timedelta(milliseconds=1))
    log(NOON, first_byte_ms=50)
    log(NOON, account=2, first_byte_ms=51)
    log(NOON, account=2, status=502, error_code="upstream_error", first_byte_ms=None)
    log(NOON, status=400, error_code="invalid_value", first_byte_ms=90_000)
    log(NOON, endpoint="fr:openai/alpha", vendor="mistral", error_code="stream_interrupted")
    log(NOON, endpoint=None, vendor=None, status=402, error_code="insufficient_credit")
    log(NOON + HOUR)
    found = {each.endpoint: each for each in service_hours.measure(start=NOON, end=NOON + HOUR)}
    assert set(found) == {"us:openai/alpha", "fr:openai/alpha"}
    own = found["us:openai/alpha"]
    assert (own.requests, own.failures, own.accounts, own.vendor) == (4, 1, 2, "openai")
    assert own.first_bytes[:2] == (1, 1)
    assert own.first_bytes[-1] == 1
    assert sum(own.first_bytes) == 3
    assert found["fr:openai/alpha"].failures == 1


@pytest.mark.django_db
def test_an_hour_is_closed_once_and_only_when_its_streams_have_ended():
    log(NOON - 5 * HOUR)
    log(NOON - 2 * HOUR)
    log(NOON - HOUR)
    log(NOON)
    assert service_hours.close_hours(now=NOON + dt.timedelta(minutes=34)) == 2
    assert service_hours.close_hours(now=NOON + dt.timedelta(minutes=35)) == 1
    assert service_hours.close_hours(now=NOON + dt.timedelta(minutes=36)) == 0
    hours = ServiceHour.objects.order_by("hour").values_list("hour", "requests")
    assert list(hours) == [(NOON - 5 * HOUR, 1), (NOON - 2 * HOUR, 1), (NOON - HOUR, 1)]
    assert service_hours.open_since(now=NOW) == NOON


@pytest.mark.django_db
def test_an_hour_that_another_process_closed_stays_as_it_is():
    log(NOON - 2 * HOUR)
    service_hours._close(NOON - 2 * HOUR)
    log(NOON - 2 * HOUR)
    service_hours._close(NOON - 2 * HOUR)
    assert ServiceHour.objects.get().requests == 1


@pytest.mark.django_db
def test_a_backlog_goes_in_steps_and_gaps_are_jumped_over():
    for n in range(service_hours.HOURS_PER_RUN_MAX + 2):
        log(NOON - (3 + 2 * n) * HOUR)
    assert service_hours.close_hours(now=NOW) == service_hours.HOURS_PER_RUN_MAX
    assert service_hours.close_hours(now=NOW) == 2


@pytest.mark.django_db
def test_sums_are_forgotten_after_a_week_and_older_requests_are_not_summed():
    ServiceHour.objects.create(hour=NOON - 8 * 24 * HOUR, endpoint="x", vendor="x")
    log(NOON - 8 * 24 * HOUR)
    log(NOON - 3 * HOUR)
    assert service_hours.close_hours(now=NOW) == 1
    assert [row.hour for row in ServiceHour.objects.all()] == [NOON - 3 * HOUR]


@pytest.mark.django_db
def test_nothing_in_a_sum_names_an_account():
    names = {field.name for field in ServiceHour._meta.get_fields()}
    assert not {name for name in names if "account_id" in name or "key" in name or "ip" in name}


@pytest.mark.parametrize(
    ("requests", "accounts", "is_simulated", "is_told"),
    [
        (REQUESTS_MIN, ACCOUNTS_MIN, False, True),
        (REQUESTS_MIN - 1, ACCOUNTS_MIN, False, False),
        (10_000, ACCOUNTS_MIN - 1, False, False),
        (REQUESTS_MIN, 1, True, True),
        (REQUESTS_MIN - 1, 9, True, False),
        (0, 0, True, False),
    ],
)
def test_few_are_not_told_of(requests, accounts, is_simulated, is_told):
    found = Sum(requests=requests, accounts=accounts)
    assert found.may_be_told(is_simulated=is_simulated) is is_told


def test_accounts_of_several_hours_are_never_added_up():
    found = service_hours.total([Sum(requests=15, accounts=2), Sum(requests=15, accounts=2)])
    assert (found.requests, found.accounts) == (30, 2)
    assert not found.may_be_told()


def test_shares_and_times_are_never_better_than_they_were():
    found = Sum(requests=3, failures=1, first_bytes=(1, 0, 1, *[0] * (len(STEPS) - 2)))
    assert found.answered_ppm() == 666_666
    assert found.first_byte_ms(50) == STEPS[0]
    assert found.first_byte_ms(95) == STEPS[2]
    assert Sum().first_byte_ms(50) is None
    endless = Sum(first_bytes=(*[0] * len(STEPS), 5))
    assert endless.first_byte_ms(50) is None
