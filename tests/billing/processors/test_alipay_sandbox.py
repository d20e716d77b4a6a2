"""Our adapter against the sandbox's Alipay, over sockets: pay, ask, close, refund, bill."""

import dataclasses
import datetime as dt
import time
import uuid
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from billing.processors import alipay_wire
from billing.processors.alipay import Alipay, certificate_sn, root_sn
from billing.processors.base import (
    AlreadyPaid,
    Ask,
    NoticeKind,
    Refused,
    Unavailable,
    WebhookRefused,
)
from tests.billing.processors import alipay_notices as notices
from tests.billing.processors import sandboxes

TIMEOUT_S = 10
CALM = {
    "copies": 1, "delay_s": 0, "shuffle": False, "drop": 0, "retries": 0, "retry_s": 0.05,
    "fail_calls": 0, "hang_s": 0, "wrong": "", "clock_s": 0, "key": "", "truncate": 0,
    "asynchronous": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    running.turn(**CALM)
    return running


@pytest.fixture(scope="module")
def listening():
    with sandboxes.receive() as receiver:
        yield receiver


@pytest.fixture
def hook(listening):
    # A list of this test's own: a late notice of the one before goes into the old list.
    listening.deliveries, listening.reply = [], Alipay.accepted.body
    return listening


@pytest.fixture
def ours(sandbox):
    return Alipay(sandbox.payments.alipay)


def order(hook, method="page", *, amount_minor=7_205) -> Ask:
    return Ask(
        number=uuid.uuid4().hex,
        amount_minor=amount_minor,
        currency="CNY",
        method=method,
        subject="BananaRouter 余额",
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30),
        notify_url=f"{hook.url}/hooks/alipay",
        return_url=f"{hook.url}/billing/orders/1?a=1&b=2",
        cancel_url=f"{hook.url}/back",
    )


def told(ours, delivery, *, now=None):
    return ours.verify_webhook(delivery.headers, delivery.body, now=now or time.time())


def paid(ours, sandbox, hook, ask):
    """Start a payment and pay it; return the notice."""
    requests.get(ours.create(ask).pay_url, allow_redirects=False, timeout=TIMEOUT_S).close()
    before = len(hook.deliveries)
    sandbox.act("alipay", ask.number, "pay")
    return told(ours, hook.wait(before + 1)[-1])


@pytest.mark.parametrize("method", ["page", "wap", "qr"])
def test_a_payer_pays(ours, sandbox, hook, method):
    ask = order(hook, method)
    started = ours.create(ask)
    page = started.qr_text or started.pay_url
    assert bool(started.qr_text) == (method == "qr")
    assert ours.query(ask).kind == NoticeKind.PENDING  # nobody came yet

    with requests.get(page, timeout=TIMEOUT_S) as shown:
        assert shown.status_code == 200
        assert "72.05 CNY" in shown.text
        assert shown.url.startswith(f"{sandbox.url}/pay/")
    with requests.post(
        shown.url, {"do": "pay"}, allow_redirects=False, timeout=TIMEOUT_S
    ) as answer:
        if method != "qr":
            assert answer.headers["Location"] == ask.return_url

    notice = told(ours, hook.wait()[0])
    assert notice.kind == NoticeKind.PAID
    assert (notice.order_ref, notice.amount_minor, notice.currency) == (ask.number, 7_205, "CNY")
    assert (notice.merchant, notice.is_live) == (ours.merchant, False)
    asked = ours.query(ask)
    for name in ("kind", "order_ref", "payment_ref", "amount_minor", "currency", "merchant"):
        assert getattr(asked, name) == getattr(notice, name), name
    assert asked.event_id == ours.query(ask).event_id != notice.event_id


def test_a_page_says_what_the_order_says(ours, hook):
    ask = order(hook, "wap")
    fields = dict(parse_qsl(urlsplit(ours.create(ask).pay_url).query))
    assert fields["method"] == "alipay.trade.wap.pay"
    assert fields["return_url"] == ask.return_url
    assert fields["notify_url"] == ask.notify_url
    assert f'"time_expire":"{alipay_wire.written(ask.expires_at)}"' in fields["biz_content"]
    assert '"total_amount":"72.05"' in fields["biz_content"]
    assert f'"quit_url":"{ask.cancel_url}"' in fields["biz_content"]


def test_an_unknown_method_is_refused(ours, hook):
    with pytest.raises(Refused, match="unknown_method"):
        ours.create(order(hook, "jsapi"))


def test_the_gateway_refuses_a_page_with_another_amount(ours, hook):
    page = ours.create(order(hook)).pay_url
    with requests.get(page.replace("72.05", "0.01"), timeout=TIMEOUT_S) as answer:
        assert (answer.status_code, answer.text) == (400, "isv.invalid-signature")


def test_the_same_order_twice_is_one_payment(ours, sandbox, hook):
    ask = order(hook, "qr")
    assert ours.create(ask) == ours.create(ask)
    sandbox.act("alipay", ask.number, "pay")
    hook.wait()
    with pytest.raises(Refused, match=r"acq\.trade_has_success"):
        ours.create(ask)


def test_the_same_order_with_another_amount_is_refused(ours, hook):
    ask = order(hook, "qr")
    ours.create(ask)
    with pytest.raises(Refused, match=r"acq\.context_inconsistent"):
        ours.create(dataclasses.replace(ask, amount_minor=1))


def test_a_payment_under_way_is_pending_and_settles(ours, sandbox, hook):
    sandbox.turn(asynchronous=True)
    ask = order(hook, "qr")
    ours.create(ask)
    sandbox.act("alipay", ask.number, "pay")
    assert told(ours, hook.wait()[0]).kind == ours.query(ask).kind == NoticeKind.PENDING
    sandbox.act("alipay", ask.number, "settle")
    assert told(ours, hook.wait(2)[1]).kind == ours.query(ask).kind == NoticeKind.PAID


def test_a_payment_under_way_can_be_closed(ours, sandbox, hook):
    sandbox.turn(asynchronous=True)
    ask = order(hook, "qr")
    ours.create(ask)
    sandbox.act("alipay", ask.number, "pay")
    ours.close(ask)
    assert ours.query(ask).kind == NoticeKind.CLOSED
    ours.close(ask)  # closed already: as it should be


def test_an_order_that_nobody_came_to_pay_is_closed(ours, hook):
    ask = order(hook, "qr")
    ours.close(ask)  # never created
    ours.create(ask)
    ours.close(ask)  # never scanned
    assert ours.query(ask).kind == NoticeKind.PENDING


def test_a_paid_order_is_not_closed(ours, sandbox, hook):
    ask = order(hook)
    paid(ours, sandbox, hook, ask)
    with pytest.raises(AlreadyPaid):
        ours.close(ask)
    assert ours.query(ask).kind == NoticeKind.PAID


def test_a_payer_who_declines_closes_the_trade(ours, sandbox, hook):
    ask = order(hook, "qr")
    ours.create(ask)
    sandbox.act("alipay", ask.number, "fail")
    assert told(ours, hook.wait()[0]).kind == ours.query(ask).kind == NoticeKind.CLOSED


def test_a_finished_trade_is_the_same_payment(ours, sandbox, hook):
    ask = order(hook)
    first = paid(ours, sandbox, hook, ask)
    sandbox.act("alipay", ask.number, "finish")
    later = told(ours, hook.wait(2)[1])
    assert (later.kind, later.payment_ref) == (NoticeKind.PAID, first.payment_ref)
    with pytest.raises(Refused, match=r"acq\.trade_has_finished"):
        _refund(ours, ask, first, uuid.uuid4().hex, 1)


def _refund(ours, ask, notice, refund_id, minor):
    return ours.refund(
        ask, payment_ref=notice.payment_ref, refund_id=refund_id, amount_minor=minor, reason="退款"
    )


def test_money_goes_back_in_parts_each_once(ours, sandbox, hook):
    ask = order(hook)
    first = paid(ours, sandbox, hook, ask)
    one, two = uuid.uuid4().hex, uuid.uuid4().hex

    done = _refund(ours, ask, first, one, 2_000)
    assert (done.kind, done.refund_minor, done.refund_id) == (NoticeKind.REFUNDED, 2_000, one)
    again = _refund(ours, ask, first, one, 2_000)  # fund_change N: asked about
    assert again == done or again.event_id == done.event_id
    assert again.refund_minor == 2_000
    assert sandbox.payment("alipay", ask.number)["refunded_minor"] == 2_000
    with pytest.raises(Refused, match=r"acq\.discordant_repeat_request"):
        _refund(ours, ask, first, one, 2_001)

    notice = told(ours, hook.wait(2)[1])
    assert (notice.kind, notice.refund_id, notice.refund_minor) == (NoticeKind.REFUNDED, one, 2_000)
    assert ours.query(ask).kind == NoticeKind.PAID  # part of it stays

    rest = _refund(ours, ask, first, two, 5_205)
    assert (rest.kind, rest.refund_minor) == (NoticeKind.REFUNDED, 5_205)
    last = told(ours, hook.wait(3)[2])
    assert (last.kind, last.refund_id, last.refunded_total_minor) == (
        NoticeKind.REFUNDED, two, 7_205,
    )  # fmt: skip
    assert ours.query(ask).kind == NoticeKind.CLOSED
    found = ours.query_refund(ask, payment_ref=first.payment_ref, refund_id=one)
    assert (found.kind, found.refund_minor) == (NoticeKind.REFUNDED, 2_000)


def test_a_refund_that_nobody_asked_for_is_told(ours, sandbox, hook):
    ask = order(hook)
    paid(ours, sandbox, hook, ask)
    sandbox.act("alipay", ask.number, "refund", amount_minor=205)
    notice = told(ours, hook.wait(2)[1])
    assert (notice.kind, notice.refund_minor, notice.refund_id) == (NoticeKind.REFUNDED, 205, "")
    assert notice.refund_ref.startswith("HZ")


def test_too_much_is_not_refunded(ours, sandbox, hook):
    ask = order(hook)
    first = paid(ours, sandbox, hook, ask)
    with pytest.raises(Refused, match=r"acq\.reason_trade_refund_fee_err"):
        _refund(ours, ask, first, uuid.uuid4().hex, 7_206)
    assert sandbox.payment("alipay", ask.number)["refunded_minor"] == 0


def test_an_unknown_refund_is_still_open(ours, sandbox, hook):
    ask = order(hook)
    first = paid(ours, sandbox, hook, ask)
    found = ours.query_refund(ask, payment_ref=first.payment_ref, refund_id=uuid.uuid4().hex)
    assert (found.kind, found.refund_minor) == (NoticeKind.PENDING, 0)


def test_the_bill_has_each_payment_and_refund(ours, sandbox, hook):
    ask = order(hook)
    first, refund_id = paid(ours, sandbox, hook, ask), uuid.uuid4().hex
    _refund(ours, ask, first, refund_id, 2_000)
    rows = ours.statement(dt.datetime.now(alipay_wire.SHANGHAI).date())
    mine = {row.kind: row for row in rows if row.order_ref == ask.number}
    assert set(mine) == {"payment", "refund"}
    assert (mine["payment"].amount_minor, mine["payment"].fee_minor) == (7_205, 43)
    assert mine["payment"].payment_ref == mine["refund"].payment_ref == first.payment_ref
    assert (mine["refund"].amount_minor, mine["refund"].fee_minor) == (-2_000, -12)
    assert mine["refund"].refund_ref == refund_id
    assert len({row.row_ref for row in rows}) == len(rows)


def test_a_day_without_trades_has_no_lines_once_its_bill_would_be_there(ours):
    assert ours.statement(dt.date(2020, 1, 1)) == []
    tomorrow = dt.datetime.now(alipay_wire.SHANGHAI).date() + dt.timedelta(1)
    with pytest.raises(Refused, match=r"isp\.bill_not_exist"):
        ours.statement(tomorrow)


def test_the_right_amount_survives_all_knobs_and_the_wrong_is_seen(ours, sandbox, hook):
    sandbox.turn(copies=5, shuffle=True, delay_s=0.2)
    ask = order(hook)
    first = paid(ours, sandbox, hook, ask)
    assert {told(ours, one).event_id for one in hook.wait(5)} == {first.event_id}

    sandbox.turn(**CALM | {"wrong": "amount"})
    assert paid(ours, sandbox, hook, order(hook)).amount_minor == 7_206
    sandbox.turn(**CALM | {"wrong": "merchant"})
    assert paid(ours, sandbox, hook, order(hook)).merchant != ours.merchant


@pytest.mark.parametrize(
    ("knobs", "code"),
    [({"key": "other"}, "signature"), ({"truncate": 30}, "signature"),
     ({"clock_s": 400}, "future"), ({"clock_s": -26 * 3_600 - 60}, "stale")],
)  # fmt: skip
def test_bad_notices_are_refused(ours, sandbox, hook, knobs, code):
    sandbox.turn(**knobs)
    with pytest.raises(WebhookRefused) as caught:
        paid(ours, sandbox, hook, order(hook))
    assert caught.value.code == code


def test_a_dropped_notice_is_found_by_asking(ours, sandbox, hook):
    sandbox.turn(drop=1)
    ask = order(hook, "qr")
    ours.create(ask)
    sandbox.act("alipay", ask.number, "pay")
    assert ours.query(ask).kind == NoticeKind.PAID
    assert hook.deliveries == []


def test_a_notice_comes_again_until_the_seven_bytes(ours, sandbox, hook):
    sandbox.turn(retries=2)
    hook.reply = b"success\n"
    ask = order(hook, "qr")
    ours.create(ask)
    sandbox.act("alipay", ask.number, "pay")
    first, *others = hook.wait(3)
    assert {told(ours, one).event_id for one in others} == {told(ours, first).event_id}


def test_an_answer_of_another_key_is_not_believed(ours, sandbox, hook):
    ask = order(hook)
    paid(ours, sandbox, hook, ask)
    theirs = dataclasses.replace(
        sandbox.payments.alipay, public_keys=(notices.public_pem("stranger"),)
    )
    for call in (Alipay(theirs).query, Alipay(theirs).close):
        with pytest.raises(Unavailable, match="bad_signature"):
            call(ask)


def test_a_gateway_that_fails_or_is_away_changes_nothing(ours, sandbox, hook):
    sandbox.turn(fail_calls=1)
    ask = order(hook, "qr")
    with pytest.raises(Unavailable, match="http_500"):
        ours.create(ask)
    away = dataclasses.replace(sandbox.payments.alipay, url="http://127.0.0.1:9/gateway.do")
    with pytest.raises(Unavailable, match="no_answer"):
        Alipay(away).query(ask)


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"app_id": "2021999999999999"}, "isv.invalid-app-id"),
     ({"private_key": notices.private_pem("stranger")}, "isv.invalid-signature")],
)  # fmt: skip
def test_the_operator_reads_why_a_call_is_refused(sandbox, hook, changed, code):
    wrong = Alipay(dataclasses.replace(sandbox.payments.alipay, **changed))
    with pytest.raises(Refused) as caught:
        wrong.query(order(hook))
    assert caught.value.code == code.replace("-", "_")


def test_certificate_mode_works_from_page_to_refund(sandbox, hook):
    public = sandbox.payments.alipay.public_keys[0]
    following = notices.certificate(notices.public_pem("alipay_next"))
    certificates = {
        "app": notices.certificate(notices.public_pem("merchant")),
        "root": notices.certificate(notices.public_pem("authority"), common="Root R1"),
        "alipay": notices.certificate(public),
    }
    serials = {name: certificate_sn(pem) for name, pem in certificates.items()}
    sandbox.post_control("/sandbox/alipay/certificates", serials)
    try:
        ours = Alipay(
            dataclasses.replace(
                sandbox.payments.alipay,
                public_keys=(),
                app_certificate=certificates["app"],
                root_certificates=certificates["root"],
                public_certificates=(following, certificates["alipay"]),
            )
        )
        assert serials["root"] == root_sn(certificates["root"])
        ask = order(hook)
        first = paid(ours, sandbox, hook, ask)
        assert ours.query(ask).payment_ref == first.payment_ref
        assert b"alipay_cert_sn=" in hook.deliveries[0].body
        assert _refund(ours, ask, first, uuid.uuid4().hex, 1).kind == NoticeKind.REFUNDED

        unknown = dataclasses.replace(ours._keys, public_certificates=(following,))
        with pytest.raises(Unavailable, match="bad_signature"):
            Alipay(unknown).query(ask)
        with pytest.raises(Refused, match=r"isv\.invalid_cert_sn"):
            Alipay(dataclasses.replace(ours._keys, app_certificate=following)).query(ask)
    finally:
        sandbox.post_control("/sandbox/alipay/certificates", {})
