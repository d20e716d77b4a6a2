"""After its days nothing of a record is left; before them everything is."""

import datetime as dt
import uuid

import pytest
from django.db import connection

from accounts.timeids import DAY, bound, midnight
from logs import holds, partitions, recorder, removal, retention
from logs.models import HeldRequest, ModelDay, RequestLog, RetentionRun, SecurityEntry
from tests import factories
from tests.logs.test_partitions import on_postgresql  # noqa: F401 - a fixture
from tests.logs.test_recorder import entry

TODAY = dt.date(2031, 3, 31)
NOW = midnight(TODAY) + dt.timedelta(hours=1)
DAYS = 30


def rows(*ages, **fields):
    entries = [entry(request_id=bound(TODAY - age * DAY), **fields) for age in ages]
    recorder.write(entries)
    return {age: one.request_id for age, one in zip(ages, entries, strict=True)}


def run(now=NOW, **options):
    return removal.run(now=now, actor="test", **options)


def hold(account_id, *, until=NOW + DAY, now=NOW - DAY):
    made = holds.ask(account_id=account_id, reason="order 7", ends_at=until, actor="a", now=now)
    holds.approve(made.pk, actor="b", now=now)
    return made


@pytest.fixture
def window(transactional_db, settings):
    """Thirty days before a day in 2031: today's own partitions are old then, and come back."""
    settings.LOG_RETENTION_DAYS = DAYS
    run(is_forced=True)
    RetentionRun.objects.update(started_at=NOW - dt.timedelta(hours=2))
    yield
    partitions.ensure(today=dt.datetime.now(dt.UTC).date())


@pytest.mark.clause("4.3-retention")
def test_rows_older_than_the_window_are_gone(window):
    ids = rows(0, DAYS - 1, DAYS, DAYS + 1, DAYS + 400)
    assert run().removed == {"request_log": 2}
    left = set(RequestLog.objects.values_list("request_id", flat=True))
    assert left == {ids[0], ids[DAYS - 1], ids[DAYS]}
    assert run().removed == {}


def test_a_backlog_goes_in_steps(window, monkeypatch):
    monkeypatch.setattr(retention, "DELETE_ROWS_MAX", 2)
    rows(100, 101, 102)
    first = run(steps_max=2)
    assert (first.removed, first.is_complete) == ({"request_log": 2}, False)
    second = removal.run_due(now=NOW + removal.AGAIN, actor="test")
    assert (second.removed, second.is_complete) == ({"request_log": 1}, True)
    assert removal.run_due(now=NOW + 2 * removal.AGAIN, actor="test") is None


@pytest.mark.postgresql
def test_old_partitions_are_dropped_whole(on_postgresql, window):  # noqa: F811
    old = TODAY - (DAYS + 9) * DAY
    partitions.ensure(today=old)
    recorder.write([entry(request_id=bound(old))])
    report = run()
    assert (report.removed, report.is_complete) == ({"request_log": 1}, True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"logs_requestlog_{old:%Y%m%d}"])
        assert cursor.fetchone() == (None,)
    assert RequestLog.objects.count() == 0


def test_the_recorders_upkeep_forgets_where_no_task_does(window):
    rows(DAYS + 5)
    partitions.Upkeep().run(now=NOW)
    assert RequestLog.objects.count() == 0
    assert RetentionRun.objects.latest("pk").actor == "recorder"
    rows(DAYS + 5)
    partitions.Upkeep().run(now=NOW + dt.timedelta(hours=1))  # a task's turn still
    assert RequestLog.objects.count() == 1


@pytest.mark.clause("4.3-legal-hold")
def test_rows_of_a_held_account_survive_and_others_do_not(window):
    alice, bob = (factories.account_of(factories.user(name)) for name in ("alice", "bob"))
    kept = rows(DAYS + 3, account_id=alice.pk, source_ip="192.0.2.7", tag="team")[DAYS + 3]
    rows(DAYS + 4, account_id=bob.pk)
    hold(alice.pk)
    report = run()
    assert (report.removed, report.held) == ({"request_log": 2}, {"request_log": 1})
    assert RequestLog.objects.count() == 0
    held = HeldRequest.objects.get()
    assert (held.request_id, held.source_ip, held.tag) == (kept, "192.0.2.7", "team")
    assert run(now=NOW + DAY / 2).removed == {}
    # Its day comes, and nobody has to do anything.
    assert run(now=NOW + DAY).removed == {"held_requests": 1}
    assert HeldRequest.objects.count() == 0


@pytest.mark.postgresql
@pytest.mark.clause("4.3-legal-hold")
def test_held_rows_leave_their_partition_before_it_goes(on_postgresql, window):  # noqa: F811
    old = TODAY - (DAYS + 9) * DAY
    partitions.ensure(today=old)
    alice, bob = (factories.account_of(factories.user(name)) for name in ("alice", "bob"))
    rows(DAYS + 9, account_id=alice.pk)
    rows(DAYS + 8, account_id=bob.pk)
    hold(alice.pk)
    report = run()
    assert (report.removed, report.held) == ({"request_log": 2}, {"request_log": 1})
    assert HeldRequest.objects.get().account_id == alice.pk


@pytest.mark.clause("4.3-legal-hold")
def test_the_security_log_lives_its_own_days_and_obeys_holds(window, settings):
    settings.JURISDICTION = "CN"
    old = TODAY - 185 * DAY
    partitions.ensure(today=old)
    alice, bob = (factories.account_of(factories.user(name)) for name in ("alice", "bob"))
    rows(185, account_id=alice.pk, source_ip="192.0.2.7")
    rows(186, account_id=bob.pk)
    ids = rows(184, 40, account_id=bob.pk, source_ip="192.0.2.8")
    hold(alice.pk)
    report = run()
    assert report.removed == {"request_log": 4, "security_log": 1}
    assert report.held == {"request_log": 1}
    left = SecurityEntry.objects.order_by("id")
    assert [(one.account_id, one.source_ip) for one in left] == [
        (alice.pk, "192.0.2.7"), (bob.pk, "192.0.2.8"), (bob.pk, "192.0.2.8"),
    ]  # fmt: skip
    assert not {one.id for one in left} & set(ids.values())  # ids of its own
    assert run(now=NOW + 2 * DAY).removed == {"security_log": 2, "held_requests": 1}


def test_nothing_is_written_to_the_security_log_where_no_law_asks(window):
    rows(1)
    assert SecurityEntry.objects.count() == 0


def test_a_hold_needs_two_people_a_reason_and_an_end(db):
    account = factories.account_of(factories.user("alice"))
    ask = {"account_id": account.pk, "reason": "order 7", "ends_at": NOW + DAY, "actor": "a"}

    def refused(**changes):
        with pytest.raises(holds.NoHold) as caught:
            holds.ask(**(ask | changes), now=NOW)
        return caught.value.rule

    assert refused(account_id=0) == "account"
    assert refused(reason=" ") == "reason"
    assert refused(ends_at=NOW) == "end"
    assert refused(ends_at=NOW + 731 * DAY) == "end"
    made = holds.ask(**ask, now=NOW)
    assert holds.held_accounts(now=NOW) == frozenset()
    with pytest.raises(holds.NoHold, match="same"):
        holds.approve(made.pk, actor="a", now=NOW)
    holds.approve(made.pk, actor="b", now=NOW)
    assert holds.held_accounts(now=NOW) == {account.pk}
    with pytest.raises(holds.NoHold, match="state"):
        holds.approve(made.pk, actor="c", now=NOW)
    holds.end(made.pk, actor="a", now=NOW)
    assert holds.held_accounts(now=NOW) == frozenset()
    with pytest.raises(holds.NoHold, match="state"):
        holds.end(made.pk, actor="a", now=NOW)


def test_a_clock_that_jumps_a_year_destroys_nothing(window):
    rows(1, 20)
    run()
    jumped = NOW + 365 * DAY
    report = run(now=jumped)
    assert (report.removed, report.is_held_back, report.is_complete) == ({}, True, False)
    assert RequestLog.objects.count() == 2
    # Rows written under the wrong clock are no witnesses for it.
    recorder.write([entry(request_id=bound(jumped.date()))])
    assert run(now=jumped + DAY).is_held_back
    # Set right, everything goes on; staff may also say that it is right.
    assert not run(now=NOW + DAY).is_held_back
    assert run(now=jumped + 2 * DAY, is_forced=True).removed["request_log"] == 2


def test_a_clock_that_stays_ahead_is_believed_after_three_days(window):
    rows(1)
    run()
    back = NOW + 60 * DAY  # the installation was switched off for two months
    assert [run(now=back + n * DAY).is_held_back for n in range(4)] == [True, True, True, False]
    assert RequestLog.objects.count() == 0


def test_before_the_first_run_the_newest_row_tells_the_time(window):
    RetentionRun.objects.all().delete()
    rows(10, 50)
    assert run().is_held_back
    RetentionRun.objects.all().delete()
    rows(0)
    assert run().removed == {"request_log": 1}


def test_one_run_at_a_time_and_a_killed_one_makes_room(window):
    RetentionRun.objects.create(started_at=NOW, actor="other")
    with pytest.raises(removal.Busy):
        run(now=NOW + dt.timedelta(minutes=5))
    assert removal.run_due(now=NOW + dt.timedelta(minutes=5), actor="test") is None
    assert run(now=NOW + 2 * removal.DEAD_AFTER).is_complete
    assert RetentionRun.objects.get(actor="other").errors == {"run": "killed"}


def test_what_fails_in_one_class_keeps_no_other(window):
    rows(DAYS + 1)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_webhookevent RENAME TO away")
    try:
        report = run()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO billing_webhookevent")
    assert report.removed == {"request_log": 1}
    assert list(report.errors) == ["webhook_events"]
    assert not report.is_complete


def test_a_preview_removes_nothing(window):
    alice = factories.account_of(factories.user("alice"))
    rows(DAYS + 1, DAYS + 2, account_id=alice.pk)
    hold(alice.pk)
    assert removal.preview(now=NOW)["request_log"] == (2, 2)
    assert RequestLog.objects.count() == 2


@pytest.mark.sqlite
def test_sqlite_gives_its_pages_back(window):
    first = bound(TODAY - 40 * DAY).int
    many = [entry(request_id=uuid.UUID(int=first + n), tag="x" * 60) for n in range(3_000)]
    recorder.write(many)
    run()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum")
        assert cursor.fetchone() == (2,)
        cursor.execute("PRAGMA freelist_count")
        assert cursor.fetchone() == (0,)


def test_anonymous_sums_are_kept_of_many_accounts_only(window):
    day = TODAY - (DAYS + 2) * DAY
    first = bound(day).int

    entries = [
        entry(request_id=uuid.UUID(int=first + n), account_id=n, model="a/big", vendor="v",
              jurisdiction="US", input_tokens=10, output_tokens=2, total_ms=100)
        for n in range(1, 21)
    ]  # fmt: skip
    entries += [
        entry(request_id=uuid.UUID(int=first + 100 + n), account_id=n, model=f"b/{n % 3}",
              vendor="w", input_tokens=1, status=500 if n == 1 else 200)
        for n in range(1, 25)
    ]  # fmt: skip
    entries.append(entry(request_id=uuid.UUID(int=first + 999), model="a/big"))
    recorder.write(entries)
    run()
    kept = {one.model: one for one in ModelDay.objects.all()}
    assert set(kept) == {"a/big", "other"}
    big, other = kept["a/big"], kept["other"]
    assert (big.accounts, big.requests, big.input_tokens, big.output_tokens) == (20, 20, 200, 40)
    assert (big.vendor, big.jurisdiction, sum(big.latencies.values())) == ("v", "US", 20)
    assert (other.accounts, other.requests, other.errors, other.vendor) == (24, 24, 1, "")
    assert RequestLog.objects.count() == 0


def test_of_fewer_than_twenty_accounts_nothing_is_kept(window):
    rows(*range(31, 50), account_id=5)
    run()
    assert ModelDay.objects.count() == 0
