"""A fapiao is asked for on its order's page, and taken back."""

import re

import pytest
from django.urls import reverse

from accounts.models import BillingDetails
from billing.models import FapiaoRequest

pytestmark = pytest.mark.django_db
GOOD = {"title": "袋熊有限公司", "tax_number": "91310000MA1K35Q12X", "email": "tax@example.com"}


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def url(order):
    return reverse("billing_order_fapiao", args=[order.number])


def test_it_begins_with_the_billing_details_and_is_asked_for_once(client, account, alice, paid):
    BillingDetails.objects.create(account=account, legal_name="Numbat", email="n@example.com")
    page = text_of(client.get(url(paid)))
    assert 'value="Numbat"' in page
    assert "¥72.00" in page
    assert "The fapiao is asked for." in text_of(client.post(url(paid), GOOD, follow=True))
    twice = client.post(url(paid), {**GOOD, "title": "Another"}, follow=True)
    assert "No fapiao can be asked for now" in text_of(twice)
    asked = FapiaoRequest.objects.get()
    assert (asked.title, asked.tax_number, asked.asked_by) == (
        GOOD["title"], GOOD["tax_number"], alice,
    )  # fmt: skip


def test_it_is_taken_back_and_asked_for_anew(client, paid):
    client.post(url(paid), GOOD)
    client.post(url(paid), {"withdraw": "1"})
    assert FapiaoRequest.objects.get().state == "withdrawn"
    client.post(url(paid), {**GOOD, "title": "Another"})
    assert (FapiaoRequest.objects.get().state, FapiaoRequest.objects.get().title) == (
        "asked", "Another",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("title", "", "This field is required."),
        ("tax_number", "12", "Write 15 to 20 digits and capital letters"),
        ("email", "nobody", "valid email address"),
    ],
)
def test_what_is_wrong_is_told_beside_it_and_kept(client, paid, name, typed, said):
    answer = client.post(url(paid), {**GOOD, name: typed})
    assert said in text_of(answer)
    kept = GOOD["title"] if name != "title" else GOOD["email"]
    assert f'value="{kept}"' in text_of(answer)
    assert not FapiaoRequest.objects.exists()


def test_only_an_order_in_yuan_that_was_paid_has_one(client, account, order_of):
    dollars = order_of(account, processor="stripe", currency="USD", method="checkout")
    assert client.get(url(dollars)).status_code == 404
    waiting = order_of(account)
    assert client.get(url(waiting)).status_code == 200
    client.post(url(waiting), GOOD)
    assert not FapiaoRequest.objects.exists()
