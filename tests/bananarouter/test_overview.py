"""The overview: what an account has and spent, beside the days before, and what needs a look."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey
from bananarouter.pages import attention, glance
from billing import budgets, holds, ledger, queries
from billing.models import Budget, Wallet
from billing.payments import paying
from routing import catalogue
from routing.models import Channel, Model
from tests import factories, site

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12
CENT = 10_000_000


def client_of(person):
    client = Client()
    client.force_login(person)
    return client


def overview(person):
    return client_of(person).get(reverse("overview"))


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def days_ago(days):
    return timezone.now() - dt.timedelta(days=days)


def test_sums_stand_beside_the_days_before(desk):
    for days, cents in ((0, 1), (1, 2), (6, 4), (7, 8), (13, 16), (29, 32), (30, 64), (60, 128)):
        desk.request(cost_nusd=cents * CENT, at=days_ago(days), status=500 if days == 6 else 200)
    desk.close()
    other = factories.account_of(factories.user("mallory"))
    factories.request(other, cost_nusd=5_000_000_000)
    response = overview(desk.person)
    money, work = response.context["money"], response.context["work"]
    told = [(s.value // CENT, s.before // CENT) for s in (money.today, money.week, money.month)]
    assert told == [(1, 2), (7, 24), (63, 64)]
    assert (work.requests.value, work.requests.before, work.errors.value) == (3, 2, 1)
    page = text_of(response)
    for shown in ("$0.01", "$0.07", "$0.63", "33.3% of requests", "-71%"):
        assert shown in page
    assert "$5.00" not in page


def test_spending_counts_before_its_lease_is_closed(desk):
    desk.request(cost_nusd=3 * CENT)
    assert overview(desk.person).context["money"].today.value == 3 * CENT


def test_the_costliest_models_come_first_with_their_share(desk):
    desk.request(cost_nusd=CENT, endpoint="demo:a/small")
    desk.request(cost_nusd=3 * CENT, endpoint="demo:b/large")
    response = overview(desk.person)
    models = [(one.slug, one.percent) for one in response.context["money"].models]
    assert models == [("b/large", 75), ("a/small", 25)]
    assert "75.0%" in text_of(response)


def test_a_new_account_has_no_figures_yet(desk):
    page = text_of(overview(desk.person))
    assert "Spent today" not in page
    assert "Latest requests" not in page


def test_a_developer_sees_own_keys_and_no_account_wide_figures(desk):
    bob = factories.user("bob")
    factories.join(bob, desk.account)
    desk.request(key=desk.key("of alice"), cost_nusd=700 * CENT, model="hidden/model")
    desk.request(key=desk.key("of bob", by=bob), cost_nusd=500 * CENT)
    Wallet.objects.filter(pk=desk.account.pk).update(frozen=True)
    client = client_of(bob)
    client.post(reverse("switch_account"), {"account": str(desk.account.public_id)})
    page = text_of(client.get(reverse("overview")))
    assert "$5.00" in page
    assert "Your own keys only" in page
    for hidden in ("hidden/model", "$7.00", "$12.00", "Balance frozen", "Time to the whole"):
        assert hidden not in page


@pytest.mark.parametrize("role", ["owner", "developer"])
def test_the_page_keeps_within_its_queries(desk, role, django_assert_max_num_queries):
    person = desk.person
    if role == "developer":
        person = factories.user("bob")
        factories.join(person, desk.account)
    for number in range(9):
        key = desk.key(f"k{number}", by=person, expires_at=timezone.now() + dt.timedelta(days=1))
        budgets.set_limit(api_key_id=key.pk, limit_nusd=1)
        desk.request(key=key, status=500)
    client = client_of(person)
    client.post(reverse("switch_account"), {"account": str(desk.account.public_id)})
    with django_assert_max_num_queries(QUERIES_MAX):
        assert client.get(reverse("overview")).context["notes"]


@pytest.fixture
def ending(desk):
    """A model on offer that ends in three days, and one that stays."""
    ends_at = timezone.now() + dt.timedelta(days=3)
    site.offer_a_model()
    Model.objects.filter(slug=site.MODEL).update(withdrawn_at=ends_at)
    catalogue.refresh()
    yield ends_at
    Channel.objects.all().delete()
    catalogue.refresh()


def models_that_end(desk, *, key_ids=None, now=None):
    asked = {"key_ids": key_ids, "now": now or timezone.now()}
    return [note.text for note in attention.of_models(desk.account.pk, **asked)]


def test_a_model_that_ends_is_told_to_who_used_it(desk, ending, django_assert_max_num_queries):
    mine = desk.key("mine")
    desk.request(model="demo/banana")
    assert models_that_end(desk) == []
    desk.request(model=site.MODEL, key=mine, at=days_ago(20))
    (text,) = models_that_end(desk)
    assert text.startswith(f"“{site.MODEL}” ends at {ending:%Y-%m-%d %H:%M} UTC.")
    assert len(models_that_end(desk, key_ids=[mine.pk])) == 1
    assert models_that_end(desk, key_ids=[mine.pk + 1]) == []
    assert models_that_end(desk, now=ending) == []
    client = client_of(desk.person)
    with django_assert_max_num_queries(QUERIES_MAX):
        page = text_of(client.get(reverse("overview")))
    assert "Model ends" in page
    assert reverse("model", args=[site.MODEL]) in page


def test_a_model_that_was_used_long_ago_is_not_told(desk, ending):
    desk.request(model=site.MODEL, at=days_ago(31))
    assert models_that_end(desk) == []


def test_a_change_from_hardly_anything_is_not_told():
    assert glance.Stretch(value=15, before=10).change == "+50%"
    assert glance.Stretch(value=5, before=10).change == "-50%"
    assert glance.Stretch(value=5, before=0).change == ""
    assert glance.Stretch(value=1_000, before=1).change == ""


# Attention


def balance(available_nusd):
    return queries.Balance(
        available_nusd=available_nusd, in_flight_nusd=0, credit_nusd=0, spent_nusd=0
    )


@pytest.mark.parametrize(
    ("available", "week", "label"),
    [
        (100, 0, None),
        (100, 233, None),
        (100, 234, "Low balance"),
        (1, 10**9, "Low balance"),
        (0, 0, "No balance"),
        (-5, 0, "No balance"),
    ],
)
def test_money_that_ends_is_told(available, week, label):
    notes = attention.of_money(balance(available), week_nusd=week, freeze=None)
    assert [note.label for note in notes] == ([label] if label else [])


@pytest.mark.parametrize(
    ("cause", "href", "said", "not_said"),
    [
        ("staff", "contact", "until the operator of this site lifts it", "dispute"),
        ("lost", "contact", "was lost. Every request is refused until the operator", "by itself"),
        ("dispute", "billing_history", "If the payment stands, this ends by itself.", "operator"),
        ("debt", "billing", "$7.01 is owed after a refund or a dispute", "operator"),
    ],
)
def test_a_frozen_balance_says_why_and_what_ends_it(cause, href, said, not_said):
    freeze = holds.Freeze(cause=holds.Cause(cause), owed_nusd=7 * 100 * CENT + 1)
    (note,) = attention.of_money(balance(100), week_nusd=0, freeze=freeze)
    assert (note.kind, note.label, note.href) == ("bad", "Balance frozen", reverse(href))
    assert said in note.text
    assert not_said not in note.text


def test_a_frozen_balance_is_told_within_the_queries(desk, ending, django_assert_max_num_queries):
    key = desk.key("late", expires_at=timezone.now() + dt.timedelta(days=1))
    budgets.set_limit(api_key_id=key.pk, limit_nusd=1)
    desk.request(key=key, status=500, model=site.MODEL)
    ledger.open_wallet(desk.account.pk)
    paying.owe(desk.account.pk, 7 * 100 * CENT)
    holds.freeze(desk.account.pk)
    client = client_of(desk.person)
    with django_assert_max_num_queries(QUERIES_MAX):
        page = text_of(client.get(reverse("overview")))
    assert "$7.00 is owed after a refund or a dispute" in page
    assert f'<a href="{reverse("billing")}">Add money</a>' in page


def test_how_long_a_low_balance_lasts_is_told_in_days():
    text = attention.of_money(balance(2_000), week_nusd=7_000, freeze=None)[0].text
    assert "lasts for 2 days" in text
    text = attention.of_money(balance(900), week_nusd=7_000, freeze=None)[0].text
    assert "less than a day" in text


def notes_of(desk, failures=None, **asked):
    found = attention.of_keys(
        desk.account.pk, failures or {}, key_ids=asked.get("key_ids"), now=timezone.now()
    )
    return [(note.label, re.search("“(.*)”", note.text)[1]) for note in found]


def test_keys_that_end_within_a_week_are_told(desk):
    now = timezone.now()
    for name, hours in (("gone", -1), ("soon", 1), ("later", 6 * 24), ("far", 8 * 24)):
        desk.key(name, expires_at=now + dt.timedelta(hours=hours))
    desk.key("revoked", expires_at=now + dt.timedelta(hours=1), disabled_at=now)
    desk.key(
        "play", expires_at=now + dt.timedelta(hours=1), purpose=ApiKey.Purpose.PLAYGROUND
    )  # fmt: skip
    assert notes_of(desk) == [("Key expires", "soon"), ("Key expires", "later")]


@pytest.mark.parametrize(
    ("spent", "label"), [(89, None), (90, "Limit near"), (100, "Limit reached")]
)
def test_a_key_near_its_limit_is_told(desk, spent, label):
    key = desk.key("web")
    budgets.set_limit(api_key_id=key.pk, limit_nusd=100)
    Budget.objects.update(spent_nusd=spent)
    assert notes_of(desk) == ([(label, "web")] if label else [])


@pytest.mark.parametrize(
    ("failed", "requests", "is_told"), [(9, 9, False), (4, 10, False), (5, 10, True)]
)
def test_a_key_that_fails_is_told_when_it_failed_often_enough(desk, failed, requests, is_told):
    key = desk.key("web")
    failures = {key.pk: attention.Failures(failed=failed, requests=requests)}
    assert notes_of(desk, failures) == ([("Key fails", "web")] if is_told else [])


def test_keys_of_others_are_not_told(desk):
    now = timezone.now()
    mine = desk.key("mine", expires_at=now + dt.timedelta(days=1))
    desk.key("theirs", expires_at=now + dt.timedelta(days=1))
    assert notes_of(desk, key_ids=[mine.pk]) == [("Key expires", "mine")]
    mallory = factories.account_of(factories.user("mallory"))
    assert attention.of_keys(mallory.pk, {}, key_ids=None, now=now) == []
