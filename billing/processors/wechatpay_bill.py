"""WeChat Pay's daily bill of trades, yuan in, fen out, by integers (pure)."""

import re
from collections.abc import Mapping, Sequence

from billing.processors.base import Row

# Columns by name: their order is not fixed. Bill type ALL (pay.weixin.qq.com, 2023-09).
PAYMENT_REF, ORDER_REF, STATE, CURRENCY = "微信订单号", "商户订单号", "交易状态", "货币种类"
REFUND_REF, REFUND_STATE, FEE = "微信退款单号", "退款状态", "手续费"
PAID, SENT_BACK = "订单金额", "申请退款金额"
COUNT_TOTAL, PAID_TOTAL, SENT_BACK_TOTAL = "总交易单数", "订单总金额", "申请退款总金额"
_NEEDED = {PAYMENT_REF, ORDER_REF, STATE, CURRENCY, REFUND_REF, REFUND_STATE, FEE, PAID, SENT_BACK}
_YUAN = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,8}))?", re.ASCII)
_REFUND_STATES = {"REFUND", "REVOKED"}


class BadBill(ValueError):
    """Not a whole bill; the text says where."""


def read(file: bytes) -> list[Row]:
    """Return a bill's rows; its footer must count and sum them. Raises: BadBill."""
    try:
        text = file.decode()
    except UnicodeDecodeError as error:
        raise BadBill("encoding") from error
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if line.strip()]
    if len(lines) < 3:
        raise BadBill("too_short")
    head, *found, footer_head, footer = lines
    names = head.split(",")
    if not _NEEDED.issubset(names):
        raise BadBill("columns")
    cells = [_record(names, line) for line in found]
    totals = _record(footer_head.split(","), footer)
    sums = {PAID_TOTAL: _sum(cells, PAID), SENT_BACK_TOTAL: _sum(cells, SENT_BACK)}
    if totals.get(COUNT_TOTAL) != str(len(cells)):
        raise BadBill("footer_count")
    if any(fen(totals.get(name, "")) != total for name, total in sums.items()):
        raise BadBill("footer_sum")
    return [_row(cell) for cell in cells]


def fen(yuan: str, *, is_rounded: bool = False) -> int:
    """Return yuan as fen; `is_rounded` rounds half away from zero, else all beyond fen must be 0.

    Raises: BadBill.
    """
    match = _YUAN.fullmatch(yuan)
    if match is None:
        raise BadBill("amount")
    sign, whole, part = match.group(1), match.group(2), (match.group(3) or "").ljust(3, "0")
    found = int(whole) * 100 + int(part[:2])
    if is_rounded:
        found += part[2] >= "5"
    elif part[2:].strip("0"):
        raise BadBill("amount")
    return -found if sign else found


def _record(names: Sequence[str], line: str) -> Mapping[str, str]:
    """Every value has a backtick before it, so a comma inside one divides nothing."""
    values = line.removeprefix("`").split(",`")
    if not line.startswith("`") or len(values) != len(names):
        raise BadBill("row")
    return dict(zip(names, values, strict=True))


def _sum(cells: Sequence[Mapping[str, str]], name: str) -> int:
    return sum(fen(cell.get(name, "")) for cell in cells)


def _row(cell: Mapping[str, str]) -> Row:
    is_refund = cell[STATE] in _REFUND_STATES
    if not is_refund and cell[STATE] != "SUCCESS":
        raise BadBill("state")
    row_ref = cell[REFUND_REF] if is_refund else cell[PAYMENT_REF]
    if row_ref in {"", "0"}:
        raise BadBill("reference")
    return Row(
        row_ref=row_ref,
        kind="refund" if is_refund else "payment",
        amount_minor=-fen(cell[SENT_BACK]) if is_refund else fen(cell[PAID]),
        currency=cell[CURRENCY],
        order_ref=cell[ORDER_REF],
        payment_ref=cell[PAYMENT_REF],
        refund_ref=cell[REFUND_REF] if is_refund else "",
        fee_minor=fen(cell[FEE], is_rounded=True),  # it has five decimals
        status=(cell[REFUND_STATE] if is_refund else cell[STATE]).lower()[:24],
    )
