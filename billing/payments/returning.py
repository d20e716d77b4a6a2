"""What goes back of an order: its parts to the cent, the posting and its reverse.

An order's money is price, tax and credit. What goes back of it, by refund or dispute, is split in
the same proportion, so that all that ever goes back sums to exactly what came. Callers hold FOR
UPDATE on the order; the wallet is locked here.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import F, Q, Sum

from accounts import changes
from accounts.models import Change
from billing import holds, ledger, wallets
from billing.ledger import Leg
from billing.models import Debt, Dispute, LedgerAccount, Order, Refund, Wallet
from billing.money import CENT
from billing.payments import clearing, paying, states, timeline
from billing.processors.base import Notice

Kind = LedgerAccount.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of an order: minor units of its currency, and the credit that was given for it."""

    net_minor: int
    tax_minor: int
    credit_nusd: int


NOTHING = Share(net_minor=0, tax_minor=0, credit_nusd=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """How a posting is named in the ledger, by whom and when."""

    kind: str
    ref: str
    actor: str
    now: dt.datetime


def check_paid(order: Order, notice: Notice) -> None:
    """See that a notice of money that leaves is about the payment that this order was credited for.

    Raises: states.NotYet before the payment; states.ImpossibleStep for another payment.
    """
    if order.state not in states.CREDITED:
        raise states.NotYet(order.state)
    if notice.payment_ref not in ("", order.payment_ref):
        raise states.ImpossibleStep("another payment")


def gone(order: Order) -> Share:
    """Return what went back of an order so far: refunds that did not fail, disputes taken."""
    return gone_of([order])[order.pk]


def gone_of(orders: Collection[Order]) -> Mapping[uuid.UUID, Share]:
    """Return what went back of each of some orders; one query."""
    ids = [order.pk for order in orders]
    return {**dict.fromkeys(ids, NOTHING), **_gone(Q(order__in=ids))}


def gone_of_accounts(account_ids: Collection[int]) -> Mapping[uuid.UUID, Share]:
    """Return what went back of those orders of some accounts that it did of; one query."""
    return _gone(Q(order__account__in=account_ids))


def _gone(which: Q) -> Mapping[uuid.UUID, Share]:
    refunds = Refund.objects.filter(which).exclude(state=Refund.State.FAILED)
    disputes = Dispute.objects.filter(which).exclude(taken_nusd=0, owed_nusd=0)
    by_refund, by_dispute = (
        rows.order_by().values_list("order_id").annotate(
            amount=Sum("amount_minor"), tax=Sum("tax_minor"), credit=Sum(taken + F("owed_nusd"))
        )
        for rows, taken in ((refunds, F("wallet_nusd")), (disputes, F("taken_nusd")))
    )  # fmt: skip
    found: dict[uuid.UUID, Share] = {}
    for order_id, amount, tax, credit in by_refund.union(by_dispute, all=True):
        before = found.get(order_id, NOTHING)
        found[order_id] = Share(
            net_minor=before.net_minor + amount - tax,
            tax_minor=before.tax_minor + tax,
            credit_nusd=before.credit_nusd + credit,
        )
    return found


def remaining_minor(order: Order) -> int:
    """Return how much of an order can still go back, in minor units."""
    before = gone(order)
    return max(0, order.total_minor - before.net_minor - before.tax_minor)


def share(order: Order, amount_minor: int) -> Share:
    """Split an amount that goes back now. The last one takes what is left to the last fraction.

    A bank may take more than is left of an order: the excess counts as price.
    """
    return split(order, amount_minor, before=gone(order))


def split(order: Order, amount_minor: int, *, before: Share) -> Share:
    """Split an amount after what went back before (pure)."""
    net_left = order.net_minor - before.net_minor
    tax_left = order.tax_minor - before.tax_minor
    all_minor = before.net_minor + before.tax_minor + amount_minor
    wanted = order.tax_minor * all_minor // order.total_minor - before.tax_minor
    tax = max(amount_minor - max(net_left, 0), min(max(wanted, 0), amount_minor))
    tax = max(0, min(tax, tax_left))
    net = amount_minor - tax
    whole = order.credit_nusd * (before.net_minor + net) // order.net_minor
    return Share(net_minor=net, tax_minor=tax, credit_nusd=max(0, whole - before.credit_nusd))


def legs(
    order: Order, part: Share, *, wallet_nusd: int, owed_nusd: int, sign: int = 1
) -> list[Leg]:
    """Return the legs of money that leaves through the processor; `sign` -1: it comes back."""
    currency = order.currency
    wallet = ledger.account_of(Kind.WALLET, owner_id=order.account_id)
    found = [
        Leg(account=wallet, amount_nusd=-wallet_nusd),
        Leg(account=ledger.account_of(Kind.RECEIVABLE), amount_nusd=-owed_nusd),
        Leg(
            account=ledger.account_of(Kind.TAX, currency=currency),
            amount_nusd=-part.tax_minor * CENT,
        ),
        Leg(
            account=clearing.account(order.processor, currency),
            amount_nusd=(part.net_minor + part.tax_minor) * CENT,
        ),
        *clearing.exchanged(currency, net_minor=-part.net_minor, nusd=-wallet_nusd - owed_nusd),
    ]
    return [
        Leg(account=leg.account, amount_nusd=sign * leg.amount_nusd)
        for leg in found
        if leg.amount_nusd
    ]


def take(order: Order, part: Share, posting: Posting, *, may_owe: bool) -> tuple[int, int]:
    """Post what leaves; return what the wallet paid and what the account owes now, in nUSD.

    With `may_owe` the wallet pays what it has, the account owes the rest and is frozen.
    Raises: ledger.InsufficientBalance without it.
    """
    ledger.open_wallet(order.account_id)
    wallet = Wallet.objects.select_for_update().get(pk=order.account_id)
    paid = min(part.credit_nusd, wallets.available(wallet)) if may_owe else part.credit_nusd
    owed = part.credit_nusd - paid
    _post(legs(order, part, wallet_nusd=paid, owed_nusd=owed), posting)
    if owed:
        paying.owe(order.account_id, owed)
        holds.freeze(order.account_id)
    changes.announce(Change.Topic.WALLET, str(order.account_id))
    return paid, owed


def give_back(
    order: Order, part: Share, posting: Posting, *, wallet_nusd: int, owed_nusd: int
) -> None:
    """Reverse what `take` posted. What the account paid of its debt since goes to its wallet."""
    Wallet.objects.select_for_update().get(pk=order.account_id)
    forgiven = min(owed_nusd, _owed(order.account_id))
    Debt.objects.filter(pk=order.account_id).update(owed_nusd=F("owed_nusd") - forgiven)
    to_wallet = wallet_nusd + owed_nusd - forgiven
    reverse = legs(order, part, wallet_nusd=to_wallet, owed_nusd=forgiven, sign=-1)
    _post(reverse, posting)
    paying.recover(
        order, now=posting.now, ref=f"{posting.kind}:{posting.ref}"[:80], nusd_max=to_wallet
    )
    holds.thaw_when_clear(order.account_id)
    changes.announce(Change.Topic.WALLET, str(order.account_id))


def _owed(account_id: int) -> int:
    debt = Debt.objects.select_for_update().filter(pk=account_id).first()
    return debt.owed_nusd if debt else 0


def _post(found: Iterable[Leg], posting: Posting) -> None:
    ledger.post(
        kind=posting.kind,
        ref=posting.ref,
        legs=list(found),
        actor=posting.actor,
        now=posting.now,
    )


def restate(order: Order, *, now: dt.datetime) -> None:
    """Put a paid order into the state that follows from its refunds and disputes, and save it."""
    target = _state(order)
    if target in {states.WON, states.LOST} and target not in states.NEXT[order.state]:
        timeline.step(order, states.DISPUTED, now=now)
    timeline.step(order, target, now=now)
    order.save(update_fields=["state", "refunded_minor", "next_check_at"])


def _state(order: Order) -> str:
    # An inquiry that ends is no dispute, so a dispute counts when money was at stake.
    stakes = {"opened", "taken", "returned", "lost"}
    told = {dispute.state for dispute in order.disputes.all() if stakes.intersection(dispute.said)}
    if Dispute.State.OPEN in told:
        return states.DISPUTED
    if Dispute.State.LOST in told:
        return states.LOST
    if order.refunded_minor:
        is_whole = order.refunded_minor >= order.total_minor
        return states.REFUNDED if is_whole else states.PART_REFUNDED
    return states.WON if told else states.PAID
