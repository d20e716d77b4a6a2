"""How a user leaves, with the money: asked for, thought over, paid back, shut, emptied, proved.

Each step may be repeated: whoever dies between two of them leaves the closure to be gone on with.
"""

import contextlib
import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import Error, transaction

from accounts import closures
from accounts.closures import Blocked, Blocker
from accounts.models import Account, Closure, User
from bananarouter import closing_mail, erasing
from billing.payments import closures as money
from billing.payments import refund_rules
from billing.payments.closures import Parting
from billing.processors import base
from logs import holds

logger = logging.getLogger(__name__)

CARRIED_OUT_MAX = 20


class NotAgreed(Exception):
    """More would be lost than the user agreed to: what is left changed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a user's end would bring, before it is asked for."""

    accounts: Sequence[Account]
    alone: Sequence[Account]
    parting: Parting
    # The closure that is under way.
    closure: Closure | None
    # None: it can be asked for.
    refused_by: Blocker | None

    @property
    def cooling(self) -> dt.timedelta:
        """Where there is money, there is time to think."""
        return settings.ERASURE.cooling if self.parting.total_nusd > 0 else dt.timedelta()


def prospect(user: User, *, is_asked: bool = True) -> Prospect:
    """Say what a user's end would bring now; `is_asked` False: it is known that none is asked for.

    What refuses it is looked for before it is asked for; afterwards the closure says what it is.
    """
    accounts, alone = closures.owned(user)
    found = closures.open_of(user) if is_asked else None
    by = "" if found else money.blocker([account.pk for account in accounts])
    refused = Blocker(by) if by and Blocker(by) in closures.REFUSING else None
    return Prospect(
        accounts=accounts,
        alone=alone,
        parting=money.parting(accounts, since=found.asked_at if found else None),
        closure=found,
        refused_by=Blocker.SOLE_OWNER if alone else refused,
    )


def ask(user: User, *, agreed_nusd: int, language: str, now: dt.datetime) -> Closure:
    """Ask for a user's end; `agreed_nusd` is what the user was shown that would be lost.

    Raises: Blocked, NotAgreed.
    """
    with transaction.atomic():
        found = prospect(user)
        if found.refused_by is not None:
            raise Blocked(found.refused_by)
        if found.parting.rest_nusd > agreed_nusd:
            raise NotAgreed
        closure = closures.ask(
            user=user,
            forfeit_nusd=agreed_nusd,
            cooling=found.cooling,
            language=language,
            now=now,
        )
        money.stop_spending([account.pk for account in found.accounts])
    if found.closure is None and closure.state == Closure.State.COOLING:
        closing_mail.asked(closure, user, found.parting)
    return closure


def run_due(*, now: dt.datetime) -> int:
    """Go on with closures that are due, each by itself; return how many ended."""
    ended = 0
    for closure in closures.due(now=now, most=CARRIED_OUT_MAX):
        try:
            ended += advance(closure, now=now) == Closure.State.CLOSED
        except (Error, base.ProcessorError, erasing.Unreachable):
            # What it was about names a person: the number of the closure is enough to look.
            logger.warning("a closure waits", extra={"closure": str(closure.public_id)})
    return ended


def advance(closure: Closure, *, now: dt.datetime) -> str:
    """Do what can be done of a closure now; return its state then.

    Raises: Error, base.ProcessorError, erasing.Unreachable: the rest is done in a later call.
    """
    begin(closure, now=now)
    if closure.state == Closure.State.CLOSING:
        erasing.carry_out(closure, now=now)
    return closure.state


def begin(closure: Closure, *, now: dt.datetime) -> None:
    """Send back what goes back, then shut every door; or note what is in the way."""
    user = closure.user
    if closure.state not in closures.WAITING or user is None or closure.due_at > now:
        return
    accounts, alone = closures.owned(user)
    ids = [account.pk for account in accounts]
    by: str = Blocker.SOLE_OWNER if alone else money.blocker(ids)
    if not by and not holds.held_accounts(now=now).isdisjoint(ids):
        by = Blocker.HOLD
    found = money.parting(accounts, since=closure.asked_at)
    if not by and found.rest_nusd > closure.forfeit_nusd:
        by = Blocker.AMOUNT
    if not by and found.refunds:
        by = _send_back(found, user, now=now)
    if not by:
        by = _shut(closure, user, now=now)
    if by != closure.blocked_by:
        closures.note_blocker(closure, by)


def _send_back(found: Parting, user: User, *, now: dt.datetime) -> str:
    with contextlib.suppress(refund_rules.RefundRefused):  # the money moved meanwhile: look again
        money.send_back(found, actor=f"user:{user.pk}", now=now)
    return Blocker.REFUND


def _shut(closure: Closure, user: User, *, now: dt.datetime) -> str:
    """Take what is given up and shut every door in one transaction."""
    with transaction.atomic():
        try:
            if not closures.begin(closure, now=now):
                return ""
        except Blocked as blocked:
            transaction.set_rollback(True)
            closure.refresh_from_db()
            return blocked.by
        taken = money.forfeit(
            closure.account_ids,
            nusd_max=closure.forfeit_nusd,
            actor=f"user:{user.pk}",
            now=now,
        )
        if taken is None:
            transaction.set_rollback(True)
    if taken is None:
        closure.refresh_from_db()
        return Blocker.AMOUNT
    return ""
