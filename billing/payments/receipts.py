"""Receipts and credit notes: numbered without gaps, frozen as they were issued.

What a paper says is a snapshot: billing details that change later change no paper. Papers of
payments without real money (test modes, the sandbox) have series of their own.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Account, BillingDetails
from billing.models import Dispute, Order, PaperNumber, Receipt, Refund

RECEIPT_SERIES, NOTE_SERIES, TEST_PREFIX = "BR", "CN", "TEST-"
PPM = 1_000_000
# So far back is looked for what ended without its credit note.
LOOK_BACK = dt.timedelta(days=7)
WRITTEN_MAX = 200
Kind = Receipt.Kind


class NotPaid(ValueError):
    """No paper: the order was not paid, or the money did not go back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Seller or buyer, as they were."""

    name: str
    address: str
    country: str
    email: str
    tax_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a paper says; amounts are decimal strings of `currency`, all of them positive."""

    number: str
    kind: str
    issued_at: dt.datetime
    seller: Party
    buyer: Party
    account_name: str
    order_number: str
    processor: str
    method: str
    payment_ref: str
    paid_at: dt.datetime
    is_live: bool
    currency: str
    # Three numbers: the price, the tax on it, and the credit for the price (nUSD).
    net: str
    tax: str
    total: str
    tax_percent: str  # "19", "8.875"; "" where there is none
    credit_nusd: int
    # Units of `currency` for 1 USD: "7.2"; "" for USD.
    rate: str
    rate_source: str
    is_reverse_charge: bool
    # Of a credit note: the receipt that it corrects, and "refund" or "dispute".
    receipt_number: str
    cause: str

    @property
    def is_note(self) -> bool:
        """Tell whether money went back."""
        return self.kind == Kind.CREDIT_NOTE


def issue(order: Order, *, now: dt.datetime) -> Receipt:
    """Issue the receipt of a paid order, once. Call it in the transaction that pays it.

    Locks: the series' row, until that transaction ends; so take the wallet before.
    Raises: NotPaid.
    """
    if order.paid_at is None:
        raise NotPaid(order.number)
    content = _content(order) | {
        "net_minor": order.net_minor,
        "tax_minor": order.tax_minor,
        "credit_nusd": order.credit_nusd,
    }
    ref = f"payment:{order.number}"
    return _issue(order, Kind.RECEIPT, ref=ref, content=content, now=now)


def credit_note(cause: Refund | Dispute, *, now: dt.datetime) -> Receipt:
    """Issue the credit note of a refund that succeeded or a dispute that was lost, once.

    Locks: as `issue`. Raises: NotPaid.
    """
    order = cause.order
    receipt = issue(order, now=now)
    if isinstance(cause, Refund):
        is_final = cause.state == Refund.State.SUCCEEDED
        name, ref = "refund", f"refund:{cause.id.hex}"
        tax_minor = cause.tax_minor
        credit_nusd = cause.wallet_nusd + cause.owed_nusd
    else:
        is_final = cause.state == Dispute.State.LOST
        name, ref = "dispute", f"dispute:{cause.pk}"
        tax_minor = order.tax_minor * cause.amount_minor // order.total_minor
        credit_nusd = cause.taken_nusd + cause.owed_nusd
    if not is_final:
        raise NotPaid(ref)
    content = receipt.facts | {
        "net_minor": cause.amount_minor - tax_minor,
        "tax_minor": tax_minor,
        "credit_nusd": credit_nusd,
        "receipt": receipt.number,
        "cause": name,
    }
    return _issue(order, Kind.CREDIT_NOTE, ref=ref, content=content, now=now)


def _issue(
    order: Order, kind: Kind, *, ref: str, content: dict[str, Any], now: dt.datetime
) -> Receipt:
    found = Receipt.objects.filter(ref=ref).first()
    if found is not None:
        return found
    with transaction.atomic():
        number = _next_number(_series(order, kind, now))
        found = Receipt.objects.filter(ref=ref).first()  # the lock may have waited for it
        if found is not None:
            return found
        PaperNumber.objects.filter(pk=number.series).update(latest=number.latest)
        return Receipt.objects.create(
            number=f"{number.series}-{number.latest:06d}",
            kind=kind,
            account_id=order.account_id,
            order=order,
            ref=ref,
            facts=content,
            issued_at=now,
        )


def _series(order: Order, kind: Kind, now: dt.datetime) -> str:
    prefix = RECEIPT_SERIES if kind == Kind.RECEIPT else NOTE_SERIES
    return f"{'' if order.is_live else TEST_PREFIX}{prefix}-{now.astimezone(dt.UTC).year}"


def _next_number(series: str) -> PaperNumber:
    """Return the series' row, locked, with the next number in it; not saved."""
    PaperNumber.objects.get_or_create(pk=series)
    row = PaperNumber.objects.select_for_update().get(pk=series)
    row.latest += 1
    return row


def parties(account: Account, details: BillingDetails | None) -> dict[str, Any]:
    """Return who sells and who buys, as papers keep it."""
    details = details or BillingDetails()
    return {
        "seller": {
            "name": settings.OPERATOR_NAME,
            "address": settings.OPERATOR_ADDRESS,
            "country": settings.PAYMENTS.seller_country,
            "email": settings.CONTACT_EMAIL,
        },
        "buyer": {
            "name": details.legal_name,
            "address": details.address,
            "country": details.country or account.country,
            "email": details.email,
            "tax_id": details.tax_id,
        },
        "account": account.name,
    }


def _content(order: Order) -> dict[str, Any]:
    details = BillingDetails.objects.filter(pk=order.account_id).first()
    found = parties(order.account, details)
    ppm = settings.PAYMENTS.tax_ppm.get(found["buyer"]["country"], 0)
    # The rate is told only where it is the one that the tax was made with.
    is_known = order.tax_minor and -(-order.net_minor * ppm // PPM) == order.tax_minor
    return found | {
        "processor": order.processor,
        "method": order.method,
        "payment_ref": order.payment_ref,
        "paid_at": order.paid_at.isoformat() if order.paid_at else "",
        "is_live": order.is_live,
        "currency": order.currency,
        "tax_ppm": ppm if is_known else 0,
        "rate_ppm": order.rate_ppm,
        "rate_source": order.rate_source,
        "is_reverse_charge": bool(order.evidence.get("is_reverse_charge")),
    }


def facts(receipt: Receipt) -> Facts:
    """Return what a paper says. No query."""
    found: Mapping[str, Any] = receipt.facts
    is_usd = found["currency"] == "USD"
    return Facts(
        number=receipt.number,
        kind=receipt.kind,
        issued_at=receipt.issued_at,
        seller=Party(**found["seller"]),
        buyer=Party(**found["buyer"]),
        account_name=found["account"],
        order_number=receipt.order_id.hex,
        processor=found["processor"],
        method=found["method"],
        payment_ref=found["payment_ref"],
        paid_at=dt.datetime.fromisoformat(found["paid_at"]),
        is_live=found["is_live"],
        currency=found["currency"],
        net=minor_text(found["net_minor"]),
        tax=minor_text(found["tax_minor"]),
        total=minor_text(found["net_minor"] + found["tax_minor"]),
        tax_percent=_decimal(found["tax_ppm"], 4) if found["tax_ppm"] else "",
        credit_nusd=found["credit_nusd"],
        rate="" if is_usd else _decimal(found["rate_ppm"], 6),
        rate_source=found["rate_source"],
        is_reverse_charge=found["is_reverse_charge"],
        receipt_number=found.get("receipt", ""),
        cause=found.get("cause", ""),
    )


def minor_text(amount_minor: int) -> str:
    """Write cents or fen as units: `12.50`."""
    sign, amount = ("-", -amount_minor) if amount_minor < 0 else ("", amount_minor)
    return f"{sign}{amount // 100}.{amount % 100:02d}"


def _decimal(value: int, places: int) -> str:
    whole, part = divmod(value, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")


def write_missing(*, now: dt.datetime) -> int:
    """Issue credit notes that are due and were not issued where the money went back."""
    since = now - LOOK_BACK
    refunds = Refund.objects.filter(state=Refund.State.SUCCEEDED, ended_at__gte=since)
    lost = Dispute.objects.filter(state=Dispute.State.LOST, ended_at__gte=since)
    causes: dict[str, Refund | Dispute] = {
        f"refund:{row.id.hex}": row for row in refunds.select_related("order__account")
    }
    causes |= {f"dispute:{row.pk}": row for row in lost.select_related("order__account")}
    known = set(Receipt.objects.filter(ref__in=causes).values_list("ref", flat=True))
    missing = [cause for ref, cause in causes.items() if ref not in known][:WRITTEN_MAX]
    for cause in missing:
        credit_note(cause, now=now)
    return len(missing)
