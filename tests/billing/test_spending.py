"""Sums by hour and day are what the ledger took, to the nano-dollar, whatever happened."""

import datetime as dt
import importlib
import random
import uuid

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from accounts.hours import from_sql, hour_sql
from accounts.timeids import DAY, bound, moment, uuid7
from billing import closing, ledger, spending, vault
from billing.models import Charge, Lease, LedgerAccount, SpendHour, Wallet
from billing.spending import Part
from tests.billing.conftest import USD, wallet

TODAY = dt.date(2026, 11, 26)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def account_id(make_wallet):
    return make_wallet(10 * USD)


def lease_of(account_id, amount_nusd=USD, **fields):
    Wallet.objects.filter(pk=account_id).update(leased_nusd=amount_nusd)
    return Lease.objects.create(
        worker=uuid.uuid4(), wallet_id=account_id, amount_nusd=amount_nusd,
        created_at=timezone.now(), **fields,
    )  # fmt: skip


def charge(lease, cost_nusd, *, at=None, key_id=5, **fields):
    """A charge of the lease, asked for at some time."""
    request_id = uuid7()
    if at is not None:
        tail = request_id.int & ((1 << 76) - 1)
        request_id = uuid.UUID(int=bound(at.date()).int + (_millis(at) << 80) + (7 << 76) + tail)
    values = {"state": "settled", "reason": "normal", "endpoint": "a:m", **fields}
    return Charge.objects.create(
        request_id=request_id, lease_id=lease.pk, wallet_id=lease.wallet_id, api_key_id=key_id,
        hold_nusd=1_000, cost_nusd=cost_nusd, **values,
    )  # fmt: skip


def _millis(at):
    return round(
        (at - dt.datetime.combine(at.date(), dt.time(), tzinfo=dt.UTC)).total_seconds() * 1000
    )


def at(day, hour, minute=0, second=0, millis=0):
    return dt.datetime.combine(day, dt.time(hour, minute, second, millis * 1000), tzinfo=dt.UTC)


def hours(account_id):
    rows = SpendHour.objects.filter(wallet_id=account_id).order_by("hour", "api_key_id", "endpoint")
    return [(r.hour, r.api_key_id, r.endpoint, r.requests, r.cost_nusd) for r in rows]


def spent(account_id, *, since=TODAY, until=TODAY + DAY, **asked):
    return spending.spent(account_id, since=since, until=until, **asked)


# Hours of ids


@pytest.mark.django_db
@pytest.mark.parametrize("when", [
    at(TODAY, 0), at(TODAY, 0, 59, 59, 999), at(TODAY, 23, 59, 59, 999),
    at(dt.date(2024, 2, 29), 12, 30), at(dt.date(1970, 1, 1), 1), at(dt.date(9999, 12, 31), 23),
])  # fmt: skip
def test_the_database_reads_the_hour_of_an_id_as_we_do(account_id, when):
    made = charge(lease_of(account_id), 1, at=when)
    with connection.cursor() as cursor:
        hour = hour_sql(connection.vendor, "c.request_id")
        cursor.execute(f"SELECT {hour} FROM billing_charge c WHERE 1 = %s", [1])  # noqa: S608
        (found,) = cursor.fetchone()
    wanted = moment(made.request_id).replace(minute=0, second=0, microsecond=0)
    assert from_sql(found) == wanted == when.replace(minute=0, second=0, microsecond=0)


# Closing


def test_a_closing_adds_each_charge_to_its_hour_key_and_endpoint(account_id, clean):
    lease = lease_of(account_id)
    charge(lease, 3, at=at(TODAY, 9, 59, 59, 999))
    charge(lease, 4, at=at(TODAY, 10))
    charge(lease, 5, at=at(TODAY, 10, 59))
    charge(lease, 6, at=at(TODAY, 10), key_id=None)
    charge(lease, 7, at=at(TODAY, 10), endpoint=None, state="estimated", reason="crash")
    charge(lease, 0, at=at(TODAY, 10), state="voided", reason="upstream_error")
    charge(lease, 0, at=at(TODAY, 11))  # a free model's
    closing.close(lease, state=Lease.State.CLOSED)
    assert hours(account_id) == [
        (at(TODAY, 9), 5, "a:m", 1, 3),
        (at(TODAY, 10), 0, "a:m", 1, 6),
        (at(TODAY, 10), 5, "", 1, 7),
        (at(TODAY, 10), 5, "a:m", 2, 9),
        (at(TODAY, 11), 5, "a:m", 1, 0),
    ]
    assert wallet(account_id).debit_nusd == wallet(account_id).spent_nusd == 25


def test_a_second_lease_adds_to_the_same_hour(account_id, clean):
    for cost in (3, 4):
        lease = lease_of(account_id)
        charge(lease, cost, at=at(TODAY, 9))
        closing.close(lease, state=Lease.State.CLOSED)
    assert hours(account_id) == [(at(TODAY, 9), 5, "a:m", 2, 7)]


def test_what_is_forgiven_is_in_no_hour(account_id, clean, settings):
    settings.GOODWILL_NUSD_PER_DAY = 10
    lease = lease_of(account_id)
    charge(lease, 8, at=at(TODAY, 9), reason="goodwill")
    charge(lease, 5, at=at(TODAY, 9, 1), reason="goodwill")  # beyond the day's
    charge(lease, 2, at=at(TODAY, 9))
    assert spent(account_id).total_nusd == 15  # until the closing decides
    closing.close(lease, state=Lease.State.CLOSED)
    assert hours(account_id) == [(at(TODAY, 9), 5, "a:m", 2, 7)]
    assert spent(account_id).total_nusd == wallet(account_id).debit_nusd == 7


def test_a_reclaimed_lease_has_its_hours_too(account_id, clean):
    lease = lease_of(account_id)
    charge(lease, 4, at=at(TODAY, 9))
    charge(lease, None, at=at(TODAY, 9), state="open", reason=None, checkpoint_nusd=6)
    assert vault.reclaim(lease.pk, wallet_id=account_id)
    assert hours(account_id) == [(at(TODAY, 9), 5, "a:m", 2, 10)]


def test_strays_that_end_with_their_lease_are_in_their_hour(account_id, clean):
    lease = lease_of(account_id)
    open_one = {"state": "open", "reason": None, "endpoint": None}
    charge(lease, None, at=at(TODAY, 9), checkpoint_nusd=6, **open_one)
    charge(lease, None, at=at(TODAY, 9), **open_one)  # a refused intent
    closing.close(lease, state=Lease.State.CLOSED)
    assert hours(account_id) == [(at(TODAY, 9), 5, "", 1, 6)]


def test_a_lease_without_charges_writes_no_hour(account_id, clean):
    closing.close(lease_of(account_id), state=Lease.State.CLOSED)
    assert hours(account_id) == []


def test_a_correction_is_money_back_and_changes_no_hour(account_id, clean):
    lease = lease_of(account_id)
    made = charge(lease, None, at=at(TODAY, 9), state="open", reason=None, checkpoint_nusd=9)
    vault.reclaim(lease.pk, wallet_id=account_id)
    ledger.correct(request_id=made.pk, cost_nusd=2, actor="test")
    assert spent(account_id).total_nusd == wallet(account_id).debit_nusd == 9
    assert wallet(account_id).credit_nusd == 10 * USD + 7


def test_a_closing_that_fails_leaves_no_hour(account_id, clean):
    lease = lease_of(account_id)
    charge(lease, 4)
    Wallet.objects.filter(pk=account_id).update(leased_nusd=0)
    with pytest.raises(closing.LeaseBroken), transaction.atomic():
        closing.close(lease, state=Lease.State.CLOSED)
    assert hours(account_id) == []
    Wallet.objects.filter(pk=account_id).update(leased_nusd=USD)


# The audit


@pytest.mark.django_db
@pytest.mark.parametrize("change", [
    lambda: SpendHour.objects.update(cost_nusd=3),
    lambda: SpendHour.objects.all().delete(),
    lambda: Wallet.objects.update(spent_nusd=5),
])  # fmt: skip
def test_the_audit_finds_hours_that_are_not_the_ledgers(account_id, change):
    lease = lease_of(account_id)
    charge(lease, 4)
    closing.close(lease, state=Lease.State.CLOSED)
    assert ledger.audit() == []
    change()
    assert {finding.rule for finding in ledger.audit()} == {"I11"}
    assert not spent(account_id).ledger.is_equal


# Reading


def test_days_and_parts_are_kept_apart_and_live_leases_count(account_id, make_wallet, clean):
    lease = lease_of(account_id)
    charge(lease, 1, at=at(TODAY - DAY, 23, 59, 59, 999))
    charge(lease, 2, at=at(TODAY, 0), key_id=6, endpoint="b:m")
    closing.close(lease, state=Lease.State.CLOSED)
    live = lease_of(account_id)
    charge(live, 4, at=at(TODAY, 0, 30), key_id=6, endpoint="b:m")
    charge(live, 8, at=at(TODAY, 5))
    charge(live, 16, at=at(TODAY + DAY, 0))
    charge(live, None, at=at(TODAY, 5), state="open", reason=None)
    stranger = lease_of(make_wallet(USD))
    charge(stranger, 32, at=at(TODAY, 5))
    closing.close(stranger, state=Lease.State.CLOSED)

    found = spent(account_id, since=TODAY - DAY, until=TODAY + DAY)
    by_day = {}
    for one in found.sums:
        by_day[one.at] = by_day.get(one.at, 0) + one.cost_nusd
        assert (one.key_id, one.endpoint) == (0, "")
    assert by_day == {at(TODAY - DAY, 0): 1, at(TODAY, 0): 14}
    assert (found.total_nusd, found.live_nusd) == (15, 12)
    assert found.ledger == spending.Ledger(spent_nusd=3, hours_nusd=3, is_frozen=False)
    assert found.ledger.is_equal

    parts = spent(account_id, parts=[Part.KEY, Part.ENDPOINT], by_hour=True)
    told = sorted((one.at.hour, one.key_id, one.endpoint, one.requests, one.cost_nusd)
                  for one in parts.sums)  # fmt: skip
    assert told == [(0, 6, "b:m", 1, 2), (0, 6, "b:m", 1, 4), (5, 5, "a:m", 1, 8)]
    keys = spent(account_id, parts=[Part.KEY])
    assert {(one.key_id, one.endpoint) for one in keys.sums} == {(5, ""), (6, "")}
    assert spent(account_id, key_ids=[6]).total_nusd == 6
    assert spent(account_id, key_ids=[]).total_nusd == 0
    assert spent(account_id, since=TODAY + 9 * DAY, until=TODAY + 10 * DAY).sums == []


@pytest.mark.django_db
def test_an_account_without_a_wallet_spent_nothing():
    found = spent(987_654)
    assert (found.total_nusd, found.ledger.is_equal, found.ledger.is_frozen) == (0, True, False)


def test_a_frozen_wallet_says_so(account_id, clean):
    Wallet.objects.filter(pk=account_id).update(frozen=True)
    assert spent(account_id).ledger.is_frozen


def test_one_query_tells_all(account_id, django_assert_num_queries, clean):
    with django_assert_num_queries(1):
        spent(account_id, parts=list(Part), by_hour=True, key_ids=[1, 2])


# Folding


def test_old_hours_are_added_up_by_day_and_nothing_is_lost(account_id, make_wallet, clean):
    for owner in (account_id, make_wallet(10 * USD)):
        for hour, key_id in ((0, 5), (9, 5), (23, 5), (23, 6)):
            lease = lease_of(owner)
            charge(lease, 7, at=at(TODAY - 3 * DAY, hour), key_id=key_id)
            charge(lease, 1, at=at(TODAY - 2 * DAY, hour), key_id=key_id)
            closing.close(lease, state=Lease.State.CLOSED)
    whole = {"since": TODAY - 9 * DAY, "until": TODAY + DAY, "parts": list(Part)}

    def told():
        return {(s.at, s.key_id, s.endpoint, s.requests, s.cost_nusd)
                for s in spent(account_id, **whole).sums}  # fmt: skip

    before = told()
    assert spending.fold(today=TODAY) > 0
    assert told() == before
    assert hours(account_id)[:3] == [
        (at(TODAY - 3 * DAY, 0), 5, "a:m", 3, 21),
        (at(TODAY - 3 * DAY, 0), 6, "a:m", 1, 7),
        (at(TODAY - 2 * DAY, 0), 5, "a:m", 1, 1),
    ]
    assert len(hours(account_id)) == 6
    # A lease that closes late adds to an hour of a folded day; the next fold takes it in.
    lease = lease_of(account_id)
    charge(lease, 2, at=at(TODAY - 3 * DAY, 9))
    closing.close(lease, state=Lease.State.CLOSED)
    assert len(hours(account_id)) == 7
    spending.fold(today=TODAY)
    assert hours(account_id)[0] == (at(TODAY - 3 * DAY, 0), 5, "a:m", 4, 23)
    assert spending.fold(today=TODAY) == 0


@pytest.mark.parametrize("seed", range(3))
def test_any_range_reads_as_its_charges_whenever_hours_were_folded(seed, account_id, clean):
    dice = random.Random(seed)
    days = [TODAY - age * DAY for age in range(6)]
    made = []
    for _ in range(6):
        lease = lease_of(account_id)
        for _ in range(6):
            when, cost = at(dice.choice(days), dice.randrange(24)), dice.randrange(1_000)
            charge(lease, cost, at=when, key_id=dice.choice([5, 6]))
            made.append((when.date(), cost))
        closing.close(lease, state=Lease.State.CLOSED)
        spending.fold(today=dice.choice(days))
    for _ in range(8):
        since, until = sorted(dice.sample([*days, TODAY + DAY], 2))
        wanted = sum(cost for day, cost in made if since <= day < until)
        for parts in ([], [Part.KEY], [Part.ENDPOINT], list(Part)):
            assert spent(account_id, since=since, until=until, parts=parts).total_nusd == wanted
    assert spent(account_id).ledger.is_equal


# The migration


def test_the_migration_fills_the_hours_of_what_was_spent_before(account_id, clean):
    migration = importlib.import_module("billing.migrations.0007_spend_invariant")
    kept, gone = lease_of(account_id), None
    charge(kept, 3, at=at(TODAY, 9))
    charge(kept, 6, at=at(TODAY, 10))
    closing.close(kept, state=Lease.State.CLOSED)
    gone = lease_of(account_id)
    charge(gone, 5)
    closing.close(gone, state=Lease.State.CLOSED)
    Charge.objects.filter(lease_id=gone.pk).delete()
    # Its revenue and entries stay; an old lease's charges may be gone (I4 looks at recent ones).
    Lease.objects.filter(pk=gone.pk).update(created_at=timezone.now() - 40 * DAY)
    live = lease_of(account_id)
    charge(live, 7, at=at(TODAY, 9))
    ledger.post(
        kind="refund", ref="r", actor="test",
        legs=[
            ledger.Leg(account=ledger.account_of(LedgerAccount.Kind.FEES), amount_nusd=50),
            ledger.Leg(
                account=ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=account_id),
                amount_nusd=-50,
            ),
        ],
    )  # fmt: skip
    SpendHour.objects.all().delete()
    Wallet.objects.update(spent_nusd=0)
    with connection.schema_editor() as editor:
        migration.fill(apps, editor)
    told = hours(account_id)
    assert told[:2] == [(at(TODAY, 9), 5, "a:m", 1, 3), (at(TODAY, 10), 5, "a:m", 1, 6)]
    ((hour, *rest),) = told[2:]
    assert abs(hour - timezone.now()) < 2 * HOUR
    assert rest == [0, "", 0, 5]
    assert wallet(account_id).spent_nusd == 14
    assert wallet(account_id).debit_nusd == 64
