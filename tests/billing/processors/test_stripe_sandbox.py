"""The Stripe adapter and a real sandbox process, over sockets."""

import dataclasses
import datetime as dt
import json
import time

import pytest
import requests

from billing.processors import base, config
from billing.processors.base import Ask, NoticeKind
from billing.processors.stripe import Stripe
from tests.billing.processors import sandboxes

DAY_S = 86_400


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture(autouse=True)
def _straight(sandbox):
    """Each test starts with knobs that are off."""
    sandbox.turn(
        copies=1, drop=0, retries=3, retry_s=0.1, fail_calls=0, wrong="", clock_s=0, key="",
        truncate=0, asynchronous=False,
    )  # fmt: skip


@pytest.fixture
def receiver():
    with sandboxes.receive() as listening:
        yield listening


@pytest.fixture
def stripe(sandbox):
    return Stripe(sandbox.payments.stripe)


@pytest.fixture
def ask(receiver):
    return make_ask(receiver)


def make_ask(receiver, **changed) -> Ask:
    number = f"{time.time_ns():032x}"
    facts = {
        "number": number, "amount_minor": 2_000, "currency": "USD", "method": "checkout",
        "subject": "BananaRouter balance", "notify_url": f"{receiver.url}/hooks/stripe",
        "expires_at": dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30),
        "return_url": f"{receiver.url}/billing/orders/{number}",
        "cancel_url": f"{receiver.url}/billing/orders/{number}?cancelled=1",
    }  # fmt: skip
    return Ask(**(facts | changed))


def started(stripe, ask) -> Ask:
    """The order as it is once it was sent."""
    return dataclasses.replace(ask, session_ref=stripe.create(ask).session_ref)


def believed(stripe, delivery):
    return stripe.verify_webhook(delivery.headers, delivery.body, now=time.time())


def notices(stripe, receiver, count):
    return [believed(stripe, delivery) for delivery in receiver.wait(count)]


def one(found, kind):
    matching = [notice for notice in found if notice.kind == kind]
    assert len(matching) == 1, found
    return matching[0]


def paid(stripe, sandbox, receiver, ask):
    """Create and pay; return the order as sent, and its PAID notice."""
    sent = started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    notice = one(notices(stripe, receiver, 3), NoticeKind.PAID)
    receiver.deliveries.clear()
    return sent, notice


# Create and pay.


def test_a_payer_pays_on_the_page_and_we_are_told(stripe, sandbox, receiver, ask):
    going = stripe.create(ask)
    assert going.pay_url.startswith(f"{sandbox.url}/pay/")
    page = requests.get(going.pay_url, timeout=5)
    assert "20.00 USD" in page.text
    assert "BananaRouter balance" in page.text
    back = requests.post(going.pay_url, {"do": "pay"}, timeout=5, allow_redirects=False)
    assert back.headers["Location"] == ask.return_url
    found = notices(stripe, receiver, 3)
    notice = one(found, NoticeKind.PAID)
    assert (notice.order_ref, notice.session_ref) == (ask.number, going.session_ref)
    assert (notice.amount_minor, notice.currency) == (2_000, "USD")
    assert notice.merchant == stripe.merchant == "acct_sandbox"
    assert notice.is_live is stripe.is_live is False
    assert {delivery.path for delivery in receiver.deliveries} == {"/hooks/stripe"}
    # The intent and the charge of a session are told as well; they pay nothing twice.
    assert [other.kind for other in found if other is not notice] == [NoticeKind.OTHER] * 2


def test_the_same_order_twice_is_one_session(stripe, ask):
    assert stripe.create(ask) == stripe.create(ask)


def test_a_changed_order_under_the_same_number_is_not_sent(stripe, ask):
    stripe.create(ask)
    with pytest.raises(base.Unavailable, match="key_reused"):
        stripe.create(dataclasses.replace(ask, amount_minor=9_900))


def test_a_session_holds_the_order_and_what_was_asked(stripe, sandbox, receiver):
    ask = make_ask(receiver, is_strict=True, saves_method=True, locale="zh-hans")
    going = stripe.create(ask)
    headers = {
        "Authorization": f"Bearer {sandbox.keys.stripe_secret_key}", "Stripe-Version": "x",
    }  # fmt: skip
    shown = requests.get(
        f"{sandbox.url}/v1/checkout/sessions/{going.session_ref}", headers=headers, timeout=5
    ).json()
    assert shown["client_reference_id"] == ask.number
    assert shown["metadata"] == {"order": ask.number, "method": "checkout"}
    assert shown["customer"].startswith("cus_")
    assert shown["expires_at"] > ask.expires_at.timestamp() + 1_800


def test_stripe_refuses_a_tiny_amount(stripe, receiver):
    with pytest.raises(base.Refused) as refused:
        stripe.create(make_ask(receiver, amount_minor=7))
    assert refused.value.code == "amount_too_small"


def test_a_wrong_key_is_refused(sandbox, ask):
    keys = dataclasses.replace(sandbox.payments.stripe, secret_key="sk_test_wrong")
    with pytest.raises(base.Refused, match="not_authorized"):
        Stripe(keys).create(ask)


def test_an_error_of_stripe_may_have_happened_or_not(stripe, sandbox, ask):
    sandbox.turn(fail_calls=1)
    with pytest.raises(base.Unavailable):
        stripe.create(ask)
    assert stripe.create(ask).pay_url


def test_nobody_listening_is_unavailable(ask):
    stripe = Stripe(config.Stripe(url="http://127.0.0.1:9", secret_key="sk_test_1"))
    with pytest.raises(base.Unavailable):
        stripe.create(ask)
    with pytest.raises(base.Unavailable):
        stripe.query(ask)


# Query and close.


def test_an_open_session_is_pending_and_can_be_closed(stripe, receiver, ask):
    sent = started(stripe, ask)
    assert stripe.query(sent).kind == NoticeKind.PENDING
    stripe.close(sent)
    assert one(notices(stripe, receiver, 1), NoticeKind.CLOSED).order_ref == ask.number
    assert stripe.query(sent).kind == NoticeKind.CLOSED
    stripe.close(sent)  # again is no error


def test_a_paid_session_says_what_arrived_and_cannot_be_closed(stripe, sandbox, receiver, ask):
    sent, told = paid(stripe, sandbox, receiver, ask)
    asked = stripe.query(sent)
    assert asked.kind == NoticeKind.PAID
    same = ("order_ref", "session_ref", "payment_ref", "amount_minor", "currency", "merchant")
    assert [getattr(asked, name) for name in same] == [getattr(told, name) for name in same]
    assert asked.is_live is False
    assert asked.event_id == stripe.query(sent).event_id != told.event_id
    with pytest.raises(base.AlreadyPaid):
        stripe.close(sent)


def test_a_dropped_notice_is_found_by_asking(stripe, sandbox, receiver, ask):
    sandbox.turn(drop=3)
    sent = started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    assert stripe.query(sent).kind == NoticeKind.PAID
    assert receiver.deliveries == []


def test_a_session_whose_name_we_never_heard_is_found(stripe, sandbox, receiver, ask):
    """The answer to our call got lost: the order has no session_ref."""
    stripe.create(make_ask(receiver))
    stripe.create(ask)
    stripe.create(make_ask(receiver))
    assert stripe.query(ask).kind == NoticeKind.PENDING
    sandbox.act("stripe", ask.number, "pay")
    assert stripe.query(ask).kind == NoticeKind.PAID
    with pytest.raises(base.AlreadyPaid):
        stripe.close(ask)


def test_an_order_that_never_arrived_is_pending_and_closes(stripe, ask):
    assert stripe.query(ask).kind == NoticeKind.PENDING
    stripe.close(ask)


def test_a_lost_session_is_closed_at_stripe(stripe, sandbox, ask):
    stripe.create(ask)
    stripe.close(ask)
    assert sandbox.payment("stripe", ask.number)["state"] == "closed"


def test_another_orders_session_does_not_pay_this_one(stripe, sandbox, receiver, ask):
    sent, _ = paid(stripe, sandbox, receiver, ask)
    with pytest.raises(base.Refused, match="wrong_order"):
        stripe.query(make_ask(receiver, session_ref=sent.session_ref))


def test_an_asynchronous_payment_pays_when_it_arrives(stripe, sandbox, receiver, ask):
    sandbox.turn(asynchronous=True)
    sent = started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    waiting = one(notices(stripe, receiver, 1), NoticeKind.PENDING)
    assert waiting.order_ref == ask.number
    assert stripe.query(sent).kind == NoticeKind.PENDING
    with pytest.raises(base.AlreadyPaid):
        stripe.close(sent)  # the money is under way
    sandbox.act("stripe", ask.number, "settle")
    assert one(notices(stripe, receiver, 4), NoticeKind.PAID).amount_minor == 2_000
    assert stripe.query(sent).kind == NoticeKind.PAID


def test_an_asynchronous_payment_may_fail(stripe, sandbox, receiver, ask):
    sandbox.turn(asynchronous=True)
    sent = started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    sandbox.act("stripe", ask.number, "fail")
    found = notices(stripe, receiver, 3)
    assert one(found, NoticeKind.FAILED).reason == "async_payment_failed"
    assert stripe.query(sent).kind == NoticeKind.FAILED
    stripe.close(sent)


def test_a_declined_card_leaves_the_session_open(stripe, sandbox, receiver, ask):
    sent = started(stripe, ask)
    sandbox.act("stripe", ask.number, "fail")
    assert [notice.kind for notice in notices(stripe, receiver, 1)] == [NoticeKind.OTHER]
    assert stripe.query(sent).kind == NoticeKind.PENDING
    sandbox.act("stripe", ask.number, "pay")
    assert stripe.query(sent).kind == NoticeKind.PAID


# Notices that misbehave.


def test_every_copy_and_retry_of_a_notice_has_its_id(stripe, sandbox, receiver, ask):
    sandbox.turn(copies=3, retries=1)
    receiver.status = 500
    started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    found = notices(stripe, receiver, 3 * 3 * 2)
    assert len({notice.event_id for notice in found}) == 3
    assert len({notice.event_id for notice in found if notice.kind == NoticeKind.PAID}) == 1


@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"clock_s": 400}, "stale"),
        ({"clock_s": -400}, "stale"),
        ({"key": "other"}, "bad_signature"),
        ({"truncate": 2}, "bad_signature"),
    ],
)
def test_a_broken_notice_is_refused(stripe, sandbox, receiver, ask, knobs, code):
    sandbox.turn(**knobs)
    started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    for delivery in receiver.wait(3):
        with pytest.raises(base.WebhookRefused, match=code):
            believed(stripe, delivery)


@pytest.mark.parametrize(
    ("wrong", "fact"),
    [
        ("amount", ("amount_minor", 2_100)),
        ("currency", ("currency", "EUR")),
        ("merchant", ("merchant", "acct_stranger")),
        ("mode", ("is_live", True)),
    ],
)
def test_a_wrong_fact_is_told_as_it_is(stripe, sandbox, receiver, ask, wrong, fact):
    sandbox.turn(wrong=wrong)
    started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    notice = one(notices(stripe, receiver, 3), NoticeKind.PAID)
    assert getattr(notice, fact[0]) == fact[1]


# Refunds.


def test_a_refund_goes_back_once_however_often_it_is_asked(stripe, sandbox, receiver, ask):
    sent, told = paid(stripe, sandbox, receiver, ask)
    facts = {
        "payment_ref": told.payment_ref, "refund_id": "ab" * 16, "amount_minor": 700, "reason": "",
    }  # fmt: skip
    done = stripe.refund(sent, **facts)
    assert (done.kind, done.refund_minor, done.refund_id) == (
        NoticeKind.REFUNDED, 700, "ab" * 16,
    )  # fmt: skip
    assert (done.order_ref, done.payment_ref) == (ask.number, told.payment_ref)
    assert (done.is_live, done.merchant, done.currency) == (False, "acct_sandbox", "USD")
    assert stripe.refund(sent, **facts) == done
    assert sandbox.payment("stripe", ask.number)["refunded_minor"] == 700
    asked = stripe.query_refund(sent, payment_ref=told.payment_ref, refund_id="ab" * 16)
    assert asked == done
    notice = one(notices(stripe, receiver, 2), NoticeKind.REFUNDED)
    assert (notice.refund_ref, notice.refund_id) == (done.refund_ref, "ab" * 16)


def test_no_more_goes_back_than_came(stripe, sandbox, receiver, ask):
    sent, told = paid(stripe, sandbox, receiver, ask)
    with pytest.raises(base.Refused, match="amount_too_large"):
        stripe.refund(
            sent, payment_ref=told.payment_ref, refund_id="1" * 32, amount_minor=2_001, reason=""
        )
    stripe.refund(
        sent, payment_ref=told.payment_ref, refund_id="2" * 32, amount_minor=2_000, reason=""
    )
    with pytest.raises(base.Refused, match="charge_already_refunded"):
        stripe.refund(
            sent, payment_ref=told.payment_ref, refund_id="3" * 32, amount_minor=1, reason=""
        )


def test_a_refund_that_was_never_asked_for_is_unknown(stripe, sandbox, receiver, ask):
    sent, told = paid(stripe, sandbox, receiver, ask)
    with pytest.raises(base.Refused, match="unknown_refund"):
        stripe.query_refund(sent, payment_ref=told.payment_ref, refund_id="9" * 32)


@pytest.mark.parametrize(
    ("deed", "kind"), [("settle", NoticeKind.REFUNDED), ("fail", NoticeKind.REFUND_FAILED)]
)
def test_a_slow_refund_is_told_when_it_ends(stripe, sandbox, receiver, ask, deed, kind):
    sent, told = paid(stripe, sandbox, receiver, ask)
    sandbox.turn(asynchronous=True)
    refund_id = ask.number[::-1]
    facts = {"payment_ref": told.payment_ref, "refund_id": refund_id}
    waiting = stripe.refund(sent, **facts, amount_minor=500, reason="fraudulent")
    assert waiting.kind == NoticeKind.PENDING
    sandbox.act("stripe", ask.number, deed)
    assert stripe.query_refund(sent, **facts).kind == kind
    found = notices(stripe, receiver, 3 if deed == "settle" else 2)
    assert one(found, kind).refund_id == refund_id


def test_a_refund_made_by_stripes_staff_is_told(stripe, sandbox, receiver, ask):
    _, told = paid(stripe, sandbox, receiver, ask)
    sandbox.act("stripe", ask.number, "refund", amount_minor=300)
    notice = one(notices(stripe, receiver, 2), NoticeKind.REFUNDED)
    assert (notice.payment_ref, notice.refund_minor) == (told.payment_ref, 300)
    assert (notice.refund_id, notice.order_ref) == ("", "")


# Disputes.


@pytest.mark.parametrize(
    ("deeds", "kinds"),
    [
        (["inquiry", "won"], [NoticeKind.INQUIRY, NoticeKind.DISPUTE_WON]),
        (["opened", "taken", "lost"],
         [NoticeKind.DISPUTE_OPENED, NoticeKind.DISPUTE_TAKEN, NoticeKind.DISPUTE_LOST]),
        (["opened", "taken", "returned", "won"],
         [NoticeKind.DISPUTE_OPENED, NoticeKind.DISPUTE_TAKEN, NoticeKind.DISPUTE_RETURNED,
          NoticeKind.DISPUTE_WON]),
        (["warning"], [NoticeKind.FRAUD_WARNING]),
    ],
)  # fmt: skip
def test_a_dispute_is_told_step_by_step(stripe, sandbox, receiver, ask, deeds, kinds):
    _, told = paid(stripe, sandbox, receiver, ask)
    found = []
    for deed in deeds:
        sandbox.act("stripe", ask.number, deed)
        found = notices(stripe, receiver, len(found) + 1)
    assert [notice.kind for notice in found] == kinds
    assert {notice.payment_ref for notice in found} == {told.payment_ref}
    assert len({notice.dispute_ref for notice in found}) == 1
    fees = {notice.kind: notice.fee_minor for notice in found}
    assert fees.get(NoticeKind.DISPUTE_TAKEN, 1_500) == 1_500
    assert fees.get(NoticeKind.DISPUTE_RETURNED, 1_500) == 1_500


def test_a_disputed_payment_is_not_refunded_as_well(stripe, sandbox, receiver, ask):
    sent, told = paid(stripe, sandbox, receiver, ask)
    sandbox.act("stripe", ask.number, "opened")
    with pytest.raises(base.Refused, match="charge_disputed"):
        stripe.refund(
            sent, payment_ref=told.payment_ref, refund_id="5" * 32, amount_minor=1, reason=""
        )


# Saved cards.


def saved(stripe, sandbox, receiver):
    """Save a card; return its METHOD_SAVED notice, as the webhook tells it."""
    going = stripe.save_card("account-1", "", f"{receiver.url}/billing/methods")
    sandbox.act("stripe", going.session_ref, "pay")
    found = notices(stripe, receiver, 2)
    receiver.deliveries.clear()
    return going, one(found, NoticeKind.METHOD_SAVED)


def test_a_card_is_saved_for_its_account(stripe, sandbox, receiver):
    going, told = saved(stripe, sandbox, receiver)
    assert told.method["account"] == "account-1"
    asked = stripe.card_saved(going.session_ref)
    assert asked.kind == NoticeKind.METHOD_SAVED
    assert asked.method == {
        **told.method, "brand": "visa", "last4": "4242", "expires_month": 12,
        "expires_year": 2034,
    }  # fmt: skip
    assert asked.card_fingerprint


def test_a_forgotten_card_cannot_be_charged(stripe, sandbox, receiver):
    _, told = saved(stripe, sandbox, receiver)
    stripe.forget_card(told.method["method_ref"])
    stripe.forget_card(told.method["method_ref"])  # again is no error
    with pytest.raises(base.Refused, match="payment_method_unexpected_state"):
        stripe.create(away(receiver, told))


def test_a_card_that_is_not_saved_yet_is_pending(stripe, receiver):
    going = stripe.save_card(
        "account-1", "cus_known", f"{receiver.url}/methods?card={{CHECKOUT_SESSION_ID}}"
    )
    assert stripe.card_saved(going.session_ref).kind == NoticeKind.PENDING
    back = requests.post(going.pay_url, {"do": "pay"}, timeout=5, allow_redirects=False)
    assert back.headers["Location"].endswith(f"?card={going.session_ref}")
    assert stripe.card_saved(going.session_ref).method["customer_ref"] == "cus_known"


def test_a_payment_may_save_its_card(stripe, sandbox, receiver):
    ask = make_ask(receiver, saves_method=True)
    sent, _ = paid(stripe, sandbox, receiver, ask)
    asked = stripe.query(sent)
    assert asked.method["last4"] == "4242"
    assert asked.method["customer_ref"].startswith("cus_")
    assert asked.card_fingerprint


def away(receiver, told, **changed) -> Ask:
    """A top-up while the card's owner is away."""
    facts = {
        "method": "off_session", "customer_ref": told.method["customer_ref"],
        "method_ref": told.method["method_ref"],
    }  # fmt: skip
    return make_ask(receiver, **(facts | changed))


def test_a_saved_card_is_charged_while_its_owner_is_away(stripe, sandbox, receiver):
    _, told = saved(stripe, sandbox, receiver)
    ask = away(receiver, told)
    over = stripe.create(ask)
    assert over.notice is not None
    assert (over.notice.kind, over.notice.amount_minor) == (NoticeKind.PAID, 2_000)
    assert over.notice.order_ref == ask.number
    assert stripe.create(ask) == over  # the same number is the same charge
    notice = one(notices(stripe, receiver, 2), NoticeKind.PAID)
    assert notice.payment_ref == over.notice.payment_ref
    sent = dataclasses.replace(ask, session_ref=over.session_ref)
    assert stripe.query(sent).payment_ref == notice.payment_ref
    assert stripe.query(ask).payment_ref == notice.payment_ref  # the answer got lost
    with pytest.raises(base.AlreadyPaid):
        stripe.close(sent)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_authenticationRequired", "authentication_required"),
    ],
)
def test_a_card_that_cannot_be_charged_fails_the_order(stripe, sandbox, receiver, card, reason):
    _, told = saved(stripe, sandbox, receiver)
    ask = away(receiver, told, method_ref=card)
    over = stripe.create(ask)
    assert over.notice is not None
    assert (over.notice.kind, over.notice.reason) == (NoticeKind.FAILED, reason)
    assert (over.notice.order_ref, over.notice.is_live) == (ask.number, False)
    notice = one(notices(stripe, receiver, 1), NoticeKind.FAILED)
    assert (notice.order_ref, notice.reason) == (ask.number, reason)
    assert stripe.create(ask) == over
    sent = dataclasses.replace(ask, session_ref=over.session_ref)
    assert stripe.query(sent).kind == NoticeKind.FAILED
    stripe.close(sent)
    stripe.close(sent)


def test_a_card_of_nobody_is_refused(stripe, receiver):
    ask = make_ask(receiver, method="off_session", customer_ref="cus_1", method_ref="")
    with pytest.raises(base.Refused, match="resource_missing"):
        stripe.create(ask)


# Statements.


def test_a_days_statement_holds_every_movement(sandbox, receiver):
    today = dt.datetime.now(dt.UTC).date()
    stripe = Stripe(sandbox.payments.stripe, clock=lambda: time.time() + DAY_S)
    before = {line.row_ref for line in stripe.statement(today)}
    ask = make_ask(receiver)
    sent, told = paid(stripe, sandbox, receiver, ask)
    done = stripe.refund(
        sent, payment_ref=told.payment_ref, refund_id="7" * 32, amount_minor=500, reason=""
    )
    for deed in ("opened", "taken", "returned", "payout"):
        sandbox.act("stripe", ask.number, deed)
    lines = [line for line in stripe.statement(today) if line.row_ref not in before]
    by_kind = {line.kind: line for line in lines}
    assert [line.kind for line in reversed(lines)] == [
        "payment", "refund", "dispute", "dispute", "payout",
    ]  # fmt: skip
    assert (by_kind["payment"].amount_minor, by_kind["payment"].fee_minor) == (2_000, 88)
    assert by_kind["payment"].order_ref == ask.number
    assert by_kind["payment"].payment_ref == told.payment_ref
    assert (by_kind["refund"].amount_minor, by_kind["refund"].refund_ref) == (
        -500, done.refund_ref,
    )  # fmt: skip
    assert sum(line.amount_minor for line in lines if line.kind == "dispute") == 0
    assert by_kind["dispute"].payment_ref == told.payment_ref
    assert by_kind["payout"].amount_minor < 0
    assert stripe.statement(today - dt.timedelta(days=1)) == []


def test_a_long_statement_is_read_to_its_end(sandbox, receiver):
    stripe = Stripe(sandbox.payments.stripe, clock=lambda: time.time() + DAY_S)
    today = dt.datetime.now(dt.UTC).date()
    before = len(stripe.statement(today))
    ask = make_ask(receiver)
    started(stripe, ask)
    sandbox.act("stripe", ask.number, "pay")
    for _ in range(120):
        sandbox.act("stripe", ask.number, "taken")
    lines = stripe.statement(today)
    assert len(lines) - before == 121
    assert len({line.row_ref for line in lines}) == len(lines)


def test_a_day_that_is_not_over_has_no_statement(stripe):
    with pytest.raises(base.Refused, match="not_yet"):
        stripe.statement(dt.datetime.now(dt.UTC).date())


# The sandbox is as strict as Stripe.


def test_the_sandbox_checks_keys_and_remembers_events(stripe, sandbox, receiver, ask):
    for headers in ({}, {"Authorization": "Bearer sk_test_wrong", "Stripe-Version": "x"}):
        answer = requests.get(f"{sandbox.url}/v1/refunds", headers=headers, timeout=5)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_request_error"
    paid(stripe, sandbox, receiver, ask)
    headers = {
        "Authorization": f"Bearer {sandbox.keys.stripe_secret_key}", "Stripe-Version": "x",
    }  # fmt: skip
    events = requests.get(f"{sandbox.url}/v1/events", headers=headers, timeout=5).json()["data"]
    assert {event["object"] for event in events} == {"event"}
    assert json.dumps(events).count(ask.number) >= 3
