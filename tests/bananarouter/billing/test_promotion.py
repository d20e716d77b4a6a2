"""A promotion code is typed, and becomes credit once."""

import datetime as dt
import re

import pytest
from django.utils import timezone

from billing.models import PromotionCode, Wallet
from billing.money import USD
from billing.payments import promotions

pytestmark = pytest.mark.django_db
URL = "/billing/promotion"
DAY = dt.timedelta(days=1)


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.fixture
def code():
    now = timezone.now()
    return PromotionCode.objects.create(
        code="WELCOME", amount_nusd=5 * USD, uses_max=9, starts_at=now - DAY, ends_at=now + DAY,
        created_by="tests",
    )  # fmt: skip


def test_a_code_adds_its_credit_once_however_it_is_typed(client, account, code):
    said = text_of(client.post(URL, {"code": " welcome "}, follow=True))
    assert "The code added $5.00 to the balance." in said
    again = client.post(URL, {"code": "WELCOME"})
    assert "This account has used the code before." in text_of(again)
    assert 'value="WELCOME"' in text_of(again)
    assert Wallet.objects.get(pk=account.pk).credit_nusd == 5 * USD


def test_a_code_that_does_not_work_says_so_and_guessing_ends(client, account, code):
    PromotionCode.objects.update(ends_at=timezone.now() - DAY / 2)
    for typed in ("WELCOME", *["GUESS"] * (promotions.WRONG_MAX - 1)):
        assert "This code does not work" in text_of(client.post(URL, {"code": typed}))
    assert "Try again in an hour." in text_of(client.post(URL, {"code": "GUESS"}))
    assert not Wallet.objects.filter(pk=account.pk, credit_nusd__gt=0).exists()


def test_nothing_typed_is_told_beside_the_field(client, account):
    assert "This field is required." in text_of(client.post(URL, {"code": ""}))
