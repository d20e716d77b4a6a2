"""The sandbox's daily bill of Alipay trades, as Alipay writes it: a zip of CSV files in GBK."""

# ruff: noqa: RUF001 - the full-width marks are Alipay's own

import datetime as dt
import io
import zipfile
from collections.abc import Sequence

from bananarouter.payment_sandbox.book import Payment
from billing.processors.alipay_wire import SHANGHAI, written, yuan

FEE_PPM = 6_000
_NAMES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)


def packed(payments: Sequence[Payment], day: dt.date, *, seller_id: str) -> bytes:
    """Return the bill of one day in Shanghai; empty bytes when nothing was paid or refunded."""
    paid = [
        _line(one, "交易", one.amount_minor, one.paid_at)
        for one in payments
        if _day(one.paid_at) == day
    ]
    back = [
        _line(one, "退款", -refund.amount_minor, refund.at, refund.refund_id)
        for one in payments
        for refund in one.refunds
        if _day(refund.at) == day
    ]
    if not paid and not back:
        return b""
    title = f"{seller_id}0156_{day:%Y%m%d}_业务明细"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(f"{title}.csv", _details(day, paid, back, seller_id).encode("gbk"))
        bundle.writestr(
            f"{title}(汇总).csv", "#支付宝业务汇总查询\r\n门店编号,门店名称".encode("gbk")
        )
    return made.getvalue()


def _details(day: dt.date, paid: list[str], back: list[str], seller_id: str) -> str:
    lines = [
        "#支付宝业务明细查询",
        f"#账号：[{seller_id}0156]",
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]",
        "#-----------------------------------------业务明细列表----------------------------------------",
        _NAMES,
        *paid,
        *back,
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{_sum(paid)}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共{_sum(back)}元，商家优惠退款共0.00元",
        f"#导出时间：[{day:%Y年%m月%d日} 09:00:00]",
    ]
    return "\r\n".join(lines) + "\r\n"


def _line(payment: Payment, kind: str, minor: int, at: float, request: str = "") -> str:
    made, done = (
        written(dt.datetime.fromtimestamp(moment, dt.UTC)) for moment in (payment.created_at, at)
    )
    kept = minor * FEE_PPM // 1_000_000
    if minor > 0:
        kept = payment.extra.get("fee_minor", kept)
    amount, fee = _yuan(minor), _yuan(-kept)
    head = (
        f"{payment.ref}\t,{payment.number}\t,{kind},{payment.subject},{made},{done},,,,,b***@x.cn"
    )
    return f"{head},{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00,0.00,{request}\t,{fee},0.00,"


def _day(at: float) -> dt.date:
    return dt.datetime.fromtimestamp(at, SHANGHAI).date()


def _yuan(minor: int) -> str:
    return f"-{yuan(-minor)}" if minor < 0 else yuan(minor)


def _sum(lines: list[str]) -> str:
    fen = sum(int(line.split(",")[11].replace(".", "")) for line in lines)
    return _yuan(fen)
