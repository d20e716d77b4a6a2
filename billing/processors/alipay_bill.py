"""Alipay's daily bill of trades: a zip of CSV files in GBK. No network, no keys."""

import csv
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping, Sequence

from billing.processors import alipay_wire
from billing.processors.alipay_wire import Malformed
from billing.processors.base import Row, Unavailable

ZIP_BYTES_MAX = 32 << 20
# All files together, unpacked: at 300 bytes a row, 400,000 trades a day.
TEXT_BYTES_MAX = 128 << 20
FILES_MAX = 16

TRADE, ORDER, KIND = "支付宝交易号", "商户订单号", "业务类型"
AMOUNT, FEE, REQUEST = "订单金额(元)", "服务费(元)", "退款批次号/请求号"
_COLUMNS = (TRADE, ORDER, KIND, AMOUNT, FEE, REQUEST)
_KINDS = {"交易": "payment", "退款": "refund"}
_END = "业务明细列表结束"
_ACCOUNT = re.compile(r"#账号:\[([0-9]+)\]")
# For example: #交易合计:19笔,商家实收共3.80元,商家优惠共0.00元
_TOTAL = re.compile(r"#(交易|退款)合计:([0-9]+)笔")


def read(packed: bytes, *, seller_id: str) -> list[Row]:
    """Return the rows of a bill, whole or not at all. Raises: Unavailable."""
    try:
        found = [text for text in _texts(packed) if f"{TRADE},{ORDER}," in text]
        if len(found) != 1:
            raise Unavailable("broken_statement")
        return _rows(found[0], seller_id=seller_id)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Unavailable("broken_statement") from error
    except (ValueError, csv.Error) as error:
        raise Unavailable("broken_statement") from error


def _texts(packed: bytes) -> list[str]:
    """Return the files' texts; a file's stated size is not believed, its bytes are counted."""
    found, left = [], TEXT_BYTES_MAX
    with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
        if len(bundle.infolist()) > FILES_MAX:
            raise Unavailable("too_many_files")
        for item in bundle.infolist():
            with bundle.open(item) as file:
                raw = file.read(left + 1)
            left -= len(raw)
            if left < 0:
                raise Unavailable("statement_too_large")
            found.append(raw.decode("gb18030"))
    return found


def _plain(text: str) -> str:
    """Write full-width marks, which bills use here and there, in their plain form."""
    return unicodedata.normalize("NFKC", text.strip())


def _rows(text: str, *, seller_id: str) -> list[Row]:
    notes, lines = [], []
    for line in text.split("\n"):
        if line.startswith("#"):
            notes.append(_plain(line))
        elif line.strip():
            lines.append(line)
    _check_notes(notes, seller_id=seller_id)
    table = csv.reader(lines)
    names = [_plain(name) for name in next(table)]
    if any(names.count(name) != 1 for name in _COLUMNS):
        raise Malformed("columns")
    rows = []
    for cells in table:
        if len(cells) != len(names):
            raise Malformed("cells")
        rows.append(_row({name: cells[at].strip() for at, name in enumerate(names)}))
    _check_totals(notes, rows)
    return rows


def _row(cells: Mapping[str, str]) -> Row:
    kind = _KINDS.get(cells[KIND], "other")
    trade, request = cells[TRADE], cells[REQUEST]
    if not trade:
        raise Malformed("field")
    return Row(
        row_ref=f"{trade}:{request or kind}"[:160] if kind != "payment" else trade[:160],
        kind=kind,
        amount_minor=alipay_wire.signed_fen(cells[AMOUNT]),
        currency="CNY",
        order_ref=cells[ORDER][:64],
        payment_ref=trade[:128],
        refund_ref=request if kind == "refund" else "",
        # Alipay writes what it keeps as a negative amount; a fee of ours is positive.
        fee_minor=-alipay_wire.signed_fen(cells[FEE] or "0"),
        status="success",
    )


def _check_notes(notes: Sequence[str], *, seller_id: str) -> None:
    """See that it is our account's bill and that it came whole."""
    accounts = [found[1] for note in notes if (found := _ACCOUNT.match(note))]
    if any(not account.startswith(seller_id) for account in accounts):
        raise Unavailable("wrong_merchant")
    if not any(_END in note for note in notes):
        raise Malformed("end")


def _check_totals(notes: Sequence[str], rows: Sequence[Row]) -> None:
    """See that there are as many rows as the bill says at its end."""
    for note in notes:
        found = _TOTAL.match(note)
        kind = _KINDS[found[1]] if found else ""
        if found and sum(row.kind == kind for row in rows) != int(found[2]):
            raise Malformed("totals")
