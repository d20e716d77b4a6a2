"""Stripe's notices: what is believed, what it means, and what is refused. No network."""

import contextlib
import hashlib
import hmac
import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import stripe as sdk
from django.conf import settings as django_settings

from billing.processors import base, config
from billing.processors.base import Notice, NoticeKind
from billing.processors.stripe import Stripe
from billing.processors.stripe_notices import EVENTS
from billing.processors.stripe_statement import row

NOW = 1_790_000_000
SECRET, OLD_SECRET = "whsec_newest_0123456789abcdef", "whsec_rolling_0123456789abcdef"
ORDER = "0190f1c2a3b4c5d6e7f8091a2b3c4d5e"
KEYS = config.Stripe(
    url="http://127.0.0.1:9",  # nobody listens: a notice is verified without a call
    account="acct_ours",
    secret_key="sk_test_0123456789",
    webhook_secrets=(SECRET, OLD_SECRET),
)


def session(**changed):
    return {
        "id": "cs_test_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "amount_total": 2_000, "currency": "usd",
        "client_reference_id": ORDER, "metadata": {"order": ORDER, "method": "checkout"},
        "payment_intent": "pi_1", "livemode": False,
        "customer_details": {"email": "payer@example.com", "name": "A Payer"},
    } | changed  # fmt: skip


def intent(**changed):
    return {
        "id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 2_000,
        "amount_received": 2_000, "currency": "usd", "customer": "cus_1", "payment_method": "pm_1",
        "metadata": {"order": ORDER, "method": "off_session"}, "livemode": False,
    } | changed  # fmt: skip


def refund(**changed):
    return {
        "id": "re_1", "object": "refund", "amount": 700, "currency": "usd", "charge": "ch_1",
        "payment_intent": "pi_1", "status": "succeeded", "reason": "requested_by_customer",
        "metadata": {"refund_id": "ab" * 16, "order": ORDER}, "created": NOW,
    } | changed  # fmt: skip


def dispute(**changed):
    return {
        "id": "du_1", "object": "dispute", "amount": 2_000, "currency": "usd", "charge": "ch_1",
        "payment_intent": "pi_1", "status": "needs_response", "reason": "fraudulent",
        "metadata": {}, "balance_transactions": [], "livemode": False,
    } | changed  # fmt: skip


def event(kind="checkout.session.completed", about=None, **changed):
    return {
        "id": "evt_1", "object": "event", "api_version": "2026-10-28.endive", "created": NOW - 5,
        "type": kind, "livemode": False, "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": session() if about is None else about},
    } | changed  # fmt: skip


def mac(body: bytes, *, at=NOW, secret=SECRET) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def signed(said, *, at=NOW, secret=SECRET):
    """Return headers and body of a delivery, as Stripe sends it."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return {"Stripe-Signature": f"t={at},v1={mac(body, at=at, secret=secret)}"}, body


def read(headers, body, *, now=NOW, keys=KEYS) -> Notice:
    return Stripe(keys).verify_webhook(headers, body, now=now)


def told(kind, about, **changed) -> Notice:
    return read(*signed(event(kind, about, **changed)))


# What is believed.


def test_a_paid_session_pays_its_order():
    notice = read(*signed(event()))
    assert notice.kind == NoticeKind.PAID
    assert (notice.order_ref, notice.session_ref, notice.payment_ref) == (
        ORDER, "cs_test_1", "pi_1",
    )  # fmt: skip
    assert (notice.amount_minor, notice.currency) == (2_000, "USD")
    assert (notice.merchant, notice.is_live, notice.event_id) == ("acct_ours", False, "evt_1")
    assert notice.occurred_at is not None
    assert notice.occurred_at.timestamp() == NOW - 5
    assert Notice.from_json(notice.to_json()) == notice


@pytest.mark.clause("1.3-card")
def test_a_notice_holds_nothing_of_the_payer():
    text = json.dumps(read(*signed(event())).to_json())
    assert "payer@example.com" not in text
    assert "A Payer" not in text


def test_the_sdks_own_signature_is_believed():
    body = json.dumps(event()).encode()
    header = sdk.WebhookSignature.generate_signature_header(body.decode(), SECRET, NOW)
    assert read({"Stripe-Signature": header}, body).kind == NoticeKind.PAID


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_each_of_our_secrets_is_believed_while_one_rolls_out(secret):
    assert read(*signed(event(), secret=secret)).kind == NoticeKind.PAID


def test_one_good_signature_among_several_is_enough():
    body = json.dumps(event()).encode()
    header = f"t={NOW},v1={'0' * 64},v1={mac(body)},v0={'1' * 64}"
    assert read({"Stripe-Signature": header}, body).kind == NoticeKind.PAID


@pytest.mark.parametrize("name", ["stripe-signature", "STRIPE-SIGNATURE"])
def test_a_headers_case_does_not_matter(name):
    headers, body = signed(event())
    assert read({name: headers["Stripe-Signature"]}, body).kind == NoticeKind.PAID


@pytest.mark.parametrize("skew_s", [-300, 0, 300])
def test_clocks_may_differ_by_five_minutes(skew_s):
    assert read(*signed(event(), at=NOW + skew_s)).kind == NoticeKind.PAID


@pytest.mark.parametrize("version", ["2019-02-11", "2027-01-01.future", None])
def test_the_events_api_version_is_tolerated(version):
    assert read(*signed(event(api_version=version))).kind == NoticeKind.PAID


def test_an_event_that_stripe_sends_days_later_is_believed():
    assert read(*signed(event(created=NOW - 3 * 86_400))).kind == NoticeKind.PAID


def test_an_expanded_payment_intent_is_its_id():
    notice = told("checkout.session.completed", session(payment_intent=intent()))
    assert notice.payment_ref == "pi_1"


def test_connect_names_the_account_itself():
    assert read(*signed(event(account="acct_ours"))).merchant == "acct_ours"
    assert read(*signed(event(context="acct_ours"))).merchant == "acct_ours"


@pytest.mark.parametrize(
    ("kind", "about", "expected"),
    [
        ("checkout.session.completed", session(payment_status="unpaid"), NoticeKind.PENDING),
        ("checkout.session.async_payment_succeeded", session(), NoticeKind.PAID),
        ("checkout.session.async_payment_failed", session(), NoticeKind.FAILED),
        ("checkout.session.expired", session(status="expired"), NoticeKind.CLOSED),
        ("payment_intent.succeeded", intent(), NoticeKind.PAID),
        (
            "payment_intent.payment_failed",
            intent(status="requires_payment_method"),
            NoticeKind.FAILED,
        ),
        ("refund.created", refund(), NoticeKind.REFUNDED),
        ("refund.created", refund(status="pending"), NoticeKind.PENDING),
        ("refund.updated", refund(), NoticeKind.REFUNDED),
        ("charge.refund.updated", refund(), NoticeKind.REFUNDED),
        ("refund.failed", refund(status="failed"), NoticeKind.REFUND_FAILED),
        ("refund.updated", refund(status="canceled"), NoticeKind.REFUND_FAILED),
        ("charge.dispute.created", dispute(), NoticeKind.DISPUTE_OPENED),
        (
            "charge.dispute.created",
            dispute(status="warning_needs_response"),
            NoticeKind.INQUIRY,
        ),
        ("charge.dispute.funds_withdrawn", dispute(), NoticeKind.DISPUTE_TAKEN),
        ("charge.dispute.funds_reinstated", dispute(), NoticeKind.DISPUTE_RETURNED),
        ("charge.dispute.closed", dispute(status="won"), NoticeKind.DISPUTE_WON),
        ("charge.dispute.closed", dispute(status="lost"), NoticeKind.DISPUTE_LOST),
        ("charge.dispute.closed", dispute(status="warning_closed"), NoticeKind.DISPUTE_WON),
        ("charge.dispute.closed", dispute(status="prevented"), NoticeKind.OTHER),
        (
            "radar.early_fraud_warning.created",
            {"id": "issfr_1", "payment_intent": "pi_1", "fraud_type": "made_with_stolen_card"},
            NoticeKind.FRAUD_WARNING,
        ),
        ("charge.succeeded", {"id": "ch_1", "payment_intent": "pi_1"}, NoticeKind.OTHER),
        ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1"}, NoticeKind.OTHER),
        ("setup_intent.succeeded", intent(metadata={"account": "a1"}), NoticeKind.METHOD_SAVED),
        ("customer.created", {"id": "cus_1"}, NoticeKind.OTHER),
        ("a.kind.of.tomorrow", {}, NoticeKind.OTHER),
    ],
)
def test_each_kind_of_event_is_understood(kind, about, expected):
    notice = told(kind, about)
    assert notice.kind == expected
    assert (notice.merchant, notice.is_live) == ("acct_ours", False)


def test_every_event_that_is_read_is_named_for_the_operator():
    text = (Path(django_settings.BASE_DIR) / "docs" / "payments.md").read_text()
    named = re.findall(r"`([a-z_]+[.][a-z_.*]+)`", text.partition("## Stripe")[2])
    unnamed = [kind for kind in EVENTS if not any(fnmatch(kind, name) for name in named)]
    assert unnamed == []
    assert len(set(EVENTS)) == len(EVENTS) == 18


def test_a_charge_without_the_payer_is_paid_with_what_arrived():
    notice = told("payment_intent.succeeded", intent(amount=2_000, amount_received=1_999))
    assert (notice.kind, notice.amount_minor) == (NoticeKind.PAID, 1_999)
    assert (notice.order_ref, notice.payment_ref) == (ORDER, "pi_1")


def test_a_decline_says_why():
    error = {"code": "card_declined", "decline_code": "Insufficient Funds!"}
    declined = intent(status="requires_payment_method", last_payment_error=error)
    notice = told("payment_intent.payment_failed", declined)
    assert (notice.kind, notice.reason) == (NoticeKind.FAILED, "insufficient_funds_")


def test_a_refund_names_ours_and_theirs():
    notice = told("refund.updated", refund())
    assert (notice.refund_ref, notice.refund_id) == ("re_1", "ab" * 16)
    assert (notice.refund_minor, notice.currency, notice.payment_ref) == (700, "USD", "pi_1")
    assert notice.order_ref == ORDER


def test_a_refund_made_in_the_dashboard_names_the_payment_only():
    notice = told("refund.created", refund(metadata={}))
    assert (notice.order_ref, notice.refund_id, notice.payment_ref) == ("", "", "pi_1")
    assert notice.refund_ref == "re_1"


def test_an_old_versions_charge_names_its_newest_refund():
    listed = [refund(id="re_old", created=NOW - 9, amount=1), refund(id="re_new")]
    about = {"id": "ch_1", "payment_intent": "pi_1", "refunds": {"data": listed}}
    notice = told("charge.refunded", about)
    assert (notice.kind, notice.refund_ref, notice.refund_minor) == (
        NoticeKind.REFUNDED, "re_new", 700,
    )  # fmt: skip


def test_a_dispute_says_the_fee_that_was_taken_and_what_came_back():
    moves = [{"amount": -2_000, "fee": 1_500}]
    taken = told("charge.dispute.funds_withdrawn", dispute(balance_transactions=moves))
    assert (taken.amount_minor, taken.fee_minor, taken.dispute_ref) == (2_000, 1_500, "du_1")
    moves.append({"amount": 2_000, "fee": -1_500})
    back = told("charge.dispute.funds_reinstated", dispute(balance_transactions=moves))
    assert (back.amount_minor, back.fee_minor) == (2_000, 1_500)
    assert told("charge.dispute.closed", dispute(status="won")).payment_ref == "pi_1"


def test_a_saved_card_belongs_to_its_account():
    notice = told("setup_intent.succeeded", intent(metadata={"account": "acc-public"}))
    assert notice.method == {
        "account": "acc-public", "customer_ref": "cus_1", "method_ref": "pm_1",
    }  # fmt: skip


def test_a_charge_tells_the_cards_fingerprint_and_how_its_holder_was_proved():
    card = {"fingerprint": "Fp1", "last4": "4242"}
    about = {
        "id": "ch_1", "payment_intent": "pi_1", "metadata": {"order": ORDER},
        "payment_method_details": {"card": card},
    }  # fmt: skip
    notice = told("charge.succeeded", about)
    assert (notice.card_fingerprint, notice.order_ref) == ("Fp1", ORDER)
    assert notice.authentication == {}
    card["three_d_secure"] = {
        "result": "authenticated", "version": "2.2.0", "electronic_commerce_indicator": "05",
        "transaction_id": "a-b", "exemption_indicator": None,
    }  # fmt: skip
    proved = {"result": "authenticated", "version": "2.2.0", "eci": "05"}
    assert told("charge.succeeded", about).authentication == proved
    card["three_d_secure"] = None
    assert told("charge.succeeded", about).authentication == {}


# What is not.


def would_credit(notice: Notice) -> bool:
    """What our own order would be credited for: see billing.payments.suspense.mismatch."""
    facts = (notice.order_ref, notice.amount_minor, notice.currency, notice.is_live)
    ours = facts == (ORDER, 2_000, "USD", False)
    return notice.kind == NoticeKind.PAID and ours and notice.merchant == "acct_ours"


def raw(header, body=None):
    """A delivery with this signature header; {mac} is the right one."""
    body = json.dumps(event()).encode() if body is None else body
    return {"Stripe-Signature": header.replace("{mac}", mac(body))}, body


def cut(count):
    headers, body = signed(event())
    return headers, body[:-count]


def swapped(old, new):
    headers, body = signed(event())
    assert old in body
    return headers, body.replace(old, new)


GOOD = json.dumps(event()).encode()
DEEP = b"[" * 20_000 + b"]" * 20_000

FORGED = {
    "no header": (({}, GOOD), "no_signature"),
    "empty header": (raw(""), "bad_signature_header"),
    "two headers": (({**raw("t=1")[0], "stripe-signature": "t=1"}, GOOD), "bad_signature_header"),
    "garbage header": (raw("hello"), "bad_signature_header"),
    "no time": (raw("v1={mac}"), "bad_signature_header"),
    "no signature": (raw(f"t={NOW}"), "bad_signature_header"),
    "signature before time": (raw(f"v1={{mac}},t={NOW}"), "bad_signature_header"),
    "two times": (raw(f"t={NOW},t=1,v1={{mac}}"), "bad_signature_header"),
    "time is text": (raw("t=now,v1={mac}"), "bad_signature_header"),
    "time is negative": (raw(f"t=-{NOW},v1={{mac}}"), "bad_signature_header"),
    "time in Arabic digits": (raw("t=١٧٩٠٠٠٠٠٠٠,v1={mac}"), "bad_signature_header"),
    "time is a fraction": (raw(f"t={NOW}.5,v1={{mac}}"), "bad_signature_header"),
    "time is endless": (raw(f"t={'9' * 400},v1={{mac}}"), "bad_signature_header"),
    "time with blank": (raw(f"t= {NOW},v1={{mac}}"), "bad_signature_header"),
    "empty signature": (raw(f"t={NOW},v1="), "bad_signature_header"),
    "short signature": (raw(f"t={NOW},v1=abcdef"), "bad_signature_header"),
    "signature not ASCII": (raw(f"t={NOW},v1={'é' * 64}"), "bad_signature_header"),
    "signature in capitals": (raw(f"t={NOW},v1={mac(GOOD).upper()}"), "bad_signature_header"),
    "line break": (raw(f"t={NOW},v1={{mac}}\n"), "bad_signature_header"),
    "many signatures": (raw(f"t={NOW}" + ",v1={mac}" * 40), "bad_signature_header"),
    "wrong signature": (raw(f"t={NOW},v1={'a' * 64}"), "bad_signature"),
    "another scheme only": (raw(f"t={NOW},v0={{mac}}"), "bad_signature"),
    "a stranger's secret": (signed(event(), secret="whsec_stranger_0123456789"), "bad_signature"),
    "an empty secret": (signed(event(), secret=""), "bad_signature"),
    "the API key as secret": (signed(event(), secret=KEYS.secret_key), "bad_signature"),
    "signed without time": (
        ({"Stripe-Signature": f"t={NOW},v1={hmac.new(SECRET.encode(), GOOD, 'sha256').hexdigest()}"
          }, GOOD),
        "bad_signature",
    ),
    "another time than signed": (raw(f"t={NOW + 1},v1={{mac}}"), "bad_signature"),
    "301 seconds old": (signed(event(), at=NOW - 301), "stale"),
    "a day old": (signed(event(), at=NOW - 86_400), "stale"),
    "301 seconds ahead": (signed(event(), at=NOW + 301), "stale"),
    "a day ahead": (signed(event(), at=NOW + 86_400), "stale"),
    "at the epoch": (signed(event(), at=0), "stale"),
    "truncated": (cut(1), "bad_signature"),
    "half a body": (cut(200), "bad_signature"),
    "nothing in it": (({**signed(event())[0]}, b""), "bad_signature"),
    "more behind it": (({**signed(event())[0]}, GOOD + b" "), "bad_signature"),
    "amount changed": (swapped(b"2000", b"9000"), "bad_signature"),
    "order changed": (swapped(ORDER.encode(), b"f" * 32), "bad_signature"),
    "mode changed": (swapped(b'"livemode": false', b'"livemode": true '), "bad_signature"),
    "not UTF-8, unsigned": (raw(f"t={NOW},v1={'a' * 64}", b"\xff\xfe{}"), "bad_signature"),
    "not UTF-8, signed": (signed(b'{"object": "event\xff"}'), "bad_signature"),
    "with a byte order mark": (signed(b"\xef\xbb\xbf" + GOOD), "bad_json"),
    "empty, signed": (signed(b""), "bad_json"),
    "not JSON": (signed(b"t=1&v1=2"), "bad_json"),
    "NaN": (signed(GOOD.replace(b"2000", b"NaN")), "bad_json"),
    "deeper than a parser goes": (signed(DEEP), "bad_json"),
    "half a surrogate": (signed(GOOD.replace(b"evt_1", b"evt_\\ud800")), "bad_json"),
    "too large": (signed(GOOD + b" " * (64 << 10)), "too_large"),
    "a list": (signed([event()]), "bad_event"),
    "a number": (signed(b"7"), "bad_event"),
    "null": (signed(b"null"), "bad_event"),
    "a thin event": (signed(event(object="v2.core.event")), "bad_event"),
    "an envelope of a cloud": (signed({"detail": event()}), "bad_event"),
    "a session, not an event": (signed(session()), "bad_event"),
    "no id": (signed(event(id=None)), "bad_event"),
    "id is a number": (signed(event(id=7)), "bad_event"),
    "id of another kind": (signed(event(id="cs_1")), "bad_event"),
    "id far too long": (signed(event(id="evt_" + "a" * 150)), "bad_event"),
    "mode not said": (signed(event(livemode=None)), "bad_event"),
    "mode is text": (signed(event(livemode="false")), "bad_event"),
    "time not said": (signed(event(created=None)), "bad_event"),
    "time beyond years": (signed(event(created=10**12)), "bad_event"),
    "type is a list": (signed(event(type=["checkout.session.completed"])), "bad_event"),
    "data is text": (signed(event(data="x")), "bad_event"),
    "object is a list": (signed(event(about=[])), "bad_event"),
    "object is empty": (signed(event(about={})), NoticeKind.OTHER),
    "amount is text": (signed(event(about=session(amount_total="2000"))), "bad_event"),
    "amount is a fraction": (signed(event(about=session(amount_total=2000.0))), "bad_event"),
    "amount is true": (signed(event(about=session(amount_total=True))), "bad_event"),
    "amount is negative": (signed(event(about=session(amount_total=-2000))), "bad_event"),
    "amount is missing": (signed(event(about=session(amount_total=None))), "bad_event"),
    "amount is absurd": (signed(event(about=session(amount_total=10**30))), "bad_event"),
    "currency is a number": (signed(event(about=session(currency=840))), "bad_event"),
    "currency is long": (signed(event(about=session(currency="usdt"))), "bad_event"),
    "currency is missing": (signed(event(about=session(currency=None))), "bad_event"),
    "order is a list": (signed(event(about=session(client_reference_id=[ORDER]))), "bad_event"),
    "two orders": (signed(event(about=session(client_reference_id="f" * 32))), "bad_event"),
    "metadata is text": (signed(event(about=session(metadata=ORDER))), "bad_event"),
    "intent is a number": (signed(event(about=session(payment_intent=7))), "bad_event"),
    "intent with SQL": (signed(event(about=session(payment_intent="pi_1' OR 1"))), "bad_event"),
    "account is a list": (signed(event(account=["acct_ours"])), "bad_event"),
    "another amount": (signed(event(about=session(amount_total=1))), NoticeKind.PAID),
    "another currency": (signed(event(about=session(currency="jpy"))), NoticeKind.PAID),
    "another account": (signed(event(account="acct_other")), NoticeKind.PAID),
    "another context": (signed(event(context="org_1/acct_other")), NoticeKind.PAID),
    "live mode": (signed(event(livemode=True)), NoticeKind.PAID),
    "another's order": (
        signed(event(about=session(client_reference_id=None, metadata={"order": "x"}))),
        NoticeKind.PAID,
    ),
    "no order": (
        signed(event(about=session(client_reference_id=None, metadata={}))), NoticeKind.OTHER,
    ),
    "not paid yet": (signed(event(about=session(payment_status="unpaid"))), NoticeKind.PENDING),
    "no payment required": (
        signed(event(about=session(payment_status="no_payment_required"))), NoticeKind.OTHER,
    ),
    "payment status unknown": (
        signed(event(about=session(payment_status="PAID"))), NoticeKind.OTHER,
    ),
    "a subscription": (signed(event(about=session(mode="subscription"))), NoticeKind.OTHER),
    "a setup": (
        signed(event(about=session(mode="setup", payment_status="no_payment_required"))),
        NoticeKind.OTHER,
    ),
    "asynchronous, not arrived": (
        signed(event("checkout.session.async_payment_succeeded", session(payment_status="unpaid"))),
        NoticeKind.PENDING,
    ),
    "expired but paid": (signed(event("checkout.session.expired")), NoticeKind.CLOSED),
    "an intent of a session": (
        signed(event("payment_intent.succeeded", intent(metadata={"order": ORDER}))),
        NoticeKind.OTHER,
    ),
    "an intent of nobody": (
        signed(event("payment_intent.succeeded", intent(metadata={"method": "off_session"}))),
        NoticeKind.OTHER,
    ),
    "an intent under way": (
        signed(event("payment_intent.succeeded", intent(status="processing"))),
        NoticeKind.PENDING,
    ),
    "an intent without money": (
        signed(event("payment_intent.succeeded", intent(amount_received=0))), NoticeKind.PAID,
    ),
    "created, not succeeded": (
        signed(event("payment_intent.created", intent())), NoticeKind.OTHER,
    ),
    "a charge succeeded": (
        signed(event("charge.succeeded", {"id": "ch_1", "payment_intent": "pi_1",
                                          "metadata": {"order": ORDER}})),
        NoticeKind.OTHER,
    ),
    "type in capitals": (signed(event("CHECKOUT.SESSION.COMPLETED")), NoticeKind.OTHER),
    "type with blank": (signed(event("checkout.session.completed ")), NoticeKind.OTHER),
    "no type": (signed(event(type=None)), NoticeKind.OTHER),
    "a refund below zero": (signed(event("refund.updated", refund(amount=-700))), "bad_event"),
    "a dispute without amount": (
        signed(event("charge.dispute.created", dispute(amount=None))), "bad_event",
    ),
    "a dispute's fee is text": (
        signed(event("charge.dispute.funds_withdrawn",
                     dispute(balance_transactions=[{"amount": -1, "fee": "9"}]))),
        "bad_event",
    ),
    "a card for no account": (
        signed(event("setup_intent.succeeded", intent(metadata={}))), NoticeKind.OTHER,
    ),
    "a card that is not saved": (
        signed(event("setup_intent.succeeded",
                     intent(metadata={"account": "a"}, status="requires_action"))),
        NoticeKind.OTHER,
    ),
    "a card without a name": (
        signed(event("setup_intent.succeeded",
                     intent(metadata={"account": "a"}, payment_method=None))),
        NoticeKind.OTHER,
    ),
}  # fmt: skip


@pytest.mark.clause("1.3-processors")
@pytest.mark.parametrize(("delivery", "expected"), FORGED.values(), ids=FORGED)
def test_a_forged_or_odd_delivery_credits_nothing(delivery, expected):
    headers, body = delivery
    if isinstance(expected, NoticeKind):
        notice = read(headers, body)
        assert notice.kind == expected
        assert not would_credit(notice)
        return
    with pytest.raises(base.WebhookRefused) as refused:
        read(headers, body)
    assert refused.value.code == expected


def test_the_rule_of_this_table_can_fail():
    assert would_credit(read(*signed(event())))
    assert len(FORGED) >= 45


@pytest.mark.parametrize("secrets", [(), ("",), ("   ",), ("\t\n",), ("short",), ("", "short")])
def test_without_a_secret_nothing_is_believed(secrets):
    keys = config.Stripe(
        url=KEYS.url, account="acct_ours", secret_key=KEYS.secret_key, webhook_secrets=secrets
    )
    for secret in (*secrets, ""):
        with pytest.raises(base.WebhookRefused, match="no_secret"):
            read(*signed(event(), secret=secret), keys=keys)


def test_an_empty_secret_beside_a_good_one_opens_nothing():
    keys = config.Stripe(
        url=KEYS.url, account="acct_ours", secret_key="x", webhook_secrets=("", SECRET)
    )
    with pytest.raises(base.WebhookRefused, match="bad_signature"):
        read(*signed(event(), secret=""), keys=keys)
    assert read(*signed(event()), keys=keys).kind == NoticeKind.PAID


def test_a_delivery_is_refused_however_one_byte_of_it_is_changed():
    headers, body = signed(event())
    for place in range(0, len(body), 7):
        changed = bytearray(body)
        changed[place] ^= 1
        with pytest.raises(base.WebhookRefused, match="bad_signature"):
            read(headers, bytes(changed))


def test_nothing_else_than_a_refusal_is_raised_for_any_value_anywhere():
    """Each field of a signed event becomes each odd value: refused or read, never broken."""
    odd = (None, "", "x" * 300, 7, -1, 1.5, True, [], {}, [[]], {"id": {}}, "é", 2**63)
    for kind, about in (
        ("checkout.session.completed", session()),
        ("payment_intent.succeeded", intent()),
        ("refund.updated", refund()),
        ("charge.dispute.funds_withdrawn", dispute(balance_transactions=[{}])),
        ("charge.refunded", {"refunds": {"data": [refund()]}}),
        ("setup_intent.succeeded", intent(metadata={"account": "a"})),
    ):
        for name in about:
            for value in odd:
                with contextlib.suppress(base.WebhookRefused):
                    notice = told(kind, about | {name: value})
                    assert Notice.from_json(notice.to_json()) == notice


# The statement.


def move(category, amount_minor, **changed):
    return {
        "id": "txn_1", "object": "balance_transaction", "reporting_category": category,
        "amount": amount_minor, "fee": 0, "currency": "usd", "status": "available",
        "source": None,
    } | changed  # fmt: skip


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("charge", "payment"), ("refund", "refund"), ("refund_failure", "refund"),
        ("dispute", "dispute"), ("dispute_reversal", "dispute"), ("fee", "fee"),
        ("payout", "payout"), ("payout_reversal", "payout"), ("transfer", "other"),
        ("a category of tomorrow", "other"),
    ],
)  # fmt: skip
def test_each_category_of_the_balance_is_a_kind_of_line(category, kind):
    assert row(move(category, -5)).kind == kind


def test_a_line_names_its_payment_order_refund_and_fee():
    source = {
        "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "metadata": {"order": ORDER},
    }  # fmt: skip
    paid = row(move("charge", 2_000, fee=88, source=source))
    assert (paid.row_ref, paid.payment_ref, paid.order_ref) == ("txn_1", "pi_1", ORDER)
    assert (paid.amount_minor, paid.fee_minor, paid.currency) == (2_000, 88, "USD")
    assert paid.refund_ref == ""
    back = row(move("refund", -700, source=refund()))
    assert (back.refund_ref, back.payment_ref, back.amount_minor) == ("re_1", "pi_1", -700)
    fee = row(move("fee", -25, source="not_expanded"))
    assert (fee.payment_ref, fee.fee_minor) == ("", 0)


# What the processor is.


def test_live_mode_is_what_the_key_says():
    assert not Stripe(KEYS).is_live
    for prefix in ("sk_live_", "rk_live_"):
        keys = config.Stripe(url=KEYS.url, secret_key=f"{prefix}1")
        assert Stripe(keys).is_live


def test_keys_are_not_shown():
    assert SECRET not in repr(KEYS)
    assert KEYS.secret_key not in repr(KEYS)
