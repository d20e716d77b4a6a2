"""The log's sums are compared with the ledger to the nano-dollar, and each difference is named."""

import uuid

import pytest
from django.core.management import CommandError, call_command

from accounts.timeids import DAY
from bananarouter import usage_audit
from bananarouter.usage_audit import Cause
from billing import closing, ledger
from billing.models import Lease
from logs import recorder, rollups, sums
from logs.models import RequestLog, UsageHour
from tests.billing.conftest import USD, make_wallet  # noqa: F401 - a fixture
from tests.billing.test_spending import TODAY, at, charge, lease_of
from tests.logs.test_recorder import entry


@pytest.fixture
def account_id(make_wallet):  # noqa: F811
    return make_wallet(10 * USD)


def log(made, cost_nusd, **fields):
    recorder.write([entry(
        request_id=made.request_id, account_id=made.wallet_id, api_key_id=5, cost_nusd=cost_nusd,
        model="a/m", vendor="v", **fields,
    )])  # fmt: skip


def found(since=TODAY, until=TODAY + DAY):
    return usage_audit.differences(since=since, until=until, today=TODAY)


def told(difference):
    return [
        (one.request_id, one.cause, one.logged_nusd, one.charged_nusd)
        for one in usage_audit.requests(difference)
    ]


def test_equal_books_have_no_difference(account_id):
    old = TODAY - 9 * DAY
    closed, live = lease_of(account_id), None
    for day, hour, cost in ((TODAY, 9, 3), (TODAY, 10, 4), (old, 7, 5)):
        log(charge(closed, cost, at=at(day, hour)), cost)
    closing.close(closed, state=Lease.State.CLOSED)
    live = lease_of(account_id)
    log(charge(live, 6, at=at(TODAY, 10)), 6)
    sums.fold(today=TODAY)
    assert found(since=old) == []


def test_each_cause_of_a_difference_is_named_and_corrected(account_id):
    lease = lease_of(account_id)
    lost = charge(lease, 7, at=at(TODAY, 9), state="estimated", reason="crash")
    swept = charge(lease, 9, at=at(TODAY, 10), state="estimated", reason="crash")
    forgiven = charge(lease, 11, at=at(TODAY, 11), reason="goodwill")
    log(swept, 0)
    log(forgiven, 11)
    log(charge(lease, 13, at=at(TODAY, 12)), 13)
    closing.close(lease, state=Lease.State.CLOSED)
    hours = found()
    assert [(one.at.hour, one.logged_nusd, one.charged_nusd) for one in hours] == [
        (9, 0, 7), (10, 0, 9), (11, 11, 0),
    ]  # fmt: skip
    assert [told(one) for one in hours] == [
        [(lost.request_id, Cause.NO_ROW, 0, 7)],
        [(swept.request_id, Cause.COST, 0, 9)],
        [(forgiven.request_id, Cause.COST, 11, 0)],
    ]
    assert sum(usage_audit.correct(list(usage_audit.requests(one))) for one in hours) == 2
    assert [told(one) for one in found()] == [[(lost.request_id, Cause.NO_ROW, 0, 7)]]
    assert RequestLog.objects.get(pk=swept.request_id).cost_nusd == 9


def test_what_is_given_back_late_counts(account_id):
    lease = lease_of(account_id)
    swept = charge(lease, 900, at=at(TODAY, 10), state="estimated", reason="crash")
    log(swept, 0)
    closing.close(lease, state=Lease.State.CLOSED)
    ledger.correct(request_id=swept.request_id, cost_nusd=600, actor="test")
    (hour,) = found()
    assert (hour.logged_nusd, hour.charged_nusd) == (0, 600)
    usage_audit.correct(list(usage_audit.requests(hour)))
    assert found() == []


def test_a_row_nobody_was_charged_for_is_found(account_id):
    made = entry(request_id=uuid.UUID(int=charge_id().int), account_id=account_id, cost_nusd=5)
    recorder.write([made])
    (hour,) = found()
    assert told(hour) == [(made.request_id, Cause.NO_CHARGE, 5, 0)]
    usage_audit.correct(list(usage_audit.requests(hour)))
    assert found() == []


def charge_id():
    from accounts.timeids import uuid7_at  # noqa: PLC0415

    return uuid7_at(at(TODAY, 10))


def test_sums_that_are_wrong_themselves_name_no_request(account_id):
    lease = lease_of(account_id)
    log(charge(lease, 13, at=at(TODAY, 12)), 13)
    UsageHour.objects.update(cost_nusd=14)
    (hour,) = found()
    assert told(hour) == []
    rollups.rebuild(TODAY, today=TODAY)
    assert found() == []


def test_the_command_fails_on_a_difference_and_can_correct_it(account_id, capsys, monkeypatch):
    lease = lease_of(account_id)
    swept = charge(lease, 9, at=at(TODAY, 10))
    log(swept, 0)
    days = {"first": TODAY, "last": TODAY}
    with pytest.raises(CommandError, match="1 accounts' hours"):
        call_command("reconcile_usage", **days)
    assert f"gen-{swept.request_id.hex}: logged 0, charged 9" in capsys.readouterr().out
    call_command("reconcile_usage", **days, correct=True)
    assert "equal to the nano-dollar" in capsys.readouterr().out
