"""A payer's bank asks for the money back: freeze, post, restore.

Banks' notices come in any order and more than once. A dispute keeps what was told of it, and its
state, money and reserve follow from that alone: money leaves with `taken` or `lost`, and is back
with `returned` or `won`, whichever of them comes first.
"""

import datetime as dt
from typing import Final

from billing import holds, ledger, wallets
from billing.ledger import Leg
from billing.models import Dispute, LedgerAccount, Order, WebhookEvent
from billing.money import CENT
from billing.payments import clearing, fraud, returning, states, timeline
from billing.payments.returning import Posting
from billing.processors.base import Notice, NoticeKind

Outcome = WebhookEvent.Outcome
State = Dispute.State
DISPUTE, DISPUTE_BACK = "dispute", "dispute_back"
DISPUTE_FEE, FEE_BACK = "dispute_fee", "dispute_fee_back"
INQUIRY, OPENED, TAKEN = "inquiry", "opened", "taken"
RETURNED, WON, LOST = "returned", "won", "lost"
GONE, BACK = frozenset({TAKEN, LOST}), frozenset({RETURNED, WON})
AT_STAKE = frozenset({OPENED, TAKEN, RETURNED, LOST})
_LINES: Final = {
    INQUIRY: timeline.INQUIRY,
    OPENED: timeline.DISPUTE_OPENED,
    TAKEN: timeline.DISPUTE_TAKEN,
    RETURNED: timeline.DISPUTE_RETURNED,
    WON: timeline.DISPUTE_WON,
    LOST: timeline.DISPUTE_LOST,
}


def on_inquiry(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Note that a bank asks about a payment; no money moves. Raises: as all here, states.NotYet."""
    return _hear(order, notice, INQUIRY, now=now)


def on_opened(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Set the amount aside as far as it is there, and freeze the wallet."""
    return _hear(order, notice, OPENED, now=now)


def on_taken(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Post what left us: the wallet pays what it has, the account owes the rest."""
    return _hear(order, notice, TAKEN, now=now)


def on_returned(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Post what came back, and thaw the wallet when nothing else is open."""
    return _hear(order, notice, RETURNED, now=now)


def on_won(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """End a dispute or inquiry for us."""
    return _hear(order, notice, WON, now=now)


def on_lost(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """End a dispute against us; the money is gone."""
    return _hear(order, notice, LOST, now=now)


def on_fraud_warning(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Hold the account to cheap models; what is unspent staff decide about. Once for each order.

    Raises: states.NotYet.
    """
    _must_be_paid(order)
    if order.timeline.filter(code=timeline.FRAUD_WARNING).exists():
        return Outcome.REPEATED
    timeline.add(order, timeline.FRAUD_WARNING, now=now, reason=notice.reason[:40])
    fraud.hold_warned(order, now=now)
    return Outcome.APPLIED


def _must_be_paid(order: Order) -> None:
    if order.state not in states.CREDITED:
        raise states.NotYet(order.state)


def _hear(order: Order, notice: Notice, word: str, *, now: dt.datetime) -> str:
    """Note what is told, and see to what follows. Order is locked."""
    _must_be_paid(order)
    if not notice.dispute_ref:
        raise states.ImpossibleStep("a dispute without a name")
    dispute = _dispute(order, notice, now=now)
    before = frozenset(dispute.said)
    if word in before:
        return Outcome.REPEATED
    if notice.amount_minor and not before & GONE:
        dispute.amount_minor = notice.amount_minor
    dispute.reason = dispute.reason or notice.reason[:40]
    said = before | {word}
    dispute.said, dispute.state = sorted(said), _state(said)
    if dispute.state in (State.WON, State.LOST) and dispute.ended_at is None:
        dispute.ended_at = now
    dispute.save()
    _move(order, dispute, before, said, now=now)
    _charge_fee(order, dispute, notice, now=now)
    dispute.save()
    returning.restate(order, now=now)
    holds.thaw_when_clear(order.account_id)
    timeline.add(
        order, _LINES[word], now=now, actor=order.processor, amount_minor=dispute.amount_minor
    )
    return Outcome.APPLIED


def _dispute(order: Order, notice: Notice, *, now: dt.datetime) -> Dispute:
    """Return the dispute that a notice is about; a new one is about all that is left."""
    found = order.disputes.filter(dispute_ref=notice.dispute_ref).first()
    return found or Dispute(
        order=order,
        dispute_ref=notice.dispute_ref,
        state=State.INQUIRY,
        amount_minor=notice.amount_minor or returning.remaining_minor(order),
        opened_at=now,
    )


def _state(said: frozenset[str]) -> str:
    """Return the state that follows from what was told (pure)."""
    if said & BACK:
        return State.WON
    if LOST in said:
        return State.LOST
    return State.OPEN if said & AT_STAKE else State.INQUIRY


def _move(
    order: Order,
    dispute: Dispute,
    before: frozenset[str],
    said: frozenset[str],
    *,
    now: dt.datetime,
) -> None:
    """Move the money from where `before` left it to where `said` wants it."""
    was_open = _state(before) == State.OPEN
    is_gone, was_gone = bool(said & GONE), bool(before & GONE)
    if dispute.state == State.OPEN and not was_open and not is_gone:
        worth = returning.share(order, dispute.amount_minor).credit_nusd
        ledger.open_wallet(order.account_id)
        dispute.reserved_nusd = wallets.reserve(order.account_id, nusd_max=worth)
        holds.freeze(order.account_id)
    elif dispute.state != State.OPEN or is_gone:
        _release(order, dispute)
    if is_gone and not was_gone:
        _take(order, dispute, now=now)
    is_back, was_back = bool(said & BACK), bool(before & BACK)
    if is_gone and is_back and not (was_gone and was_back):
        _give_back(order, dispute, now=now)


def _release(order: Order, dispute: Dispute) -> None:
    if dispute.reserved_nusd:
        wallets.release(order.account_id, amount_nusd=dispute.reserved_nusd)
        dispute.reserved_nusd = 0


def _take(order: Order, dispute: Dispute, *, now: dt.datetime) -> None:
    part = returning.share(order, dispute.amount_minor)
    posting = Posting(kind=DISPUTE, ref=str(dispute.pk), actor=order.processor, now=now)
    paid, owed = returning.take(order, part, posting, may_owe=True)
    dispute.taken_nusd, dispute.owed_nusd = paid, owed
    dispute.tax_minor = part.tax_minor
    if dispute.state != State.WON:
        holds.freeze(order.account_id)


def _give_back(order: Order, dispute: Dispute, *, now: dt.datetime) -> None:
    part = returning.Share(
        net_minor=dispute.amount_minor - dispute.tax_minor,
        tax_minor=dispute.tax_minor,
        credit_nusd=dispute.taken_nusd + dispute.owed_nusd,
    )
    posting = Posting(kind=DISPUTE_BACK, ref=str(dispute.pk), actor=order.processor, now=now)
    paid, owed = dispute.taken_nusd, dispute.owed_nusd
    returning.give_back(order, part, posting, wallet_nusd=paid, owed_nusd=owed)
    dispute.taken_nusd = dispute.owed_nusd = dispute.tax_minor = 0


def _charge_fee(order: Order, dispute: Dispute, notice: Notice, *, now: dt.datetime) -> None:
    """Post what the processor takes for a dispute, or gives back of it: it is ours to pay."""
    kind = {NoticeKind.DISPUTE_TAKEN: DISPUTE_FEE, NoticeKind.DISPUTE_RETURNED: FEE_BACK}
    if notice.fee_minor <= 0 or notice.kind not in kind:
        return
    fee = notice.fee_minor if notice.kind == NoticeKind.DISPUTE_TAKEN else -notice.fee_minor
    dispute.fee_minor += fee
    fees = ledger.account_of(LedgerAccount.Kind.FEES, currency=order.currency)
    clears = clearing.account(order.processor, order.currency)
    ledger.post(
        kind=kind[notice.kind],
        ref=str(dispute.pk),
        legs=(
            Leg(account=clears, amount_nusd=fee * CENT),
            Leg(account=fees, amount_nusd=-fee * CENT),
        ),
        actor=order.processor,
        now=now,
    )
