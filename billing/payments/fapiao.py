"""Chinese tax invoices: asked for by payers in CNY, issued by staff in the tax office's system.

A refund of an order whose fapiao was issued needs a red-letter one: that is asked for by itself.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from billing.models import Dispute, FapiaoRequest, Order, Refund
from billing.payments import news, quotes, states, timeline

State = FapiaoRequest.State
# Which state may follow which. Who was refused or withdrew may ask again, and so may who has
# a part left after a red-letter fapiao.
NEXT: Final[Mapping[str, frozenset[str]]] = {
    State.ASKED: frozenset({State.ISSUED, State.REFUSED, State.WITHDRAWN}),
    State.ISSUED: frozenset({State.RED_ASKED}),
    State.RED_ASKED: frozenset({State.RED_ISSUED}),
    State.REFUSED: frozenset({State.ASKED}),
    State.WITHDRAWN: frozenset({State.ASKED}),
    State.RED_ISSUED: frozenset({State.ASKED}),
}
PAID: Final = frozenset({states.PAID, states.PART_REFUNDED, states.WON})
TITLE_MAX, NOTE_MAX, FILE_REF_MAX = 120, 400, 200
_TAX_NUMBER = re.compile(r"[0-9A-Z]{15,20}")
_NUMBER = re.compile(r"[0-9]{8,20}")
_CHINA = dt.timezone(dt.timedelta(hours=8))


class NotPossible(Exception):
    """No fapiao for this order; `code`: "currency", "not_paid", "refunded"."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class WrongState(Exception):
    """The request is not where this step begins: somebody was faster."""


class BadField(ValueError):
    """What was typed cannot be.

    `field`: "title", "tax_number", "email", "number", "issued_on", "file_ref", "note".
    """

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the payer wants to read on it. A person's has no tax number."""

    title: str
    email: str
    tax_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What staff issued in the tax office's system, and where its file lies."""

    number: str
    issued_on: dt.date
    file_ref: str = ""


def amount_minor(order: Order) -> int:
    """Return what a fapiao of an order is about now: what was paid and not refunded, in fen."""
    return order.total_minor - order.refunded_minor


def check_possible(order: Order) -> None:
    """Raises: NotPossible."""
    if order.currency != quotes.CNY:
        raise NotPossible("currency")
    if order.state in (states.REFUNDED, states.LOST) or amount_minor(order) <= 0:
        raise NotPossible("refunded")
    if order.state not in PAID:
        raise NotPossible("not_paid")


def ask(order: Order, wanted: Wanted, *, by: User, now: dt.datetime) -> FapiaoRequest:
    """Ask for an order's fapiao. Raises: NotPossible, BadField, WrongState: one is under way.

    `by` hears what becomes of it; the mail goes to the address that is wanted.
    """
    check_possible(order)
    title, tax_number = " ".join(wanted.title.split()), wanted.tax_number.strip().upper()
    if not 0 < len(title) <= TITLE_MAX:
        raise BadField("title")
    if tax_number and not _TAX_NUMBER.fullmatch(tax_number):
        raise BadField("tax_number")
    try:
        validate_email(wanted.email.strip())
    except ValidationError as error:
        raise BadField("email") from error
    fields = {
        "asked_by": by,
        "title": title,
        "tax_number": tax_number,
        "email": wanted.email.strip(),
        "fapiao_number": "",
        "fapiao_date": None,
        "file_ref": "",
        "red_number": "",
        "red_date": None,
        "red_file_ref": "",
        "note": "",
        "answered_by": "",
    }
    known = FapiaoRequest.objects.filter(order=order).first()
    if known is not None:
        return _step(known, State.ASKED, now=now, **fields)
    try:
        with transaction.atomic():
            return FapiaoRequest.objects.create(
                order=order, created_at=now, updated_at=now, **fields
            )
    except IntegrityError as error:  # sent twice at once
        raise WrongState from error


def _step(request: FapiaoRequest, state: str, *, now: dt.datetime, **fields: Any) -> FapiaoRequest:
    """Move a request on. Raises: WrongState."""
    before = [one for one, after in NEXT.items() if state in after]
    rows = FapiaoRequest.objects.filter(pk=request.pk, state__in=before)
    if not rows.update(state=state, updated_at=now, **fields):
        raise WrongState(state)
    return FapiaoRequest.objects.select_related("order__account").get(pk=request.pk)


def withdraw(request: FapiaoRequest, *, now: dt.datetime) -> FapiaoRequest:
    """Take a request back that nobody has answered. Raises: WrongState."""
    return _step(request, State.WITHDRAWN, now=now)


@transaction.atomic
def issue(request: FapiaoRequest, paper: Paper, *, actor: str, now: dt.datetime) -> FapiaoRequest:
    """Note that staff issued it. Raises: WrongState, BadField, NotPossible after a refund."""
    # A refund that ends right now comes before or after this, never between.
    order = Order.objects.select_for_update().get(pk=request.order_id)
    check_possible(order)
    paper = _checked(paper, order, now=now)
    request = _step(
        request, State.ISSUED, now=now, answered_by=actor[:80],
        fapiao_number=paper.number, fapiao_date=paper.issued_on, file_ref=paper.file_ref,
    )  # fmt: skip
    _tell(request, timeline.FAPIAO_ISSUED, actor=actor, now=now, number=paper.number)
    return request


@transaction.atomic
def refuse(request: FapiaoRequest, note: str, *, actor: str, now: dt.datetime) -> FapiaoRequest:
    """Note that staff cannot issue it; the payer reads why. Raises: WrongState, BadField."""
    note = note.strip()
    if not 0 < len(note) <= NOTE_MAX:
        raise BadField("note")
    request = _step(request, State.REFUSED, now=now, answered_by=actor[:80], note=note)
    _tell(request, timeline.FAPIAO_REFUSED, actor=actor, now=now)
    return request


@transaction.atomic
def issue_red(
    request: FapiaoRequest, paper: Paper, *, actor: str, now: dt.datetime
) -> FapiaoRequest:
    """Note that staff issued the red-letter one. Raises: WrongState, BadField."""
    paper = _checked(paper, request.order, now=now)
    request = _step(
        request, State.RED_ISSUED, now=now, answered_by=actor[:80],
        red_number=paper.number, red_date=paper.issued_on, red_file_ref=paper.file_ref,
    )  # fmt: skip
    _tell(request, timeline.FAPIAO_REVERSED, actor=actor, now=now, number=paper.number)
    return request


def _checked(paper: Paper, order: Order, *, now: dt.datetime) -> Paper:
    """Return a paper without blanks around. Raises: BadField."""
    number, file_ref = paper.number.strip(), paper.file_ref.strip()
    if not _NUMBER.fullmatch(number):
        raise BadField("number")
    paid_on = (order.paid_at or order.created_at).astimezone(_CHINA).date()
    if not paid_on <= paper.issued_on <= now.astimezone(_CHINA).date():
        raise BadField("issued_on")
    if len(file_ref) > FILE_REF_MAX:
        raise BadField("file_ref")
    return Paper(number=number, issued_on=paper.issued_on, file_ref=file_ref)


def _tell(request: FapiaoRequest, code: str, *, actor: str, now: dt.datetime, **facts: str) -> None:
    """Write into the order's timeline who answered what and when, and tell who asked."""
    timeline.add(request.order, code, now=now, actor=actor, **facts)
    news.fapiao_answered(request, now=now)


def ask_red(*, now: dt.datetime) -> int:
    """Ask for red-letter ones where money went back since; return how many.

    A request that nobody has answered is withdrawn when nothing of its order is left.
    """
    went_back = Exists(
        Refund.objects.filter(
            order=OuterRef("order"),
            state=Refund.State.SUCCEEDED,
            ended_at__gte=OuterRef("updated_at"),
        )
    ) | Exists(
        Dispute.objects.filter(
            order=OuterRef("order"), state=Dispute.State.LOST, ended_at__gte=OuterRef("updated_at")
        )
    )
    nothing_left = Q(order__state__in=(states.REFUNDED, states.LOST))
    gone = FapiaoRequest.objects.filter(nothing_left, state=State.ASKED)
    gone.update(state=State.WITHDRAWN, updated_at=now)
    issued = FapiaoRequest.objects.filter(went_back, state=State.ISSUED)
    return issued.update(state=State.RED_ASKED, updated_at=now)
