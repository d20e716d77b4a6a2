"""The money of accounts that end: what goes back, what is given up, what is in the way."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from accounts import changes
from accounts.models import Account, Change
from billing import ledger, wallets
from billing.models import (
    AutoTopUp,
    BalanceReminder,
    Debt,
    Dispute,
    LedgerAccount,
    Order,
    PaymentMethod,
    Refund,
    Wallet,
)
from billing.payments import refund_rules, refunds, states
from billing.processors import registry

FORFEIT: Final = "forfeit"
REASON: Final = "account_closed"
ROUND_MAX: Final = 200
UNDER_WAY = (Refund.State.ASKED, Refund.State.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingBack:
    """What goes back through one processor in one currency, in its minor units with the tax."""

    processor: str
    currency: str
    amount_minor: int
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """How the money of some accounts is divided when they end, nUSD."""

    # What goes back, of however many orders.
    refunds: Sequence[refund_rules.Part]
    # What cannot go back (given credit, old remainders): it is lost with the account.
    rest_nusd: int

    @property
    def refunded_nusd(self) -> int:
        return sum(part.credit_nusd for part in self.refunds)

    @property
    def total_nusd(self) -> int:
        return self.refunded_nusd + self.rest_nusd

    @property
    def sums(self) -> Sequence[GoingBack]:
        """What goes back by processor and currency."""
        amounts: dict[tuple[str, str], list[int]] = {}
        for part in self.refunds:
            way = (part.order.processor, part.order.currency)
            amounts.setdefault(way, []).append(part.amount_minor)
        return [
            GoingBack(
                processor=processor, currency=currency, amount_minor=sum(mine), orders=len(mine)
            )
            for (processor, currency), mine in sorted(amounts.items())
        ]


def parting(accounts: Collection[Account], *, since: dt.datetime | None = None) -> Parting:
    """Divide all that is left in accounts. A refund that failed `since` then is not tried again.

    Three queries, however many accounts and orders there are.
    """
    ids = [account.pk for account in accounts]
    held = list(Wallet.objects.filter(pk__in=ids))
    failed = Refund.objects.filter(reason=REASON, state=Refund.State.FAILED)
    failed = failed.filter(created_at__gte=since) if since else failed.none()
    going = refund_rules.all_unspent(accounts, held, failed=failed)
    left = sum(one.credit_nusd - one.debit_nusd - one.reserved_nusd for one in held)
    return Parting(refunds=going, rest_nusd=left - sum(part.credit_nusd for part in going))


def blocker(account_ids: Collection[int]) -> str:
    """Say what about their money keeps accounts from ending now, "" for nothing.

    dispute, debt, frozen: to be settled first. order, refund, running: it ends by itself.
    """
    mine = {"account": OuterRef("pk")}
    of_order = {"order__account": OuterRef("pk")}
    disputing = (Dispute.State.INQUIRY, Dispute.State.OPEN)
    found = Account.objects.filter(pk__in=account_ids).aggregate(
        dispute=_any(Dispute.objects.filter(state__in=disputing, **of_order)),
        debt=_any(Debt.objects.filter(owed_nusd__gt=0, **mine)),
        frozen=_any(Wallet.objects.filter(frozen=True, **mine)),
        order=_any(Order.objects.filter(state__in=states.OPEN, **mine)),
        refund=_any(Refund.objects.filter(state__in=UNDER_WAY, **of_order)),
        running=_any(Wallet.objects.filter(leased_nusd__gt=0, **mine)),
    )
    return next((name for name, count in found.items() if count), "")


def _any(rows: QuerySet[Any]) -> Count:
    """Count the accounts for which there is such a row."""
    return Count("pk", filter=Exists(rows))


@transaction.atomic
def stop_spending(account_ids: Collection[int]) -> None:
    """Turn automatic top-up and reminders off, and call idle credit back from workers."""
    AutoTopUp.objects.filter(pk__in=account_ids).update(is_on=False)
    BalanceReminder.objects.filter(pk__in=account_ids).delete()
    for account_id in account_ids:
        changes.announce(Change.Topic.RECALL, str(account_id))


def send_back(found: Parting, *, actor: str, now: dt.datetime) -> int:
    """Start the first refunds of a parting; return how many. Call it outside of transactions.

    The others are for later rounds: each one is a call to its processor.
    Raises: refund_rules.RefundRefused when the money moved meanwhile.
    """
    round_ = found.refunds[:ROUND_MAX]
    for part in round_:
        terms = refunds.Terms(refunded_minor=part.order.refunded_minor)
        refunds.start(
            part.order, part.amount_minor, reason=REASON, actor=actor, now=now, terms=terms
        )
    return len(round_)


def forfeit(
    account_ids: Collection[int], *, nusd_max: int, actor: str, now: dt.datetime
) -> int | None:
    """Take what is left out of wallets, once; return how much, None when it is above `nusd_max`.

    Locks: the wallets, in order of id.
    """
    with transaction.atomic():
        rows = Wallet.objects.select_for_update().filter(pk__in=account_ids).order_by("pk")
        left = {wallet.pk: wallets.available(wallet) for wallet in rows}
        if sum(left.values()) > nusd_max:
            return None
        for account_id, amount in left.items():
            if amount > 0:
                _post(account_id, amount, actor=actor, now=now)
    return sum(left.values())


def _post(account_id: int, amount_nusd: int, *, actor: str, now: dt.datetime) -> None:
    owner = ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=account_id)
    ledger.post(
        kind=FORFEIT,
        ref=f"account-{account_id}",
        legs=(
            ledger.Leg(account=owner, amount_nusd=-amount_nusd),
            ledger.Leg(
                account=ledger.account_of(LedgerAccount.Kind.FORFEITED), amount_nusd=amount_nusd
            ),
        ),
        actor=actor,
        now=now,
    )


def forget_customers(account_ids: Collection[int]) -> int:
    """Have processors delete the customers that they keep for accounts; return how many.

    Again is no error: rows here go when the processor has forgotten.
    Raises: base.Unavailable, base.Refused, base.NotConfigured: then they are still kept.
    """
    methods = PaymentMethod.objects.filter(account__in=account_ids)
    names = sorted(set(methods.values_list("customer_ref", flat=True)))
    for customer_ref in names:
        registry.card_keeper().forget_customer(customer_ref)
        methods.filter(customer_ref=customer_ref).delete()
    return len(names)
