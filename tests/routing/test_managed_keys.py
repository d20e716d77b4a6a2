"""Management of keys stays within the account, and within its bounds."""

import datetime as dt

import pytest

from accounts import keys
from accounts.models import ApiKey
from billing import budgets
from billing.models import Budget
from routing import managed_keys
from routing.errors import Code, RelayError
from routing.managed_keys import NoSuchKey, Wish
from tests import factories
from tests.routing.test_planner import caller

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def manager(alice):
    account = factories.account_of(alice)
    key, _ = keys.mint(account=account, created_by=alice, name="m", is_management=True)
    return caller(key_id=key.pk, account_id=account.pk, is_management=True)


def create(manager, **body):
    wish = Wish.to_create({"name": "made", **body}, now=NOW)
    return managed_keys.create(manager, wish, now=NOW)


def test_a_made_key_belongs_to_the_managers_account_and_maker(manager, alice):
    told, text = create(manager, limit=1.5, expires_at="2026-12-01T00:00:00Z")
    key = keys.find(text)
    assert (key.account_id, key.created_by) == (manager.account_id, alice)
    assert (key.is_management, key.is_demo, key.has_budget) == (False, False, True)
    assert key.expires_at == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    assert Budget.objects.get(api_key=key).limit_nusd == 1_500_000_000
    assert told["hash"] == keys.public_hash(bytes(key.digest))
    assert text[:-4] not in str(told)


def test_an_account_has_so_many_keys_and_no_more(manager, monkeypatch):
    monkeypatch.setattr(managed_keys, "KEYS_MAX", 2)
    first, _ = create(manager)
    create(manager)
    with pytest.raises(RelayError) as caught:
        create(manager)
    assert (caught.value.code, caught.value.status) == (Code.PERMISSION_DENIED, 403)
    assert ApiKey.objects.filter(is_management=False).count() == 2
    managed_keys.delete(manager.account_id, first["hash"])
    create(manager)


def test_pages_hold_each_key_once(manager, monkeypatch):
    monkeypatch.setattr(managed_keys, "PAGE_ROWS", 2)
    made = [create(manager)[0]["hash"] for _ in range(5)]
    seen = []
    for offset in (0, 2, 4, 6):
        page = managed_keys.listed(manager.account_id, offset=offset, has_disabled=False, now=NOW)
        assert len(page) <= 2
        seen += [row["hash"] for row in page]
    assert seen == made[::-1]


def test_a_refused_change_changes_nothing(manager):
    told, _ = create(manager, limit=1)
    with pytest.raises(NoSuchKey):
        managed_keys.change(manager.account_id, "0" * 64, Wish.to_change({"name": "x"}), now=NOW)
    assert managed_keys.one(manager.account_id, told["hash"], now=NOW) == told


def test_a_management_key_is_out_of_reach_of_management(manager):
    own = keys.public_hash(bytes(ApiKey.objects.get(pk=manager.key_id).digest))
    with pytest.raises(NoSuchKey):
        managed_keys.delete(manager.account_id, own)
    assert ApiKey.objects.get(pk=manager.key_id).disabled_at is None


def test_another_accounts_key_is_out_of_reach(manager):
    told, text = create(manager)
    mallory = factories.account_of(factories.user("mallory"))
    for act in (
        lambda: managed_keys.one(mallory.pk, told["hash"], now=NOW),
        lambda: managed_keys.delete(mallory.pk, told["hash"]),
        lambda: managed_keys.change(
            mallory.pk, told["hash"], Wish.to_change({"disabled": True}), now=NOW
        ),
    ):
        with pytest.raises(NoSuchKey):
            act()
    assert keys.find(text).disabled_at is keys.find(text).paused_at is None


def test_a_lifted_limit_leaves_no_remainder(manager):
    told, _ = create(manager, limit=3)
    assert told["limit_remaining"] == 3
    changed = managed_keys.change(
        manager.account_id, told["hash"], Wish.to_change({"limit": None}), now=NOW
    )
    assert (changed["limit"], changed["limit_remaining"]) == (None, None)
    same = managed_keys.change(manager.account_id, told["hash"], Wish.to_change({}), now=NOW)
    assert same == changed


def change(manager, told, **body):
    wish = Wish.to_change(body)
    return managed_keys.change(manager.account_id, told["hash"], wish, now=NOW)


def limit_of(told):
    return told["limit"], told["limit_reset"], told["limit_remaining"]


@pytest.mark.parametrize(
    ("reset", "resets_at"),
    [("daily", "2026-11-27"), ("weekly", "2026-11-30"), ("monthly", "2026-12-01"), (None, None)],
)
def test_a_limit_starts_over_as_it_was_asked_for(manager, reset, resets_at):
    told, _ = create(manager, limit=2, limit_reset=reset)
    assert limit_of(told) == (2, reset, 2)
    assert told["limits"] == [
        {"limit": 2, "limit_remaining": 2, "limit_reset": reset,
         "resets_at": resets_at and f"{resets_at}T00:00:00+00:00"}
    ]  # fmt: skip
    assert Budget.objects.get().period == (reset or "total")


def test_a_change_keeps_what_it_does_not_name_of_the_limit(manager):
    told, _ = create(manager, limit=2, limit_reset="daily")
    assert limit_of(change(manager, told, limit=3)) == (3, "daily", 3)
    assert limit_of(change(manager, told, limit_reset="monthly")) == (3, "monthly", 3)
    assert limit_of(change(manager, told, limit_reset=None)) == (3, None, 3)
    assert limit_of(change(manager, told, limit=1, limit_reset="weekly")) == (1, "weekly", 1)
    assert limit_of(change(manager, told, limit=None)) == (None, None, None)
    with pytest.raises(RelayError) as caught:
        change(manager, told, limit_reset="daily")
    assert (caught.value.code, caught.value.param) == (Code.INVALID_VALUE, "limit_reset")


def test_of_several_limits_the_one_that_leaves_least_is_told_and_a_change_leaves_one(manager):
    told, _ = create(manager)
    key = ApiKey.objects.get(is_management=False)
    budgets.set_limits(
        api_key_id=key.pk, limits={"daily": 5 * 10**9, "monthly": 10**9, "total": 10**9}, now=NOW
    )
    told = managed_keys.one(manager.account_id, told["hash"], now=NOW)
    assert limit_of(told) == (1, None, 1)
    assert [row["limit_reset"] for row in told["limits"]] == ["daily", "monthly", None]
    assert limit_of(change(manager, told, limit=4, limit_reset="daily")) == (4, "daily", 4)
    assert Budget.objects.get().limit_nusd == 4 * 10**9


@pytest.mark.parametrize("reset", ["total", "hourly", "", 1, {}])
def test_a_limit_starts_over_in_three_ways_only(manager, reset):
    with pytest.raises(RelayError) as caught:
        create(manager, limit=1, limit_reset=reset)
    assert caught.value.param == "limit_reset"
    assert not Budget.objects.exists()


def test_a_deleted_key_is_gone_from_every_list(manager):
    told, _ = create(manager)
    managed_keys.delete(manager.account_id, told["hash"])
    row = ApiKey.objects.get(is_management=False)
    assert None not in (row.disabled_at, row.deleted_at)
    assert managed_keys.listed(manager.account_id, offset=0, has_disabled=True, now=NOW) == []
