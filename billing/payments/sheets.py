"""The words of papers: receipts, credit notes and statements in the reader's language."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from django.utils.translation import gettext as _

from billing.models import MonthlyStatement
from billing.money import decimal_usd
from billing.payments import statements
from billing.payments.papers import Block, Sheet
from billing.payments.receipts import Facts, Party

CSV_HEAD = (
    "number", "kind", "issued_at", "order", "paid_at", "processor", "payment_ref", "currency",
    "price", "tax", "total", "credit_usd", "rate", "receipt", "buyer", "tax_id",
)  # fmt: skip
LINES_HEAD = ("at", "kind", "ref", "amount_usd")


def usd(nusd: int) -> str:
    """Write nano-USD exactly, with two decimals at least: `10.00`, `0.000317`."""
    text = decimal_usd(nusd)
    whole, _dot, part = text.partition(".")
    return f"{whole}.{part:0<2}"


def processor_name(code: str) -> str:
    """Return a processor's name for readers."""
    names: Mapping[str, str] = {"stripe": _("Card"), "alipay": _("Alipay")}
    return names.get(code, _("WeChat Pay"))


def kind_name(kind: str) -> str:
    """Return what a kind of posting is called on statements."""
    names: Mapping[str, str] = {
        "top_up": _("Top-ups"),
        "lease": _("Requests"),
        "correction": _("Corrections of requests"),
        "credit:promotion": _("Given credit"),
        "trial_end": _("Unspent trial credit taken back"),
        "recovery": _("Paid what was owed"),
        statements.EARLIER: _("Posted to earlier months"),
    }
    if kind in names:
        return names[kind]
    if kind.startswith("refund"):
        return _("Refunds")
    return _("Disputes") if kind.startswith("dispute") else kind.replace("_", " ")


def receipt(facts: Facts) -> Sheet:
    """Return the sheet of a receipt or credit note."""
    return Sheet(
        title=_("Credit note") if facts.is_note else _("Receipt"),
        facts=[(label, value) for label, value in _facts(facts) if value],
        blocks=[
            Block(heading=_("Seller"), lines=_party(facts.seller)),
            Block(heading=_("Buyer"), lines=_party(facts.buyer, facts.account_name)),
        ],
        rows=list(_amounts(facts)),
        total=(
            _("Total returned") if facts.is_note else _("Total paid"),
            f"{facts.total} {facts.currency}",
        ),
        notes=list(notes(facts)),
    )


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    yield _("Number"), facts.number
    yield _("Issued on"), _day(facts.issued_at)
    if facts.is_note:
        yield _("Corrects receipt"), facts.receipt_number
    yield _("Order number"), facts.order_number
    yield _("Paid on"), _day(facts.paid_at)
    yield _("Paid with"), processor_name(facts.processor)
    yield _("Payment reference"), facts.payment_ref


def _amounts(facts: Facts) -> Iterator[tuple[str, str]]:
    yield _("Price"), f"{facts.net} {facts.currency}"
    percent = f" ({facts.tax_percent} %)" if facts.tax_percent else ""
    yield _("Tax") + percent, f"{facts.tax} {facts.currency}"
    label = _("Credit taken back") if facts.is_note else _("Credit for the price")
    yield label, f"{usd(facts.credit_nusd)} USD"
    if facts.rate:
        yield _("Rate for 1 USD"), f"{facts.rate} {facts.currency}"


def notes(facts: Facts) -> Iterator[str]:
    """Yield the sentences below the amounts; the page of a receipt shows them, too."""
    if facts.is_reverse_charge:
        yield _("Reverse charge: the buyer accounts for the tax.")
    if facts.cause == "dispute":
        yield _("The payer's bank took the money back.")
    if not facts.is_live:
        yield _("Test: no money was moved.")


def _party(party: Party, otherwise: str = "") -> list[str]:
    tax_id = _("Tax number: %(number)s") % {"number": party.tax_id} if party.tax_id else ""
    address = party.address.splitlines()
    return [party.name or otherwise, *address, party.country, party.email, tax_id]


def _day(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d}"


def receipt_rows(papers: Iterable[Facts]) -> Iterator[tuple[str, ...]]:
    """Yield receipts and credit notes for a CSV; amounts of credit notes are negative."""
    yield CSV_HEAD
    for facts in papers:
        sign = "-" if facts.is_note else ""
        yield (
            facts.number, facts.kind, facts.issued_at.isoformat(), facts.order_number,
            facts.paid_at.isoformat(), facts.processor, facts.payment_ref, facts.currency,
            sign + facts.net, sign + facts.tax, sign + facts.total,
            usd(-facts.credit_nusd if facts.is_note else facts.credit_nusd), facts.rate,
            facts.receipt_number, facts.buyer.name or facts.account_name, facts.buyer.tax_id,
        )  # fmt: skip


def statement(row: MonthlyStatement) -> Sheet:
    """Return the sheet of an issued statement."""
    sums = statements.of(row)
    seller, buyer = Party(**row.facts["seller"]), Party(**row.facts["buyer"])
    return Sheet(
        title=_("Statement %(month)s") % {"month": f"{row.month:%Y-%m}"},
        facts=[
            (_("Account"), row.facts["account"]),
            (_("Issued on"), _day(row.issued_at)),
            (_("Currency"), "USD"),
        ],
        blocks=[
            Block(heading=_("Seller"), lines=_party(seller)),
            Block(heading=_("Buyer"), lines=_party(buyer, row.facts["account"])),
        ],
        rows=[
            (_("Opening balance"), usd(sums.opening_nusd)),
            *((kind_name(kind), usd(amount)) for kind, amount in sums.by_kind.items()),
        ],
        total=(_("Closing balance"), usd(sums.closing_nusd)),
        notes=[_("Days and months are those of UTC. Requests count on the day they are settled.")],
    )


def line_rows(lines: Iterable[statements.Line]) -> Iterator[tuple[str, ...]]:
    """Yield postings for a CSV."""
    yield LINES_HEAD
    for line in lines:
        yield line.at.isoformat(), line.kind, line.ref, usd(line.amount_nusd)
