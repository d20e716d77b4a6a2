"""Alipay's bills: read whole and exactly, or not at all; no zip can fill the memory."""

# ruff: noqa: RUF001 - the full-width marks are Alipay's own

import io
import tracemalloc
import zipfile

import pytest

from billing.processors import alipay_bill
from billing.processors.base import Unavailable
from tests.billing.processors.alipay_notices import NUMBER, SELLER, TRADE, adapter

NAMES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,对方账户,订单金额（元）,"
    "商家实收（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
PAYMENT = (
    f"{TRADE}\t,{NUMBER}\t,交易,余额，充值,2026-11-26 1,2026-11-26 2,x,20.00,20.00,,-0.12,0.00,"
)
REFUND = (
    f"{TRADE}\t,{NUMBER}\t,退款,余额，充值,2026-11-26 1,2026-11-26 2,x,-5.00,-5.00,r1\t,0.03,0.00,"
)
OTHER = f"{TRADE}\t,,分账,,,,,1.00,1.00,,,0.00,"


def text(*rows: str, counts=(1, 1), account=f"{SELLER}0156", end="业务明细列表结束") -> str:
    lines = [
        "#支付宝业务明细查询",
        f"#账号：[{account}]",
        "#起始日期：[2026年11月26日 00:00:00]   终止日期：[2026年11月27日 00:00:00]",
        "#-----------业务明细列表----------",
        NAMES,
        *rows,
        f"#-----------{end}----------",
        f"#交易合计：{counts[0]}笔，商家实收共20.00元，商家优惠共0.00元",
        f"#退款合计：{counts[1]}笔，商家实收退款共-5.00元，商家优惠退款共0.00元",
    ]
    return "\r\n".join(lines) + "\r\n"


def packed(*files: str | bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
        for at, file in enumerate(files):
            raw = file if isinstance(file, bytes) else file.encode("gbk")
            bundle.writestr(f"{at}_业务明细.csv", raw)
    return made.getvalue()


def read(*files):
    return alipay_bill.read(packed(*files), seller_id=SELLER)


def test_each_row_is_read_with_its_sign():
    payment, refund, other = read(text(PAYMENT, REFUND, OTHER), "#支付宝业务汇总查询\n门店编号")
    assert (payment.kind, payment.amount_minor, payment.fee_minor) == ("payment", 2_000, 12)
    assert (payment.order_ref, payment.payment_ref, payment.refund_ref) == (NUMBER, TRADE, "")
    assert payment.row_ref == TRADE
    assert (refund.kind, refund.amount_minor, refund.fee_minor) == ("refund", -500, -3)
    assert (refund.order_ref, refund.refund_ref) == (NUMBER, "r1")
    assert refund.row_ref == f"{TRADE}:r1"
    assert (other.kind, other.amount_minor, other.fee_minor) == ("other", 100, 0)
    assert {row.currency for row in (payment, refund, other)} == {"CNY"}


def test_a_day_without_trades_has_no_rows():
    assert read(text(counts=(0, 0))) == []


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ((text(PAYMENT, REFUND, end="业务"),), "broken_statement"),
        ((text(PAYMENT, REFUND, counts=(2, 1)),), "broken_statement"),
        ((text(PAYMENT, REFUND, counts=(1, 0)),), "broken_statement"),
        ((text(PAYMENT, REFUND[:60]),), "broken_statement"),
        ((text(PAYMENT, REFUND + ",1"),), "broken_statement"),
        ((text(PAYMENT.replace("20.00", "20.001"), REFUND),), "broken_statement"),
        ((text(PAYMENT.replace("20.00", "二十"), REFUND),), "broken_statement"),
        ((text(PAYMENT.replace(TRADE, ""), REFUND),), "broken_statement"),
        ((text(PAYMENT, REFUND).replace("订单金额（元）", "金额"),), "broken_statement"),
        ((text(PAYMENT, REFUND).replace("备注", "业务类型"),), "broken_statement"),
        ((text(PAYMENT, REFUND), text(PAYMENT, REFUND)), "broken_statement"),
        (("#支付宝业务汇总查询",), "broken_statement"),
        (("",), "broken_statement"),
        ((), "broken_statement"),
        ((b"\xff\xff" + text(PAYMENT, REFUND).encode("gbk"),), "broken_statement"),
        ((text(PAYMENT, REFUND, account="20880000000000020156"),), "wrong_merchant"),
        ((text(PAYMENT, REFUND), *["#"] * 16), "too_many_files"),
    ],
)
def test_a_bill_that_is_not_whole_is_not_read(files, code):
    with pytest.raises(Unavailable) as caught:
        read(*files)
    assert caught.value.code == code


@pytest.mark.parametrize("cut", [0, 1, 20, 200, -30, -1])
def test_a_zip_that_is_cut_is_not_read(cut):
    with pytest.raises(Unavailable, match="broken_statement"):
        alipay_bill.read(packed(text(PAYMENT, REFUND))[:cut], seller_id=SELLER)


def test_a_changed_byte_breaks_the_zip():
    raw = bytearray(packed(text(PAYMENT, REFUND)))
    raw[120] ^= 1
    with pytest.raises(Unavailable, match="broken_statement"):
        alipay_bill.read(bytes(raw), seller_id=SELLER)


def test_a_bomb_is_put_down_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(alipay_bill, "TEXT_BYTES_MAX", 1 << 20)
    bomb = packed(text(PAYMENT, REFUND), bytes(600_000), bytes(600_000))
    assert len(bomb) < 5_000
    with pytest.raises(Unavailable, match="statement_too_large"):
        alipay_bill.read(bomb, seller_id=SELLER)


def test_a_bomb_is_never_unpacked_whole(monkeypatch):
    monkeypatch.setattr(alipay_bill, "TEXT_BYTES_MAX", 1 << 20)
    bomb = packed(bytes(32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="statement_too_large"):
            alipay_bill.read(bomb, seller_id=SELLER)
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


def test_a_size_that_lies_is_not_believed(monkeypatch):
    monkeypatch.setattr(alipay_bill, "TEXT_BYTES_MAX", 1 << 20)
    bomb = packed(bytes(3 << 20)).replace((3 << 20).to_bytes(4, "little"), b"\x0a\x00\x00\x00")
    with pytest.raises(Unavailable):
        alipay_bill.read(bomb, seller_id=SELLER)


def test_a_zip_with_a_password_is_not_read():
    raw = bytearray(packed(text(PAYMENT, REFUND)))
    raw[6] |= 1  # the local header's flag
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Unavailable, match="broken_statement"):
        alipay_bill.read(bytes(raw), seller_id=SELLER)


def test_live_bills_come_from_alipay_over_https():
    live = adapter()
    path = "dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&fileId=1"
    assert live._bill_url(f"http://{path}") == f"https://{path}"
    for text_ in ("http://169.254.169.254/", "https://alipay.com.evil.test/", "file:///etc/passwd"):
        with pytest.raises(Unavailable, match="strange_host"):
            live._bill_url(text_)
