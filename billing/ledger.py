"""The double entry: the only writer of ledger entries, and the audit of all invariants."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.timeids import uuid7_at
from billing import holds, windows
from billing.models import (
    Budget,
    Charge,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Wallet,
)

LEASE, CORRECTION, CREDIT = "lease", "correction", "credit"
# What was given, and what comes back of a charge, proves nothing of who the account is.
GIVEN = f"{CREDIT}:{LedgerAccount.Kind.PROMOTION}"
LIFTS_NO_TRIAL = frozenset({CORRECTION, GIVEN})


class AlreadyPosted(Exception):
    """A posting of this (kind, ref) stands."""


class Unbalanced(ValueError):
    """The legs do not sum to 0 in each currency, or there are none."""


class InsufficientBalance(Exception):
    """The wallet cannot pay the posting."""


class NothingToCorrect(Exception):
    """The charge was not estimated after a crash, costs no more than that, or stands corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One side of a posting: positive adds to what the account owns."""

    account: LedgerAccount
    amount_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken invariant; `rule` as in the design (I1 to I10), amounts in nUSD or counts."""

    rule: str
    subject: str
    expected: int
    found: int


def open_wallet(account_id: int) -> Wallet:
    """Return an account's wallet; make it, empty, when there is none."""
    return Wallet.objects.get_or_create(account_id=account_id)[0]


def account_of(
    kind: LedgerAccount.Kind, *, owner_id: int | None = None, currency: str = "USD"
) -> LedgerAccount:
    """Return the ledger account of a wallet's owner (in USD), or of the platform.

    In another currency the "nUSD" of its entries are billionths of that currency's unit.
    """
    return LedgerAccount.objects.get_or_create(kind=kind, owner_id=owner_id, currency=currency)[0]


def post(
    *,
    kind: str,
    ref: str,
    legs: Sequence[Leg],
    actor: str,
    memo: str = "",
    now: dt.datetime | None = None,
) -> LedgerTransaction:
    """Write one sealed posting and move the columns of the wallets in it, or nothing.

    Locks: the wallets, in order of id. Wallets in USD only carry columns.
    Raises: AlreadyPosted, Unbalanced, InsufficientBalance.
    """
    _check(legs)
    now = now or timezone.now()
    with transaction.atomic():
        _move_wallets(legs)
        # Its id carries the same time: statements cut the ledger by ids (billing.payments).
        row = LedgerTransaction(
            id=uuid7_at(now), kind=kind, ref=ref, actor=actor, memo=memo, created_at=now
        )
        LedgerTransaction.objects.bulk_create([row], ignore_conflicts=True)
        if not LedgerTransaction.objects.filter(pk=row.pk).exists():
            raise AlreadyPosted(f"{kind} {ref}")
        LedgerEntry.objects.bulk_create(
            LedgerEntry(transaction=row, seq=seq, account=leg.account, amount_nusd=leg.amount_nusd)
            for seq, leg in enumerate(legs)
        )
        LedgerTransaction.objects.filter(pk=row.pk).update(sealed=True)
        row.sealed = True
        if kind not in LIFTS_NO_TRIAL:
            _lift_trials(legs)
    return row


def is_posted(kind: str, ref: str) -> bool:
    """Tell whether a posting of this (kind, ref) stands."""
    return LedgerTransaction.objects.filter(kind=kind, ref=ref).exists()


def _check(legs: Sequence[Leg]) -> None:
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.account.currency] = sums.get(leg.account.currency, 0) + leg.amount_nusd
    if not legs or any(sums.values()) or not all(leg.amount_nusd for leg in legs):
        raise Unbalanced


def _move_wallets(legs: Iterable[Leg]) -> None:
    moves: dict[int, tuple[int, int]] = {}
    for leg in legs:
        owner_id = leg.account.owner_id
        if leg.account.kind == LedgerAccount.Kind.WALLET and owner_id is not None:
            credit, debit = moves.get(owner_id, (0, 0))
            amount = leg.amount_nusd
            moves[owner_id] = (credit + max(amount, 0), debit + max(-amount, 0))
    for owner_id in sorted(moves):
        credit, debit = moves[owner_id]
        taken = F("debit_nusd") + F("leased_nusd") + F("reserved_nusd") + (debit - credit)
        moved = Wallet.objects.filter(pk=owner_id, credit_nusd__gte=taken).update(
            credit_nusd=F("credit_nusd") + credit, debit_nusd=F("debit_nusd") + debit
        )
        if not moved:
            raise InsufficientBalance(str(owner_id))


def _lift_trials(legs: Iterable[Leg]) -> None:
    """End the restriction to cheap models where money comes in that was not given."""
    for leg in legs:
        owner_id = leg.account.owner_id
        if owner_id is not None and leg.amount_nusd > 0:
            holds.lift_trial(owner_id)


def credit(
    *,
    account_id: int,
    amount_nusd: int,
    source: LedgerAccount.Kind,
    ref: str,
    actor: str,
    memo: str = "",
) -> LedgerTransaction:
    """Add money to a wallet from an account of the platform.

    Raises: AlreadyPosted when this (source, ref) was credited before; Unbalanced for amounts <= 0.
    """
    if amount_nusd <= 0:
        raise Unbalanced
    open_wallet(account_id)
    legs = (
        Leg(account=account_of(source), amount_nusd=-amount_nusd),
        Leg(
            account=account_of(LedgerAccount.Kind.WALLET, owner_id=account_id),
            amount_nusd=amount_nusd,
        ),
    )
    return post(kind=f"{CREDIT}:{source}"[:24], ref=ref, legs=legs, actor=actor, memo=memo)


def correct(*, request_id: uuid.UUID, cost_nusd: int, actor: str) -> LedgerTransaction:
    """Give back what a charge that was estimated after a crash took above its true cost.

    A settle that comes after a sweeper may only ever credit. The charge's cost stays; the
    correction is a posting of its own.
    Locks: wallet, budgets, charge. Raises: NothingToCorrect, AlreadyPosted.
    """
    charge = Charge.objects.filter(pk=request_id).first()
    if charge is None:
        raise NothingToCorrect(str(request_id))
    with transaction.atomic():
        Wallet.objects.select_for_update().get(pk=charge.wallet_id)
        budgets = Budget.objects.filter(lease_budgets__lease_id=charge.lease_id).order_by("pk")
        budget_ids = [budget.pk for budget in budgets.select_for_update(of=("self",))]
        charge = Charge.objects.select_for_update().get(pk=request_id)
        excess = (charge.cost_nusd or 0) - max(cost_nusd, 0)
        if charge.reason != Charge.Reason.CRASH or charge.corrected or excess <= 0:
            raise NothingToCorrect(str(request_id))
        owner = account_of(LedgerAccount.Kind.WALLET, owner_id=charge.wallet_id)
        revenue = account_of(LedgerAccount.Kind.REVENUE)
        legs = (
            Leg(account=revenue, amount_nusd=-excess),
            Leg(account=owner, amount_nusd=excess),
        )
        posted = post(kind=CORRECTION, ref=str(request_id), legs=legs, actor=actor)
        Charge.objects.filter(pk=request_id).update(corrected=True)
        # Windows that have ended are not counted any more.
        counting = windows.counting(charge.lease_id)
        spent = counting.filter(pk__in=budget_ids, spent_nusd__gte=excess)
        spent.update(spent_nusd=F("spent_nusd") - excess)
    return posted


def audit() -> list[Finding]:
    """Check I1 to I5, I7, I8 and I10 to I13 in one statement (the view billing_breach).

    I6 needs the clients' own record, I9 a payment processor.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rule, subject, expected, found FROM billing_breach ORDER BY rule, subject"
        )
        return [
            Finding(rule=rule, subject=subject, expected=int(expected), found=int(found))
            for rule, subject, expected, found in cursor.fetchall()
        ]
