"""The page of automatic top-up and reminders: what is typed is kept, or said to be wrong."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import AutoTopUp, BalanceReminder, PaymentMethod
from billing.money import USD
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/billing/automatic"
GOOD = {"is_on": "on", "threshold": "5", "amount": "20", "monthly_cap": "100"}


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def value_of(response, name):
    return re.search(rf'name="{name}"[^>]*value="([^"]*)"', text_of(response))[1]


@pytest.fixture
def card(account, paying):
    return PaymentMethod.objects.create(
        account=account, processor="stripe", customer_ref="cus_1", method_ref="pm_1",
        brand="visa", last4="4242", created_at=timezone.now(),
    )  # fmt: skip


def test_a_choice_is_kept_and_shown_again(client, account, card):
    typed = {**GOOD, "threshold": "7.50", "monthly_cap": "250", "method": card.pk}
    assert "Saved." in text_of(client.post(URL, typed, follow=True))
    row = AutoTopUp.objects.get()
    assert (row.account, row.is_on, row.method) == (account, True, card)
    assert row.threshold_nusd == 7 * USD + USD // 2
    assert (row.amount_minor, row.monthly_cap_minor) == (2_000, 25_000)
    page = client.get(URL)
    assert [value_of(page, name) for name in ("threshold", "amount")] == ["7.50", "20"]
    assert "Visa … 4242" in text_of(page)
    client.post(URL, {**typed, "is_on": ""})
    assert not AutoTopUp.objects.get().is_on


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("amount", "many", "Write an amount like 25 or 12.50."),
        ("amount", "0.01", "Write an amount from "),
        ("threshold", "0.5", "Write an amount from $1"),
        ("monthly_cap", "10", "less than one top-up with its tax"),
        ("monthly_cap", "99999", "Write an amount from "),
        ("method", "", "Save a card first"),
    ],
)
def test_what_cannot_be_is_told_beside_it_and_kept(client, card, name, typed, said):
    answer = client.post(URL, {**GOOD, "method": card.pk, name: typed})
    assert said in text_of(answer)
    if typed:
        assert value_of(answer, name) == typed
    assert not AutoTopUp.objects.exists()


def test_anothers_card_cannot_be_charged(client, card):
    other = factories.account_of(factories.user("mallory"))
    foreign = PaymentMethod.objects.create(
        account=other, processor="stripe", customer_ref="cus_2", method_ref="pm_2",
        brand="visa", last4="1881", created_at=timezone.now(),
    )  # fmt: skip
    answer = client.post(URL, {**GOOD, "method": foreign.pk})
    assert not AutoTopUp.objects.exists()
    assert "1881" not in text_of(answer)


def test_why_it_turned_itself_off_is_told_until_it_is_on_again(client, account, card):
    client.post(URL, {**GOOD, "method": card.pk})
    AutoTopUp.objects.update(is_on=False, failures=3, off_reason="failures")
    assert 'class="notice warn"' in text_of(client.get(URL))
    client.post(URL, {**GOOD, "method": card.pk})
    assert 'class="notice warn"' not in text_of(client.get(URL))
    assert AutoTopUp.objects.get().failures == 0


def test_a_reminder_is_set_and_taken_away(client, account):
    assert "Saved." in text_of(
        client.post(URL, {"form": "reminder", "threshold": "12.5"}, follow=True)
    )
    assert BalanceReminder.objects.get().threshold_nusd == 12 * USD + USD // 2
    for typed, said in (("x", "Write an amount like"), ("0", "Write an amount above 0")):
        answer = client.post(URL, {"form": "reminder", "threshold": typed})
        assert said in text_of(answer)
    assert BalanceReminder.objects.get().threshold_nusd == 12 * USD + USD // 2
    client.post(URL, {"form": "reminder", "threshold": ""})
    assert not BalanceReminder.objects.exists()
    assert not AutoTopUp.objects.exists()


def test_the_page_asks_the_database_little(client, card, django_assert_max_num_queries):
    client.post(URL, {**GOOD, "method": card.pk})
    with django_assert_max_num_queries(12):
        client.get(reverse("billing_automatic"))
