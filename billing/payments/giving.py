"""Credit that staff give by hand: alone up to a limit by their role, above it by two persons.

Whoever may ask (billing.add_staffcredit) gives a little alone; whoever may agree
(billing.approve_staffcredit) gives more alone, and decides about what others ask for. Nobody gives
to an account of their own.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Account, Membership, User
from billing import ledger
from billing.models import LedgerAccount, StaffCredit
from billing.money import CENT, USD

State = StaffCredit.State
MAY_ASK, MAY_AGREE = "billing.add_staffcredit", "billing.approve_staffcredit"
# What one act gives at most, whoever agrees, nUSD.
GIVEN_NUSD_MAX: Final = 1_000 * USD
TEXT_MAX: Final = 200


class CannotGive(Exception):
    """Not so; `rule` says why.

    permission: the role may not. amount: more than is ever given at once, or nothing. reason:
    none was written. own_account: the giver belongs to it. own_wish: the second person is the
    first one. decided: it is decided already. form: the form stands for another wish.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What staff want to give."""

    account: Account
    amount_nusd: int
    reason: str
    form_id: uuid.UUID


def alone_nusd_max(staff: User) -> int:
    """Return the largest credit that somebody gives without a second person, in nUSD."""
    limits = settings.PAYMENTS
    if staff.has_perm(MAY_AGREE):
        return max(limits.finance_credit_minor_max, limits.staff_credit_minor_max) * CENT
    return limits.staff_credit_minor_max * CENT if staff.has_perm(MAY_ASK) else 0


def ask(wish: Wish, *, staff: User, now: dt.datetime) -> StaffCredit:
    """Give credit, or put the wish before a second person; one form is one wish.

    Raises: CannotGive.
    """
    reason = " ".join(wish.reason.split())
    _check(wish, reason, staff)
    try:
        with transaction.atomic():
            made = StaffCredit.objects.create(
                account=wish.account,
                amount_nusd=wish.amount_nusd,
                reason=reason,
                form_id=wish.form_id,
                needs_second=wish.amount_nusd > alone_nusd_max(staff),
                asked_by=_actor(staff),
                asked_at=now,
            )
            return made if made.needs_second else _give(made, staff=staff, note="", now=now)
    except IntegrityError:
        known = StaffCredit.objects.filter(form_id=wish.form_id).first()
        if known is None:
            raise
        if (known.account_id, known.amount_nusd) != (wish.account.pk, wish.amount_nusd):
            raise CannotGive("form") from None
        return known


def _check(wish: Wish, reason: str, staff: User) -> None:
    """Raises: CannotGive."""
    if not staff.has_perm(MAY_ASK):
        raise CannotGive("permission")
    if not 0 < wish.amount_nusd <= GIVEN_NUSD_MAX:
        raise CannotGive("amount")
    if not 0 < len(reason) <= TEXT_MAX:
        raise CannotGive("reason")
    _check_stranger(wish.account, staff)


def _check_stranger(account: Account, staff: User) -> None:
    if Membership.objects.filter(account=account, user=staff).exists():
        raise CannotGive("own_account")


def agree(credit: StaffCredit, *, staff: User, note: str, now: dt.datetime) -> StaffCredit:
    """Give what somebody else asked for, once. Raises: CannotGive."""
    with transaction.atomic():
        credit = _waiting(credit, staff)
        if credit.asked_by == _actor(staff):
            raise CannotGive("own_wish")
        _check_stranger(credit.account, staff)
        return _give(credit, staff=staff, note=note, now=now)


def refuse(credit: StaffCredit, *, staff: User, note: str, now: dt.datetime) -> StaffCredit:
    """Decide that nothing is given, and say why. Raises: CannotGive."""
    if not note.strip():
        raise CannotGive("reason")
    with transaction.atomic():
        return _decide(_waiting(credit, staff), State.REFUSED, staff=staff, note=note, now=now)


def _waiting(credit: StaffCredit, staff: User) -> StaffCredit:
    """Return a wish that waits, locked. Raises: CannotGive."""
    if not staff.has_perm(MAY_AGREE):
        raise CannotGive("permission")
    rows = StaffCredit.objects.select_for_update(of=("self",)).select_related("account")
    credit = rows.get(pk=credit.pk)
    if credit.state != State.WAITING:
        raise CannotGive("decided")
    return credit


def _give(credit: StaffCredit, *, staff: User, note: str, now: dt.datetime) -> StaffCredit:
    ledger.credit(
        account_id=credit.account_id,
        amount_nusd=credit.amount_nusd,
        source=LedgerAccount.Kind.PROMOTION,
        ref=f"staff-{credit.id.hex}",
        actor=_actor(staff),
        memo=credit.reason,
    )
    return _decide(credit, State.GIVEN, staff=staff, note=note, now=now)


def _decide(
    credit: StaffCredit, state: str, *, staff: User, note: str, now: dt.datetime
) -> StaffCredit:
    credit.state, credit.decided_by, credit.decided_at = state, _actor(staff), now
    credit.note = note.strip()[:TEXT_MAX]
    credit.save(update_fields=["state", "decided_by", "decided_at", "note"])
    return credit


def _actor(staff: User) -> str:
    return f"staff:{staff.pk}"
