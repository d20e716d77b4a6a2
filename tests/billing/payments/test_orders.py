"""Orders are made once for each key, in what a processor takes, with what a bank may ask for."""

import datetime as dt

import pytest

from accounts import announcements, policies
from accounts.models import Account
from accounts.policies import Text
from billing.models import Order
from billing.payments import orders
from tests import factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import DAY, NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments()


@pytest.fixture
def alice():
    made = factories.account_of(factories.user("alice"))
    Account.objects.filter(pk=made.pk).update(country="FR", created_at=NOW - 30 * DAY)
    made.refresh_from_db()
    return made


def begin(account, *, minor=1_000, currency="USD", method="checkout", key="one", now=NOW) -> Order:
    wish = orders.Wish(
        quote=cashier.quote(account, minor, currency=currency), processor="stripe",
        method=method, idempotency_key=key,
    )  # fmt: skip
    return orders.begin(account, wish, user=None, now=now)


def publish(version, *, effective_at, now):
    text = Text(
        document="terms", version=version, sha256=version * 64, summary="New.",
        is_material=True, effective_at=effective_at,
    )  # fmt: skip
    return policies.publish(text, now=now)


def test_the_same_key_again_is_the_same_order_and_never_another(alice):
    first = begin(alice)
    assert begin(alice, now=NOW + dt.timedelta(minutes=1)) == first
    with pytest.raises(orders.KeyReused):
        begin(alice, minor=2_000)
    assert begin(alice, minor=2_000, key="two") != first
    assert Order.objects.count() == 2


def test_a_key_is_the_accounts_own(alice):
    bob = factories.account_of(factories.user("bob"))
    assert begin(alice) != begin(bob, minor=2_000)


@pytest.mark.parametrize("asked", [{"currency": "CNY", "minor": 10_000}, {"method": "qr"}])
def test_what_a_processor_does_not_take_makes_no_order(alice, asked):
    with pytest.raises(orders.NotOffered):
        begin(alice, **asked)
    assert not Order.objects.exists()


def test_an_order_keeps_what_was_agreed_to_and_where(alice):
    publish("1", effective_at=NOW - 9 * DAY, now=NOW - 9 * DAY)
    assert begin(alice).evidence["policies"] == {"terms": "1"}
    assert begin(alice, key="two").evidence["country"] == "FR"
    assert begin(alice, key="three").evidence["asks_3ds"] is True
    cashier.pay(alice)
    assert begin(alice, key="four").evidence["asks_3ds"] is False


def test_a_version_counts_as_agreed_to_only_once_it_holds(alice, settings):
    publish("1", effective_at=NOW - 9 * DAY, now=NOW - 9 * DAY)
    publish("2", effective_at=NOW, now=NOW - DAY)
    late = NOW + settings.POLICY_NOTICE_DAYS * DAY  # nobody was told, so it does not hold
    assert begin(alice, now=late).evidence["policies"] == {"terms": "1"}
    announcements.announce_due(now=late)
    much_later = late + (settings.POLICY_NOTICE_DAYS + 1) * DAY
    assert begin(alice, key="two", now=much_later).evidence["policies"] == {"terms": "2"}
