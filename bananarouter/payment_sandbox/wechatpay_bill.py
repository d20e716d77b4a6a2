"""The daily bill of trades as WeChat Pay writes it: yuan, backticks, and a footer."""

import datetime as dt
from collections.abc import Sequence

from bananarouter.payment_sandbox.book import Payment, Refund
from bananarouter.payment_sandbox.keys import Keys
from bananarouter.payment_sandbox.wechatpay_seal import CHINA

_HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,"
    "退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
_FOOT = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_FEE_PPM = 6_000
_TRADE_TYPES = {"native": "NATIVE", "h5": "MWEB", "jsapi": "JSAPI"}


def write(payments: Sequence[Payment], keys: Keys, day: dt.date) -> bytes | None:
    """Return the bill of a day in China; None for a day without trades."""
    paid = [one for one in payments if one.paid_at and _day(one.paid_at) == day]
    back = [(one, refund) for one in payments for refund in one.refunds if _day(refund.at) == day]
    if not paid and not back:
        return None
    lines = [_paid(one, keys) for one in paid] + [_back(one, refund, keys) for one, refund in back]
    total = sum(one.amount_minor for one in paid)
    sent = sum(refund.amount_minor for _, refund in back)
    fees = sum(_kept(one) for one in paid)
    fees -= sum(_fee(refund.amount_minor) for _, refund in back)
    sums = [str(len(lines)), _yuan(total), _yuan(sent), "0.00"]
    foot = _line([*sums, f"{_yuan(fees)}000", _yuan(total), _yuan(sent)])
    return "\r\n".join(["\ufeff" + _HEAD, *lines, _FOOT, foot, ""]).encode()


def _paid(payment: Payment, keys: Keys) -> str:
    amount = _yuan(payment.amount_minor)
    part = ["0", "0", "0.00", "0.00", "", ""]
    fee = f"{_yuan(_kept(payment))}000"
    tail = [payment.subject, "", fee, "0.60%", amount, "0.00", ""]
    return _line([*_names(payment, keys, payment.paid_at, "SUCCESS"), amount, "0.00", *part, *tail])


def _back(payment: Payment, refund: Refund, keys: Keys) -> str:
    amount = _yuan(refund.amount_minor)
    state = {"succeeded": "SUCCESS", "failed": "CHANGE"}.get(refund.state, "PROCESSING")
    part = [refund.ref, refund.refund_id, amount, "0.00", "ORIGINAL", state]
    fee = f"{_yuan(-_fee(refund.amount_minor))}000"
    tail = [payment.subject, "", fee, "0.60%", "0.00", amount, ""]
    return _line([*_names(payment, keys, refund.at, "REFUND"), "0.00", "0.00", *part, *tail])


def _names(payment: Payment, keys: Keys, at: float, state: str) -> list[str]:
    moment = dt.datetime.fromtimestamp(at, CHINA).strftime("%Y-%m-%d %H:%M:%S")
    us = [keys.wechatpay_appid, keys.wechatpay_mchid, "0", ""]
    kind = _TRADE_TYPES[payment.method]
    who = [payment.ref, payment.number, "oSandboxPayer", kind, state, "OTHERS", payment.currency]
    return [moment, *us, *who]


def _line(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def _fee(amount_minor: int) -> int:
    return (amount_minor * _FEE_PPM + 500_000) // 1_000_000


def _kept(payment: Payment) -> int:
    return int(payment.extra.get("fee_minor", _fee(payment.amount_minor)))


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _day(at: float) -> dt.date:
    return dt.datetime.fromtimestamp(at, CHINA).date()
