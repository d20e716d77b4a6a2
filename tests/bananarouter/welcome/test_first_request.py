"""What came of an account's calls, and how a page goes on waiting for them."""

import datetime as dt

import pytest
from django.http import QueryDict

from accounts import keys
from bananarouter.pages.welcome import first_request
from bananarouter.pages.welcome.first_request import PACE_S, SLOW_PACE_S, Wait
from tests import factories

NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
database = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def membership(alice):
    return alice.memberships.get()


def ask(account, **fields):
    return factories.request(account, **fields)


def arrived(membership):
    found = first_request.arrived(membership)
    return found and found.row.request_id


@database
def test_nothing_came(membership, django_assert_num_queries):
    ask(factories.account_of(factories.user("mallory")))
    with django_assert_num_queries(1):
        assert first_request.arrived(membership) is None


@database
def test_an_answer_counts_more_than_a_later_failure(membership):
    failed = ask(membership.account, status=402, error_code="trial_model")
    assert arrived(membership) == failed
    assert not first_request.arrived(membership).is_ok
    assert "first payment in its first hours, buys cheap models only" in str(
        first_request.arrived(membership).why
    )
    answered = ask(membership.account)
    ask(membership.account, status=400, error_code="invalid_json")
    assert arrived(membership) == answered
    assert first_request.arrived(membership).is_ok


@database
@pytest.mark.parametrize("surface", ["models", "platform"])
def test_listing_models_is_no_call(surface, membership):
    ask(membership.account, surface=surface)
    assert first_request.arrived(membership) is None


@database
def test_a_developer_sees_what_own_keys_did(alice, membership):
    account = membership.account
    bob = factories.user("bob")
    factories.join(bob, account)
    theirs, _ = keys.mint(account=account, created_by=alice, name="alice's")
    own, _ = keys.mint(account=account, created_by=bob, name="bob's")
    place = bob.memberships.get(account=account)
    ask(account, api_key_id=theirs.pk)
    assert arrived(place) is None
    answered = ask(account, api_key_id=own.pk)
    assert arrived(place) == answered


# The wait


def read(wait, now=NOW):
    return Wait.read(QueryDict(wait.url.partition("?")[2]), now=now)


def test_a_wait_goes_there_and_back():
    wait = Wait(since=5, pace_s=5, seen="01a2177a-75ca-7dec-9fbb-6a27cc880850")
    assert read(wait) == wait


@pytest.mark.parametrize("query", [
    {}, {"since": "x", "pace": "1"}, {"since": "1"}, {"since": "1", "pace": "1", "seen": "x"},
    {"since": "9" * 400, "pace": "1"}, {"since": "-1", "pace": "1"}, {"since": "1", "pace": "0"},
])  # fmt: skip
def test_a_wait_that_makes_no_sense_begins_anew(query):
    assert Wait.read(query, now=NOW) == Wait.begin(now=NOW)


def test_nothing_new_is_the_same_wait_for_two_minutes_then_a_slower_one():
    wait = Wait.begin(now=NOW)
    assert wait.pace_s == PACE_S
    assert wait.next(None, now=NOW + 119 * SECOND) == wait
    slow = wait.next(None, now=NOW + 120 * SECOND)
    assert (slow.pace_s, slow.since) == (SLOW_PACE_S, wait.since)
    assert slow.next(None, now=NOW + 500 * SECOND) == slow


@database
def test_what_is_new_ends_the_slow_wait(membership):
    slow = Wait.begin(now=NOW).next(None, now=NOW + 200 * SECOND)
    ask(membership.account, status=400, error_code="invalid_json")
    found = first_request.arrived(membership)
    fresh = slow.next(found, now=NOW + 300 * SECOND)
    assert (fresh.pace_s, fresh.seen) == (PACE_S, str(found.row.request_id))
    assert fresh.next(found, now=NOW + 301 * SECOND) == fresh
