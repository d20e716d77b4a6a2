"""What an account may not do for a while because one of its payments may not be good.

Two things: to call expensive models (the restriction that trials use, accounts.restrictions), and
to call anything (a frozen wallet). Both end by themselves, but for a dispute that was lost; that,
and what staff froze, only staff thaw.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from accounts import changes, restrictions
from accounts.models import Change
from billing.models import Debt, Dispute, Hold, Wallet

FIRST_PAYMENT, CARD_BUSY, FRAUD_WARNING = "first_payment", "card_busy", "fraud_warning"
ENDED_MAX = 200


class Cause(StrEnum):
    """What keeps a wallet frozen, and so who or what ends it."""

    # Staff froze it, or a dispute was lost: staff thaw it.
    STAFF, LOST = "staff", "lost"
    # A dispute is open: it ends when the bank decides for the payment.
    DISPUTE = "dispute"
    # Nothing but money that is owed: it ends when the debt is paid.
    DEBT = "debt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A frozen wallet: why, and what its account owes, nUSD."""

    cause: Cause
    owed_nusd: int

    @property
    def owes_only(self) -> bool:
        """True when paying what is owed ends it."""
        return self.cause is Cause.DEBT


def is_running(hold: Hold | None, *, now: dt.datetime) -> bool:
    """Tell whether a hold keeps its account to cheap models now."""
    return hold is not None and hold.until is not None and hold.until > now


def keep_cheap(account_id: int, *, reason: str, until: dt.datetime) -> None:
    """Keep an account to cheap models until then, or longer where it is kept longer already.

    Call it after the posting that brings the money, late in the transaction: it announces.
    """
    with transaction.atomic():
        hold, _ = Hold.objects.select_for_update().get_or_create(pk=account_id)
        if hold.until is None or hold.until < until:
            hold.until, hold.reason = until, reason
            hold.save(update_fields=["until", "reason"])
        restrictions.set_trial(account_id, is_trial=True)


def lift_trial(account_id: int) -> bool:
    """End the restriction to cheap models, unless a hold keeps it; True when it was ended."""
    if Hold.objects.filter(pk=account_id, until__isnull=False).exists():
        return False
    return restrictions.set_trial(account_id, is_trial=False)


def end(account_id: int) -> bool:
    """End a hold because staff say so; False when there is none."""
    with transaction.atomic():
        held = Hold.objects.filter(pk=account_id, until__isnull=False)
        if not held.update(until=None, reason=""):
            return False
        restrictions.set_trial(account_id, is_trial=False)
    return True


def end_due(*, now: dt.datetime) -> int:
    """End holds whose time has come, a bounded number in each call; return how many."""
    due = Hold.objects.filter(until__lte=now).order_by("until")
    ended = 0
    for account_id in list(due.values_list("pk", flat=True)[:ENDED_MAX]):
        with transaction.atomic():
            if Hold.objects.filter(pk=account_id, until__lte=now).update(until=None, reason=""):
                restrictions.set_trial(account_id, is_trial=False)
                ended += 1
    return ended


def freeze(account_id: int) -> None:
    """Freeze a wallet because of a dispute or a debt; one that is frozen stays as it is.

    Caller holds the wallet's lock.
    """
    if Wallet.objects.filter(pk=account_id, frozen=False).update(frozen=True):
        Hold.objects.update_or_create(pk=account_id, defaults={"is_frozen": True})
        changes.announce(Change.Topic.WALLET, str(account_id))


def thaw_when_clear(account_id: int) -> bool:
    """Thaw a wallet that `freeze` froze, if no dispute is open or lost and nothing is owed."""
    if (
        _disputes(account_id).exists()
        or Debt.objects.filter(pk=account_id, owed_nusd__gt=0).exists()
    ):
        return False
    if not Hold.objects.filter(pk=account_id, is_frozen=True).update(is_frozen=False):
        return False
    Wallet.objects.filter(pk=account_id).update(frozen=False)
    changes.announce(Change.Topic.WALLET, str(account_id))
    return True


def frozen(account_id: int) -> Freeze | None:
    """Return why a wallet is frozen; None when it is not. One query."""
    debt, ours = "account__debt__owed_nusd", "account__hold__is_frozen"
    states = _disputes(OuterRef("pk")).order_by("state").values("state")
    found = (
        Wallet.objects.filter(pk=account_id, frozen=True)
        # In the alphabet a lost one comes before an open one: the former lasts.
        .values(debt, ours, disputed=Subquery(states[:1]))
        .first()
    )
    if found is None:
        return None
    owed_nusd = found[debt] or 0
    if not found[ours]:
        cause = Cause.STAFF
    elif found["disputed"]:
        is_lost = found["disputed"] == Dispute.State.LOST
        cause = Cause.LOST if is_lost else Cause.DISPUTE
    else:
        cause = Cause.DEBT if owed_nusd else Cause.STAFF
    return Freeze(cause=cause, owed_nusd=owed_nusd)


def _disputes(account_id: int | OuterRef) -> QuerySet[Dispute]:
    """Return an account's disputes that keep its wallet frozen."""
    keep = (Dispute.State.OPEN, Dispute.State.LOST)
    return Dispute.objects.filter(order__account_id=account_id, state__in=keep)
