"""Statements that are wrong, as the knob `statement` says: the first payment in them is spoiled."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from bananarouter.payment_sandbox.book import Book, Payment, Refund

FAULTS: Final = ("missing", "duplicate", "amount", "unknown", "currency", "fee")
_MORE_MINOR: Final = 100
Json = dict[str, Any]


def payments(book: Book, processor: str) -> list[Payment]:
    """Return copies of a processor's payments as its bill tells of them."""
    shift, fault = book.knobs.booked_s, book.knobs.statement
    told = [_booked(one, shift) for one in book.of(processor)]
    first = next((one for one in told if one.paid_at), None)
    if not fault or first is None:
        return told
    index = told.index(first)
    return [*told[:index], *_spoiled(first, fault), *told[index + 1 :]]


def _booked(payment: Payment, shift_s: float) -> Payment:
    refunds: list[Refund] = [replace(one, at=one.at + shift_s) for one in payment.refunds]
    paid_at = payment.paid_at + shift_s if payment.paid_at else 0.0
    return replace(payment, paid_at=paid_at, refunds=refunds)


def _spoiled(payment: Payment, fault: str) -> list[Payment]:
    stranger = secrets.token_hex(14)
    lines = {
        "missing": [],
        "duplicate": [payment, payment],
        "amount": [replace(payment, amount_minor=payment.amount_minor + _MORE_MINOR)],
        "unknown": [replace(payment, number=f"else{stranger}", ref=stranger)],
        "currency": [replace(payment, currency="HKD")],
        "fee": [replace(payment, extra={**payment.extra, "fee_minor": payment.amount_minor // 2})],
    }
    return lines[fault]


def moves(book: Book, made: Sequence[Json]) -> list[Json]:
    """Return Stripe's balance transactions as its list tells of them."""
    shift, fault = int(book.knobs.booked_s), book.knobs.statement
    told = [{**move, "created": move["created"] + shift} for move in made]
    first = next((move for move in told if move["reporting_category"] == "charge"), None)
    if not fault or first is None:
        return told
    index = told.index(first)
    return [*told[:index], *_spoiled_move(first, fault), *told[index + 1 :]]


def _spoiled_move(move: Json, fault: str) -> list[Json]:
    half = move["amount"] // 2
    stranger = {"id": "ch_else", "object": "charge", "payment_intent": "pi_else", "metadata": {}}
    lines = {
        "missing": [],
        "duplicate": [move, {**move, "id": f"{move['id']}again"}],
        "amount": [{**move, "amount": move["amount"] + _MORE_MINOR}],
        "unknown": [{**move, "source": stranger}],
        "currency": [{**move, "currency": "eur"}],
        "fee": [{**move, "fee": half, "net": move["amount"] - half}],
    }
    return lines[fault]
