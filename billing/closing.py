"""The end of a lease: its charges summed, its wallet debited, its ledger entries written.

Callers hold FOR UPDATE on the wallet, the budgets and the lease, each taken in an earlier
statement: no intent can come any more, and the sum below sees every one that came before.
"""

import datetime as dt

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.hours import hour_sql
from billing import ledger, windows
from billing.models import Budget, Charge, GoodwillDay, Lease, LedgerAccount, Wallet

ACTOR = "gateway"


class LeaseBroken(RuntimeError):
    """The wallet's columns do not cover the lease: an invariant is broken, nothing is written."""


def estimate(lease: Lease) -> int:
    """End the open charges of a dead worker's lease at their checkpoint; return how many."""
    return Charge.objects.filter(lease_id=lease.pk, state=Charge.State.OPEN).update(
        state=Charge.State.ESTIMATED, reason=Charge.Reason.CRASH, cost_nusd=F("checkpoint_nusd")
    )


def close(lease: Lease, *, state: Lease.State) -> None:
    """Close a lease: wallet, budgets, lease and ledger in the caller's transaction."""
    spent, waived, still_open, charges = _sums(lease)
    if still_open:
        spent += _end_stray(lease)
    given = _goodwill(lease, now=timezone.now()) if waived else 0
    freed = Wallet.objects.filter(pk=lease.wallet_id, leased_nusd__gte=lease.amount_nusd).update(
        leased_nusd=F("leased_nusd") - lease.amount_nusd,
        spent_nusd=F("spent_nusd") + (spent - given),
    )
    ended = Lease.objects.filter(pk=lease.pk, spent_nusd__isnull=True).update(
        state=state, spent_nusd=spent
    )
    if not freed or not ended:
        raise LeaseBroken(str(lease.pk))
    drawn = Budget.objects.filter(lease_budgets__lease=lease.pk)
    drawn.update(leased_nusd=F("leased_nusd") - lease.amount_nusd)
    windows.counting(lease.pk).update(spent_nusd=F("spent_nusd") + (spent - given))
    if charges:
        _add_hours(lease)
    if spent:
        _post(lease, spent=spent, given=given)


# What was forgiven is not in the wallet's debit, so it is in no hour either.
BILLED = """
(c.state IN ('settled', 'estimated') OR c.cost_nusd > 0)
AND NOT (COALESCE(c.reason, '') = 'goodwill' AND c.corrected)
"""
ADD = """
ON CONFLICT (wallet_id, hour, api_key_id, endpoint) DO UPDATE SET
requests = billing_spendhour.requests + EXCLUDED.requests,
cost_nusd = billing_spendhour.cost_nusd + EXCLUDED.cost_nusd
"""


def _add_hours(lease: Lease) -> None:
    """Add what the lease's ended charges cost to their hours; the wallet's lock is held."""
    hour = hour_sql(connection.vendor, "c.request_id")
    sql = f"""
        INSERT INTO billing_spendhour (wallet_id, hour, api_key_id, endpoint, requests, cost_nusd)
        SELECT c.wallet_id, {hour}, COALESCE(c.api_key_id, 0), COALESCE(c.endpoint, ''),
            COUNT(*), SUM(c.cost_nusd)
        FROM billing_charge c WHERE c.lease_id = %s AND {BILLED} GROUP BY 1, 2, 3, 4 {ADD}
    """  # noqa: S608 - constants
    with connection.cursor() as cursor:
        cursor.execute(sql, [lease.pk])


def _end_stray(lease: Lease) -> int:
    """End charges that nobody will settle any more; return what they cost, nUSD.

    Refused intents whose refusal was not certain: nothing of them was delivered. A settle that
    the database refused for itself ends at its checkpoint.
    """
    stray = Charge.objects.filter(lease_id=lease.pk, state=Charge.State.OPEN)
    delivered = stray.filter(checkpoint_nusd__gt=0)
    cost = delivered.aggregate(cost=Coalesce(Sum("checkpoint_nusd"), 0))["cost"]
    delivered.update(
        state=Charge.State.ESTIMATED, reason=Charge.Reason.CRASH, cost_nusd=F("checkpoint_nusd")
    )
    stray.update(state=Charge.State.VOIDED, reason=Charge.Reason.REFUSED, cost_nusd=0)
    return int(cost)


def _sums(lease: Lease) -> list[int]:
    """Return what the lease's charges cost, what of it may be goodwill, how many are open, all."""
    is_goodwill = When(reason=Charge.Reason.GOODWILL, then="cost_nusd")
    sums = Charge.objects.filter(lease_id=lease.pk).aggregate(
        spent=Coalesce(Sum("cost_nusd"), 0),
        waived=Coalesce(Sum(Case(is_goodwill, default=Value(0))), 0),
        still_open=Count("pk", filter=Q(state=Charge.State.OPEN)),
        charges=Count("pk"),
    )
    return [int(sums[name]) for name in ("spent", "waived", "still_open", "charges")]


def _goodwill(lease: Lease, *, now: dt.datetime) -> int:
    """Forgive answers that vendors broke off, whole ones, up to the account's day; nUSD."""
    day, _ = GoodwillDay.objects.get_or_create(
        wallet_id=lease.wallet_id, day=now.astimezone(dt.UTC).date()
    )
    left = settings.GOODWILL_NUSD_PER_DAY - day.given_nusd
    forgiven = []
    given = 0
    broken_off = Charge.objects.filter(
        lease_id=lease.pk, reason=Charge.Reason.GOODWILL, cost_nusd__gt=0
    ).order_by("pk")
    for request_id, cost in broken_off.values_list("pk", "cost_nusd"):
        if cost is not None and given + cost <= left:
            given += cost
            forgiven.append(request_id)
    if given:
        GoodwillDay.objects.filter(pk=day.pk).update(given_nusd=F("given_nusd") + given)
        Charge.objects.filter(pk__in=forgiven).update(corrected=True)
    return given


def _post(lease: Lease, *, spent: int, given: int) -> None:
    legs = [ledger.Leg(account=ledger.account_of(LedgerAccount.Kind.REVENUE), amount_nusd=spent)]
    if spent > given:
        owner = ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=lease.wallet_id)
        legs.append(ledger.Leg(account=owner, amount_nusd=given - spent))
    if given:
        loss = ledger.account_of(LedgerAccount.Kind.PLATFORM_LOSS)
        legs.append(ledger.Leg(account=loss, amount_nusd=-given))
    ledger.post(kind=ledger.LEASE, ref=str(lease.pk), legs=legs, actor=ACTOR)
