"""What keys and days cost is what the charges say, and what budgets leave."""

import asyncio
import datetime as dt
import uuid

import pytest
from django.utils import timezone

from accounts.models import ApiKey
from accounts.timeids import DAY, bound
from billing import budgets, queries
from billing.models import Charge, Lease
from tests.billing.conftest import USD, open_bank, open_charge, run, settlement

TODAY = dt.date(2026, 11, 26)  # a Thursday


@pytest.fixture
def account_id(make_wallet):
    return make_wallet(10 * USD)


@pytest.fixture
def key_id(make_key, account_id):
    return make_key(account_id)


def lease_of(account_id):
    found = Lease.objects.filter(wallet_id=account_id).first()
    return found or Lease.objects.create(
        worker="0" * 32, wallet_id=account_id, amount_nusd=USD, created_at=timezone.now()
    )


def charge(account_id, key_id, day, cost_nusd, *, n=1, **fields):
    values = {"state": "settled", "reason": "normal", "endpoint": "a:m", **fields}
    return Charge.objects.create(
        request_id=uuid.UUID(int=bound(day).int + n),
        lease_id=lease_of(account_id).pk, wallet_id=account_id, api_key_id=key_id,
        hold_nusd=1_000, cost_nusd=cost_nusd, **values,
    )  # fmt: skip


def spent(account_id, key_id):
    found = queries.spent_by_key(account_id, today=TODAY, key_ids=[key_id])
    return found.get(key_id, queries.Spent())


@pytest.mark.parametrize(("day", "windows"), [
    (TODAY, "day week month"),
    (dt.date(2026, 11, 23), "week month"),  # Monday
    (dt.date(2026, 11, 22), "month"),  # Sunday of the week before
    (dt.date(2026, 11, 1), "month"),
    (dt.date(2026, 10, 31), ""),
    (dt.date(2020, 1, 1), ""),
])  # fmt: skip
def test_weeks_begin_on_monday_and_months_on_the_first(account_id, key_id, day, windows):
    charge(account_id, key_id, day, 70)
    told = spent(account_id, key_id)
    assert told.total_nusd == 70
    for name in ("day", "week", "month"):
        assert getattr(told, f"{name}_nusd") == (70 if name in windows.split() else 0)


def test_another_keys_and_accounts_charges_do_not_count(account_id, key_id, make_wallet, make_key):
    stranger = make_wallet(USD)
    charge(account_id, make_key(account_id), TODAY, 5, n=1)
    charge(stranger, make_key(stranger), TODAY, 6, n=2)
    charge(account_id, None, TODAY, 7, n=3)
    assert spent(account_id, key_id) == queries.Spent()
    # Somebody else's key is no key of this account.
    other = ApiKey.objects.get(account_id=stranger)
    assert queries.spent_by_key(account_id, today=TODAY, key_ids=[other.pk]) == {}


def test_what_runs_and_what_was_forgiven_is_not_spent(account_id, key_id):
    charge(account_id, key_id, TODAY, None, n=1, state="open", reason=None)
    charge(account_id, key_id, TODAY, 9, n=2, reason="goodwill", corrected=True)
    charge(account_id, key_id, TODAY, 4, n=3, reason="goodwill")
    charge(account_id, key_id, TODAY, 3, n=4, reason="crash", corrected=True, state="estimated")
    assert spent(account_id, key_id).total_nusd == 7


def test_days_are_those_of_the_request_and_endpoints_stay_apart(account_id, key_id):
    days = [TODAY - DAY, TODAY]
    charge(account_id, key_id, TODAY - 2 * DAY, 1, n=1)
    charge(account_id, key_id, TODAY - DAY, 2, n=2)
    charge(account_id, key_id, TODAY - DAY, 3, n=3, endpoint="b:m")
    charge(account_id, key_id, TODAY, 4, n=4)
    charge(account_id, None, TODAY, 5, n=5)
    charge(account_id, key_id, TODAY, 0, n=6, state="voided", reason="upstream_error")
    charge(account_id, key_id, TODAY + DAY, 6, n=7)
    told = [(b.date, b.endpoint, b.requests, b.cost_nusd)
            for b in queries.billed_by_day(account_id, days=days)]  # fmt: skip
    assert told == [
        (TODAY - DAY, "a:m", 1, 2), (TODAY - DAY, "b:m", 1, 3), (TODAY, "a:m", 2, 9),
    ]  # fmt: skip
    own = queries.billed_by_day(account_id, days=days, key_id=key_id)
    assert [b.cost_nusd for b in own] == [2, 3, 4]


def key_limits(account_id):
    return queries.key_limits(account_id, now=timezone.now())


def test_a_limit_counts_what_live_leases_spent(tmp_path, account_id, key_id, clean):
    budgets.set_limit(api_key_id=key_id, limit_nusd=USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            one = await open_charge(bank, account_id, 5_000, api_key_id=key_id)
            assert await one.settle(settlement(2_000))
            await open_charge(bank, account_id, 5_000, api_key_id=key_id)
            running = await call(key_limits, account_id)
            await asyncio.sleep(0)
        return running, await call(key_limits, account_id)

    for limits in run(main):
        (limit,) = limits[key_id]
        assert (limit.spent_nusd, limit.left_nusd) == (2_000, USD - 2_000)


def test_a_limit_that_was_removed_is_none(account_id, key_id):
    budgets.set_limit(api_key_id=key_id, limit_nusd=5)
    assert key_limits(account_id)[key_id][0].left_nusd == 5
    budgets.remove_limit(api_key_id=key_id)
    assert key_limits(account_id) == {}
