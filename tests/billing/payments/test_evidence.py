"""What answers a bank, as a paper: read back from the PDF itself."""

import datetime as dt
import re

import pytest

from accounts import consents, notifications, policies
from accounts.models import Account
from accounts.notifications import Notice
from accounts.policies import Text
from bananarouter import closing
from billing import ledger
from billing.models import Order, SpendHour
from billing.payments import applying, evidence, evidence_sheet, orders, papers, refunds, timeline
from tests import factories, pdf_text
from tests.billing.payments import cashier
from tests.billing.payments.cashier import DAY, NOW, USD

pytestmark = pytest.mark.django_db
LATER = NOW + 40 * DAY
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def configured(db, settings, tmp_path):
    settings.PAYMENTS = cashier.payments()
    settings.ERASURE = type(settings.ERASURE)(
        cooling=dt.timedelta(hours=72), list_file=tmp_path / "erased.jsonl"
    )
    settings.DATA_DIR = tmp_path
    yield
    SpendHour.objects.all().delete()  # of no lease: the ledger does not know them
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    found = factories.account_of(alice)
    Account.objects.filter(pk=found.pk).update(country="FR", created_at=NOW - 90 * DAY)
    found.refresh_from_db()
    return found


def agree(user, version, *, at) -> None:
    for document in ("terms", "privacy"):
        text = Text(
            document=document, version=version, sha256="a" * 64, summary="",
            is_material=False, effective_at=at,
        )  # fmt: skip
        policies.publish(text, now=at)
    consents.accept_policies(user=user, now=at)


def bought(account, user, *, now=NOW, ip="203.0.113.7") -> Order:
    """An order made by our operations, and paid."""
    wish = orders.Wish(
        quote=cashier.quote(account, 1_000, now=now), processor="stripe", method="checkout",
        idempotency_key=f"{now:%s}", payer=orders.asking.Payer(client_ip=ip),
    )  # fmt: skip
    order = orders.begin(account, wish, user=user, now=now)
    assert applying.take(cashier.paid_notice(order), now=now + MINUTE) == "applied"
    order.refresh_from_db()
    return order


def use(account, at, *, requests, nusd) -> None:
    SpendHour.objects.create(
        hour=at, wallet_id=account.pk, api_key_id=1, endpoint="x", requests=requests,
        cost_nusd=nusd,
    )  # fmt: skip


def read(order, *, now=LATER) -> str:
    """The paper's text, as one who reads the file finds it."""
    order.refresh_from_db()
    file = papers.pdf(evidence_sheet.sheet(evidence.pack(order, now=now)))
    return "\n".join(pdf_text.pages(file))


def test_the_paper_tells_all_that_is_kept_of_a_payment(alice, account):
    agree(alice, "3", at=NOW - 30 * DAY)
    earlier = bought(account, alice, now=NOW - 5 * DAY)
    order = bought(account, alice)
    use(account, NOW - 5 * DAY, requests=99, nusd=7)
    for day, requests, nusd in ((0, 2, 1_500_000), (1, 1_234, 2 * USD), (38, 3, 5)):
        use(account, NOW + day * DAY, requests=requests, nusd=nusd)
    refunds.ask(order, 400, reason="asked", actor=f"user:{alice.pk}", now=NOW + DAY)
    notice = Notice(
        kind="top_up", key=f"topped-up:{order.number}", name="topped_up", path=page(order),
        facts={"paid": "10.00 USD", "credit": "$10.00"},
    )  # fmt: skip
    notifications.tell_account(account=account, roles=lambda _role: True, notice=notice, now=NOW)
    told = {"dispute_ref": "dp_1", "amount_minor": 600, "currency": "USD", "order_ref": ""}
    cashier.tell(order, "inquiry", now=NOW + 2 * DAY, reason="fraudulent", **told)
    proved = {"result": "authenticated", "version": "2.2.0", "eci": "05"}
    heard = {"card_fingerprint": "fp_1", "authentication": proved}
    assert cashier.tell(order, "other", **heard) == "applied"
    assert cashier.tell(order, "other", **heard | {"authentication": {"result": "failed"}})
    text = read(order)
    for line in (
        "Seller BananaRouter", f"Order {order.number}", f"Account {account.public_id}",
        "Processor Stripe (card), checkout", f"Processor's payment pi_{order.number}",
        "Price 10.00 USD", "Paid 10.00 USD",
        "Credit for the price 10 USD", "Ordered at 2026-11-20 12:00:00 UTC",
        "Paid at 2026-11-20 12:01:00 UTC", f"Ordered by user {alice.pk}",
        "Written at 2026-12-30 12:00:00 UTC from the records as they stood then.",
        "Delivered at 2026-11-20 12:01:00 UTC, 10 USD.",
        "Used since: 1,239 requests for 2.001500005 USD on 3 days (below).",
        "In force at the purchase: terms, version 3",
        f"User {alice.pk} accepted terms, version 3, 2026-10-21 12:00:00 UTC",
        f"User {alice.pk} accepted privacy, version 3, 2026-10-21 12:00:00 UTC",
        "Country of the account at the purchase: FR",
        "The processor told: eci 05, result authenticated, version 2.2.0",
        "2026-11-20 12:01:00 UTC The payment arrived the system",
        "2026-11-21 12:00:00 UTC A refund was asked for 4.00 USD user",
        "2026-11-20 2 0.0015 USD", "2026-11-21 1,234 2 USD", "2026-12-28 3 0.000000005 USD",
        "2026-11-21 12:00:00 UTC Asked 4.00 USD asked",
        "2026-11-22 12:00:00 UTC dp_1 Inquiry 6.00 USD fraudulent",
        f"2026-11-20 12:00:00 UTC user {alice.pk} topped up web sent",
    ):  # fmt: skip
        assert line in text, line
    first = f"{earlier.paid_at:%Y-%m-%d %H:%M:%S} UTC"
    flat = re.sub(r"\s+", " ", text)
    assert re.search(rf"The network is kept [^:]*: 1, the first at {first}\.", flat)
    assert not re.search(r"^2026-11-15 99", text, re.MULTILINE)
    assert f"Order {order.number}, 2" in text


def page(order) -> str:
    return f"/billing/orders/{order.number}"


def test_nobody_is_named_and_no_digest_or_secret_stands_there(alice, account):
    agree(alice, "3", at=NOW - 30 * DAY)
    order = bought(account, alice)
    text = read(order)
    for word in (alice.email, alice.username, account.name, "203.0.113.7",
                 bytes(order.network_digest).hex(), order.idempotency_key):  # fmt: skip
        assert len(word) > 4
        assert word not in text, word


def test_an_order_from_before_evidence_says_so_and_tells_the_rest(alice, account):
    order = cashier.pay(account)
    assert order.evidence == {}
    text = read(order)
    assert "This order keeps no evidence of its purchase" in text
    assert "No acceptance is on record." in text
    assert "The network: nothing is kept." in text
    assert "Nothing is kept." in text
    assert "Used since: nothing." in text
    assert "The payment arrived" in text
    assert "people were erased" not in text


def test_an_order_that_nobody_paid_says_so(alice, account):
    text = read(cashier.order(account))
    assert "Paid at not paid" in text
    assert "Not delivered: no payment arrived." in text
    assert "Used since" not in text


def test_of_an_erased_account_the_books_are_told_and_nobody(alice, account):
    agree(alice, "3", at=NOW - 30 * DAY)
    order = bought(account, alice)
    use(account, NOW, requests=2, nusd=10 * USD)
    cashier.spend(account, 10 * USD)
    number = alice.pk
    closing.ask(alice, agreed_nusd=0, language="en", now=NOW + DAY)
    assert closing.run_due(now=NOW + DAY) == 1
    text = read(order)
    assert "The account was closed and its people were erased." in text
    assert "Ordered by a user who was erased" in text
    assert "No acceptance is on record: it was erased." in text
    assert "Used since: 2 requests for 10 USD on 1 day (below)." in text
    assert "Delivered at 2026-11-20 12:01:00 UTC, 10 USD." in text
    assert f"user {number}" not in text
    assert "Country" not in text
    assert "keyed digest" not in text


def test_days_that_were_kept_stay_and_later_sums_count(alice, account):
    order = bought(account, alice)
    use(account, NOW, requests=2, nusd=20)
    use(account, NOW + DAY, requests=1, nusd=10)
    told = {"dispute_ref": "dp_1", "amount_minor": 600, "currency": "USD", "order_ref": ""}
    cashier.tell(order, "inquiry", now=NOW + DAY, **told)
    SpendHour.objects.filter(hour=NOW).delete()
    use(account, NOW + DAY + dt.timedelta(hours=1), requests=4, nusd=40)
    days = evidence.pack(order, now=LATER).days
    assert [(day.requests, day.cost_nusd) for day in days] == [(2, 20), (5, 50)]


def test_a_pack_of_the_longest_use_stays_short(alice, account):
    """Card networks read no more than some twenty pages."""
    order = bought(account, alice)
    for day in range(evidence.DAYS_MAX + 5):
        use(account, NOW + day * DAY, requests=1, nusd=1)
    file = papers.pdf(evidence_sheet.sheet(evidence.pack(order, now=NOW + 500 * DAY)))
    assert 5 <= len(pdf_text.pages(file)) <= 12
    assert len(file) < 200_000


def test_each_event_of_a_timeline_has_words():
    assert set(evidence_sheet.EVENTS) == set(timeline.CODES)
