"""Closing one's account on the pages: shown first, confirmed by name, taken back by one click."""

import datetime as dt
import re
import uuid

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.formats import date_format

from accounts import closures, keys, members
from accounts.models import Closure, Membership, User
from billing.models import LedgerTransaction, Wallet
from billing.payments import closures as money
from tests import factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import USD

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12


@pytest.fixture
def alice(settings):
    settings.PAYMENTS = cashier.payments()
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    found = Client()
    found.force_login(alice)
    return found


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def leave(client, **fields):
    form = {"username": "alice", "agreed_nusd": 0, **fields}
    return client.post(reverse("settings_closure"), form)


def test_only_who_just_showed_to_be_the_user_may_ask():
    person = factories.user("pat", password=factories.PASSWORD)
    found = Client()
    found.force_login(person)
    for method in ("get", "post"):
        response = getattr(found, method)(reverse("settings_closure"))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("account_reauthenticate"))
    assert not Closure.objects.exists()


def test_the_page_says_what_goes_what_stays_and_what_becomes_of_the_money(account, client):
    cashier.pay(account)
    factories.give(account, 3 * USD)
    page = text_of(client.get(reverse("settings_closure")))
    for words in ("72 hours", "$13.00", "10.00", "Stripe", "$3.00", "random pseudonym"):
        assert words in page


def test_page_and_mail_tell_the_sums_of_very_many_orders(
    alice, account, client, django_assert_max_num_queries
):
    """Beyond what one round of refunds sends, nothing is told to be lost."""
    orders = money.ROUND_MAX + 2
    for _ in range(orders):
        cashier.pay(account)
    cashier.pay(account, processor="alipay", minor=700)
    factories.give(account, 5)
    url = reverse("settings_closure")
    for ask in (lambda: client.get(url), lambda: leave(client, agreed_nusd=5)):
        with django_assert_max_num_queries(QUERIES_MAX):
            page = text_of(ask())
        assert '<dd>$2,020.00 <span class="soft">Stripe, 202 payments</span></dd>' in page
        assert '<dd>¥7.00 <span class="soft">Alipay</span></dd>' in page
        assert re.search(r"given credit and remainders</dt><dd><data[^>]*>\$0\.000000005<", page)
    leave(client, agreed_nusd=5, gives_up="on")
    said = mail.outbox[0].body
    assert "this goes back: 2020.00 USD (Card)." in said
    assert "this goes back: 7.00 CNY (Alipay)." in said
    assert "cannot be paid out and ends with the account: $0.000000005." in said
    with django_assert_max_num_queries(QUERIES_MAX):
        assert "Stripe, 202 payments" in text_of(client.get(url))


def test_with_money_left_it_waits_and_can_be_taken_back_from_any_page(account, client):
    factories.give(account, 3 * USD)
    _, text = keys.mint(account=account, created_by=None, name="k")
    for _ in range(2):
        response = leave(client, agreed_nusd=3 * USD, gives_up="on")
        assert response["Location"] == reverse("settings_closure")
    assert Closure.objects.get().state == "cooling"
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    assert reverse("settings_closure") in mail.outbox[0].body
    page = text_of(client.get(reverse("overview")))
    assert "Keep my account" in page
    assert keys.find(text).paused_at is not None
    client.post(reverse("settings_keep"))
    assert keys.find(text).paused_at is None
    assert "Keep my account" not in text_of(client.get(reverse("overview")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"username": "alicia"}, "not your username"),
        ({"username": ""}, "required"),
        ({"gives_up": ""}, "cannot be paid out"),
    ],
)
def test_it_is_confirmed_by_name_and_amount(account, client, fields, words):
    factories.give(account, 3 * USD)
    page = text_of(leave(client, agreed_nusd=3 * USD, **({"gives_up": "on"} | fields)))
    assert words in page
    assert not Closure.objects.exists()


def test_an_amount_that_changed_is_shown_again(account, client):
    factories.give(account, 3 * USD)
    response = leave(client, agreed_nusd=2 * USD, gives_up="on")
    page = text_of(client.get(response["Location"]))
    assert "The amount has changed" in page
    assert not Closure.objects.exists()
    assert not LedgerTransaction.objects.filter(kind="forfeit").exists()
    assert Wallet.objects.get(pk=account.pk).debit_nusd == 0


def test_with_nothing_left_every_door_shuts_at_once(alice, account, client):
    response = leave(client)
    closure = Closure.objects.get()
    assert closure.state == "closing"
    assert response["Location"] == reverse("closed", args=[closures.word(closure)])
    assert client.get(reverse("overview")).status_code == 302
    assert "being erased" in text_of(client.get(response["Location"]))
    assert not User.objects.get(pk=alice.pk).is_active


def test_the_only_owner_is_told_whom_to_hand_over_to(alice, client):
    organization = members.found(founder=alice, name="Acme", public_id=uuid.uuid4())
    assert "only you own" not in text_of(client.get(reverse("settings_closure")))
    bob = factories.user("bob")
    factories.join(bob, organization)
    page = text_of(client.get(reverse("settings_closure")))
    assert "only you own" in page
    assert "“Acme”" in page
    leave(client)
    assert not Closure.objects.exists()
    bob.memberships.filter(account=organization).update(role=Membership.Role.OWNER)
    assert "only you own" not in text_of(client.get(reverse("settings_closure")))


def test_a_dispute_refuses_it_in_words(account, client):
    order = cashier.pay(account)
    cashier.tell(order, "dispute_opened", dispute_ref="dp_1", amount_minor=1_000, currency="USD")
    page = text_of(leave(client, agreed_nusd=10 * USD))
    assert "Your bank disputes a payment" in page
    assert not Closure.objects.exists()


def test_a_page_keeps_to_its_queries_while_it_waits(account, client, django_assert_max_num_queries):
    factories.give(account, 3 * USD)
    leave(client, agreed_nusd=3 * USD, gives_up="on")
    for name in ("settings_closure", "settings_privacy", "overview"):
        with django_assert_max_num_queries(QUERIES_MAX):
            assert client.get(reverse(name)).status_code == 200


def test_nobody_else_takes_it_back(account, client):
    factories.give(account, 3 * USD)
    leave(client, agreed_nusd=3 * USD, gives_up="on")
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    mallory.post(reverse("settings_keep"))
    assert Closure.objects.get().state == "cooling"


def test_staff_see_it_with_its_due_date_and_cannot_hurry_it(account, client, admin_client):
    factories.give(account, 3 * USD)
    leave(client, agreed_nusd=3 * USD, gives_up="on")
    closure = Closure.objects.get()
    listed = text_of(admin_client.get(reverse("admin:accounts_closure_changelist")))
    assert str(closure.public_id) in listed
    assert date_format(closure.due_at, "DATETIME_FORMAT") in listed
    assert (closure.due_at - closure.asked_at) == dt.timedelta(hours=72)
    url = reverse("admin:accounts_closure_change", args=[closure.pk])
    assert admin_client.get(url).status_code == 200
    admin_client.post(url, {"state": "closing", "due_at_0": "2020-01-01", "due_at_1": "00:00"})
    closure.refresh_from_db()
    assert closure.state == "cooling"
    assert (
        admin_client.post(
            reverse("admin:accounts_closure_delete", args=[closure.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
