"""Money goes back to the payer, in the original currency at the order's own rate.

The wallet pays when a refund is asked for, so nothing that is on its way back can be spent; a
refund that fails gives it back. What staff send back at the processor itself is taken, too.
"""

import datetime as dt
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.models import Account
from accounts.timeids import uuid7
from billing import ledger
from billing.models import Order, Refund, WebhookEvent
from billing.payments import asking, receipts, refund_rules, returning, schedule, states, timeline
from billing.payments.returning import Posting
from billing.processors import base, registry
from billing.processors.base import Notice, NoticeKind

logger = logging.getLogger(__name__)

Outcome = WebhookEvent.Outcome
State = Refund.State
REFUND, REFUND_BACK = "refund", "refund_back"
ASKED_MAX = 100
UNDER_WAY = (State.ASKED, State.PENDING)
# Where a refund that arrived may still come back, failed; elsewhere one that failed may yet arrive.
FAILS_LATE = frozenset({"stripe"})
# Stripe forgets the name of a call after 24 hours (API reference, 2026-10): a call whose answer was
# lost must not become a second refund, so it is looked for first.
FORGETS_CALLS, REMEMBERS_FOR = frozenset({"stripe"}), dt.timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On whose word a refund is asked for, and what that allows."""

    # Staff may send back within a limit; a payer only what is unspent.
    is_staff: bool = False
    # What the wallet lacks is owed by the account.
    is_forced: bool = False
    # What had gone back of the order when this was decided: a form sent twice is one refund.
    refunded_minor: int | None = None
    # One form asks for one refund of each order.
    form_id: uuid.UUID | None = None


def ask(
    order: Order,
    amount_minor: int,
    *,
    reason: str,
    actor: str,
    now: dt.datetime,
    terms: Terms | None = None,
) -> Refund:
    """Take an amount (minor units, with its tax) out of the wallet and note that it goes back.

    Send it afterwards, outside of the transaction; the sweep does when nobody did.
    A form that asked before gets what it asked for then.
    Locks: order, wallet. Raises: refund_rules.RefundRefused.
    """
    terms = terms or Terms()
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order.pk)
        asked = order.refunds.filter(form_id=terms.form_id).first() if terms.form_id else None
        if asked is not None:
            return asked
        if terms.refunded_minor not in (None, order.refunded_minor):
            raise refund_rules.RefundRefused("changed")
        part = returning.share(order, amount_minor)
        if terms.is_staff:
            refund_rules.check_staff(order, amount_minor, part)
        else:
            refund_rules.check_own(order, amount_minor)
        refund = Refund(
            id=uuid7(),
            order=order,
            amount_minor=amount_minor,
            tax_minor=part.tax_minor,
            reason=reason[:40],
            actor=actor[:80],
            form_id=terms.form_id,
            created_at=now,
            next_check_at=schedule.next_check(now, checks=0),
        )
        _take(order, refund, part, now=now, may_owe=terms.is_forced)
        timeline.add(order, timeline.REFUND_ASKED, now=now, actor=actor, amount_minor=amount_minor)
    return refund


def ask_all(
    account: Account,
    parts: Sequence[tuple[Order, int]],
    *,
    reason: str,
    actor: str,
    form_id: uuid.UUID,
    now: dt.datetime,
) -> Sequence[Refund]:
    """Ask for refunds of several orders of an account, all of them or none.

    `parts`: what refund_rules.unspent returned when it was confirmed. A form that asked before
    gets what it asked for then. Locks: the orders, the wallet. Raises: refund_rules.RefundRefused.
    """
    with transaction.atomic():
        # All orders before the wallet: two forms at once never wait for each other.
        mine = Order.objects.filter(account=account, pk__in=[order.pk for order, _part in parts])
        list(mine.order_by("pk").select_for_update())
        terms = Terms(form_id=form_id)
        return [
            ask(order, amount_minor, reason=reason, actor=actor, now=now, terms=terms)
            for order, amount_minor in parts
        ]


def is_asked(account: Account, form_id: uuid.UUID) -> bool:
    """Tell whether a form has asked for refunds of an account."""
    return Refund.objects.filter(order__account=account, form_id=form_id).exists()


def start(
    order: Order,
    amount_minor: int,
    *,
    reason: str,
    actor: str,
    now: dt.datetime,
    terms: Terms | None = None,
) -> Refund:
    """Ask for a refund and send it at once; one that cannot be sent now is sent by the sweep.

    Call it outside of transactions. Raises: refund_rules.RefundRefused.
    """
    refund = ask(order, amount_minor, reason=reason, actor=actor, now=now, terms=terms)
    try:
        return send(refund, now=now)
    except base.ProcessorError as error:
        told = {"processor": order.processor, "code": error.code}
        logger.warning("a refund could not be sent yet", extra=told)
        return refund


def _take(
    order: Order, refund: Refund, part: returning.Share, *, now: dt.datetime, may_owe: bool
) -> None:
    """Post a refund and save it. Raises: refund_rules.RefundRefused."""
    is_again = ledger.is_posted(REFUND, refund.id.hex)
    ref = f"{refund.id.hex}.again" if is_again else refund.id.hex
    posting = Posting(kind=REFUND, ref=ref, actor=refund.actor, now=now)
    try:
        paid, owed = returning.take(order, part, posting, may_owe=may_owe)
    except ledger.InsufficientBalance as error:
        raise refund_rules.RefundRefused("spent") from error
    refund.wallet_nusd, refund.owed_nusd, refund.tax_minor = paid, owed, part.tax_minor
    refund.save()
    order.refunded_minor += refund.amount_minor
    returning.restate(order, now=now)


def send(refund: Refund, *, now: dt.datetime) -> Refund:
    """Tell the processor, or ask it what became of the refund; return it as it is then.

    The same refund sent twice is one refund there. Call it outside of transactions.
    Raises: base.Unavailable, base.NotConfigured: it is tried again by itself.
    """
    if refund.state not in UNDER_WAY:
        return refund
    try:
        notice = _tell(refund, now=now)
    except base.Refused as error:
        _end_refused(refund, error.code, now=now)
    else:
        _hear(refund, notice, now=now)
    refund.refresh_from_db()
    return refund


def _tell(refund: Refund, *, now: dt.datetime) -> Notice:
    order = refund.order
    processor, told = registry.get(order.processor), asking.ask(order)
    names = {"payment_ref": order.payment_ref, "refund_id": refund.id.hex}
    is_old = now - refund.created_at > REMEMBERS_FOR and order.processor in FORGETS_CALLS
    if refund.state == State.PENDING or is_old:
        try:
            return processor.query_refund(told, **names)
        except base.Refused:
            if refund.state == State.PENDING:
                raise
    return processor.refund(told, **names, amount_minor=refund.amount_minor, reason=refund.reason)


def _hear(refund: Refund, notice: Notice, *, now: dt.datetime) -> None:
    """Apply what the processor answered of this very refund."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=refund.order_id)
        known = Refund.objects.get(pk=refund.pk)
        if notice.kind == NoticeKind.REFUNDED:
            _succeed(order, known, notice, now=now)
        elif notice.kind == NoticeKind.REFUND_FAILED:
            _fail(order, known, notice.reason, now=now)
        elif known.state == State.ASKED:
            known.state = State.PENDING
            known.refund_ref = known.refund_ref or notice.refund_ref
            known.save(update_fields=["state", "refund_ref"])


def _end_refused(refund: Refund, code: str, *, now: dt.datetime) -> None:
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=refund.order_id)
        known = Refund.objects.get(pk=refund.pk)
        if known.state == State.ASKED:  # else it is known there, whatever was refused now
            _fail(order, known, code, now=now)


def on_refunded(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Apply a refund's success (ours, or one made at the processor). Order is locked.

    Raises: states.NotYet before the payment, states.ImpossibleStep when it fits nothing.
    """
    returning.check_paid(order, notice)
    refund = _find(order, notice)
    if refund is None:
        return _accept(order, notice, now=now)
    is_own_amount = notice.refund_minor and not notice.refunded_total_minor
    if is_own_amount and notice.refund_minor != refund.amount_minor:
        raise states.ImpossibleStep("another amount")
    return _succeed(order, refund, notice, now=now)


def on_failed(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Give a failed refund's money back to the wallet. Order is locked.

    Raises: states.NotYet.
    """
    returning.check_paid(order, notice)
    refund = _find(order, notice)
    if refund is not None:
        return _fail(order, refund, notice.reason, now=now)
    if notice.refund_minor <= 0 or notice.refunded_total_minor:
        return Outcome.IGNORED
    # Made at the processor, and told of its end first: remembered, so that its success is no news.
    _foreign(notice, order, now=now, state=State.FAILED).save()
    return Outcome.APPLIED


def _find(order: Order, notice: Notice) -> Refund | None:
    """Return the refund that a notice is about: by our name, by theirs, or by its amount."""
    rows = order.refunds.all()
    if is_hex(notice.refund_id):
        found = rows.filter(pk=uuid.UUID(hex=notice.refund_id)).first()
        if found is not None:
            return found
    if notice.refund_ref:
        found = rows.filter(refund_ref=notice.refund_ref).first()
        if found is not None:
            return found
    if is_hex(notice.refund_id):
        return None
    # Nameless: ours, if one of that amount is on its way and has no name there yet.
    nameless = rows.filter(state__in=UNDER_WAY, refund_ref="", amount_minor=notice.refund_minor)
    return nameless.order_by("created_at").first()


def is_hex(text: str) -> bool:
    """Tell whether a text can be the name that we give refunds."""
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def _foreign(
    notice: Notice, order: Order, *, now: dt.datetime, state: str, amount_minor: int = 0
) -> Refund:
    return Refund(
        id=uuid7(),
        order=order,
        state=state,
        amount_minor=amount_minor or notice.refund_minor,
        refund_ref=notice.refund_ref or notice.refund_id or notice.event_id,
        reason=notice.reason[:40],
        actor=order.processor,
        created_at=now,
        ended_at=now,
    )


def _accept(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Take what was sent back at the processor without us: the money has left already."""
    amount = notice.refund_minor
    if notice.refunded_total_minor:
        amount = _new_of_total(order, notice.refunded_total_minor)
        if amount <= 0:
            return Outcome.REPEATED
    if not 0 < amount <= order.total_minor - order.refunded_minor:
        raise states.ImpossibleStep("more than was paid")
    refund = _foreign(notice, order, now=now, state=State.SUCCEEDED, amount_minor=amount)
    part = returning.share(order, amount)
    _take(order, refund, part, now=now, may_owe=True)
    _note(order, timeline.REFUND_DONE, refund, now=now)
    receipts.credit_note(refund, now=now)
    return Outcome.APPLIED


def _new_of_total(order: Order, total_minor: int) -> int:
    """Return what of a sum of all refunds is news. Raises: states.NotYet while ours are open.

    Whether the sum counts a refund of ours that is under way nobody can say.
    """
    if order.refunds.filter(state__in=UNDER_WAY).exists():
        raise states.NotYet("refunds under way")
    return total_minor - order.refunded_minor


def _succeed(order: Order, refund: Refund, notice: Notice, *, now: dt.datetime) -> str:
    if refund.state == State.SUCCEEDED:
        return Outcome.REPEATED
    if refund.state == State.FAILED:
        if order.processor in FAILS_LATE:
            return Outcome.REPEATED
        part = returning.share(order, refund.amount_minor)
        _take(order, refund, part, now=now, may_owe=True)
    refund.state, refund.ended_at, refund.next_check_at = State.SUCCEEDED, now, None
    refund.refund_ref = refund.refund_ref or notice.refund_ref
    refund.failure = ""
    refund.save()
    _note(order, timeline.REFUND_DONE, refund, now=now)
    receipts.credit_note(refund, now=now)
    return Outcome.APPLIED


def _fail(order: Order, refund: Refund, reason: str, *, now: dt.datetime) -> str:
    is_too_late = refund.state == State.SUCCEEDED and order.processor not in FAILS_LATE
    if refund.state == State.FAILED or is_too_late:
        return Outcome.REPEATED
    part = returning.Share(
        net_minor=refund.amount_minor - refund.tax_minor,
        tax_minor=refund.tax_minor,
        credit_nusd=refund.wallet_nusd + refund.owed_nusd,
    )
    posting = Posting(kind=REFUND_BACK, ref=refund.id.hex, actor=order.processor, now=now)
    returning.give_back(
        order, part, posting, wallet_nusd=refund.wallet_nusd, owed_nusd=refund.owed_nusd
    )
    refund.state, refund.failure = State.FAILED, reason[:40]
    refund.ended_at, refund.next_check_at = now, None
    refund.save()
    order.refunded_minor -= refund.amount_minor
    returning.restate(order, now=now)
    _note(order, timeline.REFUND_FAILED, refund, now=now, reason=refund.failure)
    return Outcome.APPLIED


def _note(order: Order, code: str, refund: Refund, *, now: dt.datetime, **facts: str) -> None:
    amount = refund.amount_minor
    timeline.add(order, code, now=now, actor=refund.actor, amount_minor=amount, **facts)


def sweep(*, now: dt.datetime) -> int:
    """Send refunds that were asked for, ask about those under way; return how many."""
    due = Refund.objects.filter(next_check_at__lte=now).order_by("next_check_at")
    asked = 0
    for pk in list(due.values_list("pk", flat=True)[:ASKED_MAX]):
        refund = _claim(pk, now=now)
        if refund is None:
            continue
        asked += 1
        try:
            send(refund, now=now)
        except base.ProcessorError as error:
            told = {"processor": refund.order.processor, "code": error.code}
            logger.warning("a processor did not answer about a refund", extra=told)
    return asked


def _claim(pk: uuid.UUID, *, now: dt.datetime) -> Refund | None:
    """Set the next time first: whoever dies while sending leaves the refund to be sent again."""
    refund = Refund.objects.select_related("order").filter(pk=pk).first()
    if refund is None or refund.state not in UNDER_WAY:
        return None
    later = schedule.next_check(refund.created_at, checks=refund.checks + 1, now=now)
    mine = Refund.objects.filter(pk=pk, checks=refund.checks, next_check_at__lte=now)
    if not mine.update(checks=refund.checks + 1, next_check_at=max(later, now)):
        return None
    return refund
