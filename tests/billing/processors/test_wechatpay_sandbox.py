"""The adapter for WeChat Pay against the sandbox: a process of its own, over sockets."""

import dataclasses
import datetime as dt
import hashlib
import http.server
import json
import threading
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bananarouter.payment_sandbox import keys as sandbox_keys
from bananarouter.payment_sandbox import wechat_client
from billing.processors import signing
from billing.processors.base import (
    AlreadyPaid,
    Ask,
    NoticeKind,
    Refused,
    Unavailable,
    WebhookRefused,
)
from billing.processors.wechatpay import WeChatPay
from tests import servers
from tests.billing.processors import sandboxes, wechatpay_deliveries

CHINA = dt.timezone(dt.timedelta(hours=8))
CALM = {
    "copies": 1, "delay_s": 0, "shuffle": False, "drop": 0, "retries": 3, "retry_s": 0.05,
    "fail_calls": 0, "hang_s": 0, "wrong": "", "clock_s": 0, "key": "", "truncate": 0,
    "asynchronous": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("wechatpay")) as running:
        yield running


@pytest.fixture(autouse=True)
def calm(sandbox):
    """Turn all knobs back before each test."""
    sandbox.turn(**CALM)


@pytest.fixture(scope="module")
def processor(sandbox):
    return WeChatPay(sandbox.payments.wechatpay)


@pytest.fixture
def hooks():
    with sandboxes.receive() as receiver:
        receiver.status, receiver.reply = 204, b""
        yield receiver


def ask(hooks, *, method: str = "qr", **change) -> Ask:
    found = {
        "number": uuid.uuid4().hex,
        "amount_minor": 7200,
        "currency": "CNY",
        "method": method,
        "subject": "BananaRouter balance",
        "expires_at": dt.datetime.fromtimestamp(time.time() + 1_800, dt.UTC),
        "notify_url": f"{hooks.url}/hooks/wechatpay",
        "return_url": f"{hooks.url}/billing/orders/1?a=b",
        "cancel_url": f"{hooks.url}/billing/orders/1?cancelled=1",
        "client_ip": "203.0.113.7",
        "openid": wechat_client.OPENID,
    }
    return Ask(**(found | change))


def pay(sandbox, order: Ask) -> None:
    sandbox.act("wechatpay", order.number, "pay")


def verified(processor, delivery):
    return processor.verify_webhook(delivery.headers, delivery.body, now=time.time())


@pytest.fixture
def paid(sandbox, processor, hooks):
    """An order that was paid, and its notice."""
    order = ask(hooks)
    processor.create(order)
    pay(sandbox, order)
    return order, verified(processor, hooks.wait()[0])


def test_a_code_leads_to_a_page_where_it_is_paid(sandbox, processor, hooks):
    order = ask(hooks)
    started = processor.create(order)
    assert started.pay_url == ""
    assert started.qr_text.startswith(f"{sandbox.url}/pay/")
    page = requests.get(started.qr_text, timeout=5)
    assert "72.00 CNY" in page.text
    requests.post(started.qr_text, {"do": "pay"}, timeout=5, allow_redirects=False)
    notice = verified(processor, hooks.wait()[0])
    assert notice.kind == NoticeKind.PAID
    assert (notice.order_ref, notice.amount_minor, notice.currency) == (order.number, 7200, "CNY")
    assert (notice.merchant, notice.is_live) == (processor.merchant, False)
    assert hooks.deliveries[0].path == "/hooks/wechatpay"


def test_h5_leads_to_the_page_and_back(sandbox, processor, hooks):
    order = ask(hooks, method="h5")
    started = processor.create(order)
    parts = urlsplit(started.pay_url)
    assert parts.path.startswith("/pay/")
    assert parse_qs(parts.query) == {"redirect_url": [order.return_url]}
    assert requests.get(started.pay_url, timeout=5).status_code == 200
    answer = requests.post(started.pay_url, {"do": "pay"}, timeout=5, allow_redirects=False)
    assert answer.headers["Location"] == order.return_url
    assert verified(processor, hooks.wait()[0]).kind == NoticeKind.PAID


def test_jsapi_is_called_with_a_signature_of_the_merchant(sandbox, processor, hooks):
    started = processor.create(ask(hooks, method="jsapi"))
    call = started.client_call
    names = ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"]
    assert list(call) == names
    assert call["signType"] == "RSA"
    assert call["package"] == f"prepay_id={started.session_ref}"
    message = "".join(f"{call[name]}\n" for name in names[:4]).encode()
    public = sandbox_keys.public_pem(sandbox.keys.merchant_key)
    assert signing.is_signed(public, call["paySign"], message)
    assert started.pay_url == started.qr_text == ""


def test_the_same_number_is_the_same_payment(processor, hooks):
    order = ask(hooks)
    assert processor.create(order) == processor.create(order)
    with pytest.raises(Refused) as refusal:
        processor.create(dataclasses.replace(order, amount_minor=1))
    assert refusal.value.code == "out_trade_no_used"


def test_an_order_that_is_paid_is_not_refused_but_asked_about(sandbox, processor, paid):
    order, _ = paid
    with pytest.raises(Unavailable) as refusal:
        processor.create(order)
    assert refusal.value.code == "orderpaid"
    assert processor.query(order).kind == NoticeKind.PAID


def test_a_query_says_what_the_notice_said(processor, paid):
    order, told = paid
    asked = processor.query(order)
    for name in ("kind", "order_ref", "payment_ref", "amount_minor", "currency", "merchant",
                 "is_live"):  # fmt: skip
        assert getattr(asked, name) == getattr(told, name), name
    assert asked.occurred_at is not None
    assert asked.event_id == processor.query(order).event_id != told.event_id


@pytest.mark.parametrize(
    ("deed", "kind"),
    [("", NoticeKind.PENDING), ("fail", NoticeKind.FAILED), ("close", NoticeKind.CLOSED)],
)
def test_a_query_knows_every_state(sandbox, processor, hooks, deed, kind):
    order = ask(hooks)
    processor.create(order)
    if deed == "close":
        processor.close(order)
    elif deed:
        sandbox.act("wechatpay", order.number, deed)
    notice = processor.query(order)
    assert (notice.kind, notice.order_ref, notice.payment_ref) == (kind, order.number, "")
    assert notice.amount_minor == 0
    assert hooks.deliveries == []


def test_an_order_that_never_arrived_is_pending_and_can_be_closed(processor, hooks):
    order = ask(hooks)
    assert processor.query(order).kind == NoticeKind.PENDING
    processor.close(order)


def test_a_closed_order_cannot_be_paid_and_closes_again(sandbox, processor, hooks):
    order = ask(hooks)
    started = processor.create(order)
    processor.close(order)
    processor.close(order)
    requests.post(started.qr_text, {"do": "pay"}, timeout=5, allow_redirects=False)
    assert sandbox.payment("wechatpay", order.number)["state"] == "closed"
    with pytest.raises(Refused, match="order_closed"):
        processor.create(order)


def test_a_paid_order_cannot_be_closed(processor, paid):
    with pytest.raises(AlreadyPaid):
        processor.close(paid[0])


def test_an_order_sent_back_at_their_desk_is_never_credited_late(sandbox, processor, paid):
    order, _ = paid
    sandbox.act("wechatpay", order.number, "refund", amount_minor=7200)
    notice = processor.query(order)
    assert (notice.kind, notice.reason) == (NoticeKind.CLOSED, "refund")


def test_asynchronous_money_comes_later(sandbox, processor, hooks):
    sandbox.turn(asynchronous=True)
    order = ask(hooks)
    processor.create(order)
    pay(sandbox, order)
    assert processor.query(order).kind == NoticeKind.PENDING
    assert hooks.deliveries == []
    sandbox.act("wechatpay", order.number, "settle")
    assert verified(processor, hooks.wait()[0]).kind == NoticeKind.PAID


def refund(processor, order, told, amount_minor: int = 1200, refund_id: str = ""):
    return processor.refund(
        order,
        payment_ref=told.payment_ref,
        refund_id=refund_id or uuid.uuid4().hex,
        amount_minor=amount_minor,
        reason="requested",
    )


def test_a_refund_is_taken_up_then_told(processor, hooks, paid):
    order, told = paid
    refund_id = uuid.uuid4().hex
    taken = refund(processor, order, told, refund_id=refund_id)
    assert (taken.kind, taken.refund_id, taken.refund_minor) == (
        NoticeKind.PENDING, refund_id, 1200,
    )  # fmt: skip
    notice = verified(processor, hooks.wait(2)[1])
    asked = processor.query_refund(order, payment_ref=told.payment_ref, refund_id=refund_id)
    for found in (notice, asked):
        assert found.kind == NoticeKind.REFUNDED
        assert (found.order_ref, found.payment_ref) == (order.number, told.payment_ref)
        assert (found.refund_id, found.refund_minor) == (refund_id, 1200)
        assert found.refund_ref == taken.refund_ref != ""
        assert found.merchant == processor.merchant


def test_the_same_refund_twice_is_one(sandbox, processor, hooks, paid):
    order, told = paid
    refund_id = uuid.uuid4().hex
    first = refund(processor, order, told, refund_id=refund_id)
    again = refund(processor, order, told, refund_id=refund_id)
    assert first.refund_ref == again.refund_ref
    assert sandbox.payment("wechatpay", order.number)["refunded_minor"] == 1200


def test_more_than_was_paid_is_not_sent_back(sandbox, processor, paid):
    order, told = paid
    refund(processor, order, told, 7000)
    with pytest.raises(Refused, match="invalid_request"):
        refund(processor, order, told, 201)
    refund(processor, order, told, 200)
    assert sandbox.payment("wechatpay", order.number)["refunded_minor"] == 7200


def test_a_refund_may_fail(sandbox, processor, hooks, paid):
    order, told = paid
    sandbox.turn(asynchronous=True)
    refund_id = uuid.uuid4().hex
    refund(processor, order, told, refund_id=refund_id)
    asked = processor.query_refund(order, payment_ref=told.payment_ref, refund_id=refund_id)
    assert asked.kind == NoticeKind.PENDING
    sandbox.act("wechatpay", order.number, "fail")
    notice = verified(processor, hooks.wait(2)[1])
    asked = processor.query_refund(order, payment_ref=told.payment_ref, refund_id=refund_id)
    for found in (notice, asked):
        assert (found.kind, found.reason) == (NoticeKind.REFUND_FAILED, "abnormal")
        assert found.refund_id == refund_id


def test_an_unknown_refund_or_payment_is_refused(processor, hooks, paid):
    order, told = paid
    with pytest.raises(Refused, match="resource_not_exists"):
        processor.query_refund(order, payment_ref=told.payment_ref, refund_id="0" * 32)
    with pytest.raises(Refused, match="resource_not_exists"):
        refund(processor, order, dataclasses.replace(told, payment_ref="4200"))


def test_the_statement_of_a_day_has_payments_refunds_and_fees(sandbox, processor, hooks, paid):
    order, told = paid
    taken = refund(processor, order, told)
    hooks.wait(2)
    rows = processor.statement(dt.datetime.now(CHINA).date())
    mine = [row for row in rows if row.order_ref == order.number]
    payment, back = mine
    assert (payment.kind, payment.amount_minor, payment.fee_minor) == ("payment", 7200, 43)
    assert (payment.row_ref, payment.payment_ref) == (told.payment_ref, told.payment_ref)
    assert (back.kind, back.amount_minor, back.fee_minor) == ("refund", -1200, -7)
    assert (back.row_ref, back.refund_ref) == (taken.refund_ref, taken.refund_ref)
    assert {row.currency for row in rows} == {"CNY"}
    assert len({row.row_ref for row in rows}) == len(rows)


def test_a_day_without_trades_is_empty_and_a_day_to_come_has_no_statement(processor):
    today = dt.datetime.now(CHINA).date()
    assert processor.statement(today - dt.timedelta(days=40)) == []
    with pytest.raises(Refused, match="no_statement_exist"):
        processor.statement(today + dt.timedelta(days=1))


def test_answers_and_notices_may_be_signed_by_the_certificate(sandbox, processor, hooks):
    """The switch from certificates to the public key goes on for a week: both at once."""
    order = ask(hooks)
    processor.create(order)
    sandbox.turn(key="platform")
    assert processor.query(order).kind == NoticeKind.PENDING
    pay(sandbox, order)
    delivery = hooks.wait()[0]
    assert delivery.headers["Wechatpay-Serial"] == sandbox.keys.wechatpay_platform_serial
    assert verified(processor, delivery).kind == NoticeKind.PAID


@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"key": "other"}, "signature"),
        ({"clock_s": -301}, "timestamp"),
        ({"clock_s": 305}, "timestamp"),
        ({"truncate": 1}, "signature"),
        ({"truncate": 100}, "signature"),
    ],
)
def test_a_notice_that_misbehaves_is_refused(sandbox, processor, hooks, knobs, code):
    order = ask(hooks)
    processor.create(order)
    sandbox.turn(**knobs)
    pay(sandbox, order)
    with pytest.raises(WebhookRefused) as refusal:
        verified(processor, hooks.wait()[0])
    assert refusal.value.code == code
    assert processor.query(order).kind == NoticeKind.PAID, "asking heals what was not told"


@pytest.mark.parametrize(
    ("wrong", "name", "value"),
    [("amount", "amount_minor", 7201), ("currency", "currency", "USD")],
)
def test_a_notice_with_wrong_facts_says_them(sandbox, processor, hooks, wrong, name, value):
    order = ask(hooks)
    processor.create(order)
    sandbox.turn(wrong=wrong)
    pay(sandbox, order)
    assert getattr(verified(processor, hooks.wait()[0]), name) == value


def test_a_notice_for_another_merchant_says_so(sandbox, processor, hooks):
    order = ask(hooks)
    processor.create(order)
    sandbox.turn(wrong="merchant")
    pay(sandbox, order)
    assert verified(processor, hooks.wait()[0]).merchant != processor.merchant


def test_copies_are_the_same_event(sandbox, processor, hooks):
    order = ask(hooks)
    processor.create(order)
    sandbox.turn(copies=5, shuffle=True, delay_s=0.2)
    pay(sandbox, order)
    assert len({verified(processor, one).event_id for one in hooks.wait(5)}) == 1


def test_a_dropped_notice_never_comes_and_asking_heals(sandbox, processor, hooks):
    order = ask(hooks)
    processor.create(order)
    sandbox.turn(drop=1)
    pay(sandbox, order)
    assert processor.query(order).kind == NoticeKind.PAID
    assert hooks.deliveries == []


def test_a_refused_notice_comes_again_signed_anew(sandbox, processor, hooks):
    hooks.status, hooks.reply = processor.refused.status, processor.refused.body
    order = ask(hooks)
    processor.create(order)
    pay(sandbox, order)
    first, second = hooks.wait(2)[:2]
    assert first.body == second.body
    assert first.headers["Wechatpay-Nonce"] != second.headers["Wechatpay-Nonce"]


def test_an_outage_is_no_answer_and_nothing_is_tried_twice(sandbox, processor, hooks):
    order = ask(hooks)
    sandbox.turn(fail_calls=1)
    with pytest.raises(Unavailable, match="unsigned_500"):
        processor.create(order)
    assert processor.query(order).kind == NoticeKind.PENDING
    assert processor.create(order).qr_text


def test_nobody_there_is_no_answer(processor, sandbox, hooks):
    keys = dataclasses.replace(
        sandbox.payments.wechatpay, url=f"http://127.0.0.1:{servers.free_port()}"
    )
    with pytest.raises(Unavailable, match="no_answer"):
        WeChatPay(keys).create(ask(hooks))


@pytest.mark.parametrize(
    "change", [{"mchid": "1900000002"}, {"serial": "AB" * 20}, {"private_key": "stranger"}]
)
def test_the_sandbox_believes_nobody_but_the_merchant(sandbox, hooks, change):
    if "private_key" in change:
        change = {"private_key": sandbox.keys.wechatpay_key}
    stranger = WeChatPay(dataclasses.replace(sandbox.payments.wechatpay, **change))
    with pytest.raises(Refused, match="sign_error"):
        stranger.create(ask(hooks))
    with pytest.raises(Refused, match="sign_error"):
        stranger.statement(dt.datetime.now(CHINA).date())


def test_the_certificate_that_is_given_out_is_the_one_that_signs(sandbox, processor):
    """What an operator copies into the settings; the gateway never does it by itself."""
    (found,) = processor._wire.call("GET", "/v3/certificates")["data"]
    sealed = found["encrypt_certificate"]
    pem = signing.open_sealed(
        sandbox.keys.wechatpay_api_v3_key,
        nonce=sealed["nonce"],
        associated=sealed["associated_data"],
        ciphertext=sealed["ciphertext"],
    ).decode()
    assert found["serial_no"] == sandbox.keys.wechatpay_platform_serial
    assert pem == sandbox.keys.wechatpay_platform_certificate


def _answers(keys, says, *, status: int = 200, spoil=lambda headers: headers):
    """Serve `says(path, url)`, signed as WeChat Pay does unless `spoil` spoils it."""
    maker = wechatpay_deliveries.Maker(keys=keys, stranger=keys, now=int(time.time()))
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.path, dict(self.headers.items())))
            headers, body = maker.signed(says(self.path, f"http://{self.headers['Host']}"))
            self.send_response(status)
            for name, value in spoil(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    return server, asked


@pytest.fixture
def answered(sandbox):
    """Return `answered(says, ...)`: a processor whose WeChat Pay says just that."""
    running = []

    def start(says, **how):
        told = says if callable(says) else lambda _path, _url: says
        server, asked = _answers(sandbox.keys, told, **how)
        running.append(server)
        keys = dataclasses.replace(
            sandbox.payments.wechatpay, url=f"http://127.0.0.1:{server.server_address[1]}"
        )
        return WeChatPay(keys), asked

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def _trade(sandbox, number: str, **change) -> bytes:
    found = {
        "mchid": sandbox.keys.wechatpay_mchid,
        "appid": sandbox.keys.wechatpay_appid,
        "out_trade_no": number,
        "transaction_id": "42001",
        "trade_state": "SUCCESS",
        "amount": {"total": 7200, "currency": "CNY"},
    }
    return json.dumps(found | change).encode()


def _header(name: str, value: str):
    return lambda headers: headers | {name: value}


def _unsigned(headers: dict) -> dict:
    return {}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_unsigned, "unsigned_200"),
        (_header("Wechatpay-Signature", "AAAA"), "answer_signature"),
        (_header("Wechatpay-Signature", "WECHATPAY/SIGNTEST/AAAA"), "answer_probe"),
        (_header("Wechatpay-Serial", "ABCDEF"), "answer_unknown_serial"),
        (_header("Wechatpay-Timestamp", "1"), "answer_timestamp"),
        (_header("Wechatpay-Nonce", "another"), "answer_signature"),
    ],
)
def test_an_answer_that_does_not_verify_is_no_answer(sandbox, hooks, answered, spoil, code):
    """Even one that says paid: nothing is credited by it."""
    order = ask(hooks)
    processor, _ = answered(_trade(sandbox, order.number), spoil=spoil)
    with pytest.raises(Unavailable) as refusal:
        processor.query(order)
    assert refusal.value.code == code


@pytest.mark.parametrize(("status", "code"), [(404, "unsigned_404"), (502, "unsigned_502")])
def test_a_no_without_a_signature_is_no_answer(hooks, answered, status, code):
    said = b'{"code":"ORDER_NOT_EXIST"}'
    processor, _ = answered(said, status=status, spoil=_unsigned)
    with pytest.raises(Unavailable, match=code):
        processor.query(ask(hooks))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"out_trade_no": "0" * 32}, "answer_out_trade_no"),
        ({"trade_state": "PERHAPS"}, "answer_trade_state"),
        ({"trade_state": None}, "answer_trade_state"),
        ({"amount": {"total": "7200", "currency": "CNY"}}, "answer_amount"),
        ({"amount": None}, "answer_amount"),
        ({"transaction_id": ""}, "answer_transaction_id"),
    ],
)
def test_a_signed_answer_of_an_unknown_shape_is_no_answer(sandbox, hooks, answered, change, code):
    order = ask(hooks)
    processor, _ = answered(_trade(sandbox, order.number, **change))
    with pytest.raises(Unavailable) as refusal:
        processor.query(order)
    assert refusal.value.code == code


@pytest.mark.parametrize("status", [429, 500, 503])
def test_too_busy_is_not_a_no(hooks, answered, status):
    processor, _ = answered(b'{"code":"FREQUENCY_LIMITED"}', status=status)
    with pytest.raises(Unavailable, match="frequency_limited"):
        processor.query(ask(hooks))


def test_the_public_key_is_asked_for_by_its_id(sandbox, hooks, answered):
    order = ask(hooks)
    processor, asked = answered(_trade(sandbox, order.number))
    assert processor.query(order).kind == NoticeKind.PAID
    ((method, path, headers),) = asked
    mchid = sandbox.keys.wechatpay_mchid
    assert (method, path) == (
        "GET", f"/v3/pay/transactions/out-trade-no/{order.number}?mchid={mchid}",
    )  # fmt: skip
    assert headers["Wechatpay-Serial"] == sandbox.keys.wechatpay_public_key_id
    assert headers["Authorization"].startswith("WECHATPAY2-SHA256-RSA2048 mchid=")
    assert "PRIVATE" not in str(headers)
    assert sandbox.keys.wechatpay_api_v3_key not in str(headers)


BILL = "/v3/billdownload/file?token=1"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"download_url": f"http://127.0.0.1:9{BILL}"}, "bill_elsewhere"),
        ({"download_url": "file:///etc/passwd"}, "bill_download_url"),
        ({"hash_type": "MD5"}, "bill_hash_type"),
        ({"hash_value": "0" * 40}, "bill_hash"),
        ({"hash_value": None}, "bill_hash"),
        ({}, "bill_too_short"),
    ],
)
def test_a_bill_is_taken_from_them_only_and_whole(answered, change, code):
    file = b"not a bill"

    def says(path: str, url: str) -> bytes:
        digest = hashlib.sha1(file, usedforsecurity=False).hexdigest()
        said = {"hash_type": "SHA1", "hash_value": digest, "download_url": url + BILL}
        return file if path == BILL else json.dumps(said | change).encode()

    processor, asked = answered(says)
    with pytest.raises(Unavailable) as refusal:
        processor.statement(dt.date(2026, 11, 25))
    assert refusal.value.code == code
    is_fetched = code in {"bill_hash", "bill_too_short"}
    assert [path for _, path, _ in asked] == [
        "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL", *([BILL] * is_fetched),
    ]  # fmt: skip
