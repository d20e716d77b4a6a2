"""How a user leaves: asked for once, thought over, begun by shutting every door.

What money and other apps have to say stands in bananarouter/closing.py, the emptying of the stores
in accounts/erasure.py. While it is thought over keys are paused, so that the amount that the user
agreed to cannot change; the user may still log in and keep the account.
"""

import datetime as dt
import enum
import uuid
from collections.abc import Sequence

from django.core import signing
from django.db import transaction
from django.db.models import Count, Q

from accounts import changes, keys, owners
from accounts.models import Account, ApiKey, Change, Closure, Membership, User

State = Closure.State
OPEN = (State.ASKED, State.COOLING, State.CLOSING)
# What may still be taken back.
WAITING = (State.ASKED, State.COOLING)
SALT = "accounts.closures.certificate"


class Blocker(enum.StrEnum):
    """What is in the way. The first four are the user's to settle before asking."""

    SOLE_OWNER = "sole_owner"  # others use an account that nobody else owns
    DISPUTE = "dispute"
    DEBT = "debt"
    FROZEN = "frozen"
    # These end by themselves; the closure waits.
    ORDER = "order"  # a payment is under way
    REFUND = "refund"
    RUNNING = "running"  # requests hold money
    HOLD = "hold"  # a law asks for what is kept of an account
    # More would be lost than the user agreed to.
    AMOUNT = "amount"


REFUSING = frozenset({Blocker.SOLE_OWNER, Blocker.DISPUTE, Blocker.DEBT, Blocker.FROZEN})


class Blocked(Exception):
    """It cannot be asked for now: `by` says why."""

    def __init__(self, by: Blocker) -> None:
        super().__init__(by)
        self.by = by


def owned(user: User) -> tuple[Sequence[Account], Sequence[Account]]:
    """Return the accounts that end with a user, and those that others would be left alone in.

    The first have no other member, the second no other owner. One query.
    """
    is_owner = Q(memberships__role=Membership.Role.OWNER)
    mine = Membership.objects.filter(user=user, role=Membership.Role.OWNER).values("account")
    counted = Account.objects.filter(pk__in=mine).annotate(
        owners=Count("memberships", filter=is_owner), people=Count("memberships")
    )
    found = list(counted.filter(owners=1).order_by("pk"))
    ending_with = [account for account in found if account.people == 1]
    return ending_with, [account for account in found if account.people > 1]


def ending(user: User) -> Sequence[Account]:
    """Return the accounts that end with a user: nobody else is in them."""
    return owned(user)[0]


def owned_alone(user: User) -> Sequence[Account]:
    """Return accounts with other members that nobody but this user owns."""
    return owned(user)[1]


def open_of(user: User) -> Closure | None:
    """Return a user's closure that is not over."""
    return Closure.objects.filter(user=user, state__in=OPEN).first()


@transaction.atomic
def ask(
    *, user: User, forfeit_nusd: int, cooling: dt.timedelta, language: str, now: dt.datetime
) -> Closure:
    """Ask for a user's end; asked again, only what the user agrees to lose is changed.

    `cooling` is 0 where there is nothing to think over. Keys of accounts that end are paused.
    Locks: the user. Raises: Blocked.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    found = open_of(user)
    if found is not None:
        found.forfeit_nusd, found.blocked_by = forfeit_nusd, ""
        if found.state in WAITING:
            found.save(update_fields=["forfeit_nusd", "blocked_by"])
        return found
    if owned_alone(user):
        raise Blocked(Blocker.SOLE_OWNER)
    account_ids = [account.pk for account in ending(user)]
    live = ApiKey.objects.filter(account__in=account_ids, disabled_at=None, paused_at=None)
    paused = [key.pk for key in live if keys.set_paused(key, is_paused=True)]
    return Closure.objects.create(
        user=user,
        state=State.COOLING if cooling else State.ASKED,
        asked_at=now,
        due_at=now + cooling,
        language=language,
        forfeit_nusd=forfeit_nusd,
        account_ids=account_ids,
        paused_key_ids=paused,
    )


@transaction.atomic
def cancel(*, user: User, now: dt.datetime) -> bool:
    """Keep the user after all; keys that were paused for it work again. False: too late, or none.

    Automatic top-up stays off: nobody is charged again without a word.
    """
    found = Closure.objects.select_for_update().filter(user=user, state__in=WAITING).first()
    if found is None:
        return False
    for key in ApiKey.objects.filter(pk__in=found.paused_key_ids, disabled_at=None):
        keys.set_paused(key, is_paused=False)
    found.state, found.ended_at, found.blocked_by = State.CANCELLED, now, ""
    found.account_ids, found.paused_key_ids = [], []
    found.save()
    return True


def note_blocker(closure: Closure, by: str) -> None:
    """Keep why a closure does not begin now; "": nothing is in the way any more."""
    Closure.objects.filter(pk=closure.pk, state__in=WAITING).update(blocked_by=by)
    closure.blocked_by = by


@transaction.atomic
def begin(closure: Closure, *, now: dt.datetime) -> bool:
    """Shut every door at once: log-in, sessions, keys, accounts. False: it was taken back.

    Every worker hears of it within a second. Locks: the closure.
    """
    rows = Closure.objects.filter(pk=closure.pk, state__in=WAITING, due_at__lte=now)
    if not rows.update(state=State.CLOSING, began_at=now, blocked_by=""):
        return False
    closure.refresh_from_db()
    user = closure.user
    if user is None or owned_alone(user):  # somebody joined meanwhile
        raise Blocked(Blocker.SOLE_OWNER)
    # Who joined since is no reason to take the account away from them.
    closure.account_ids = [account.pk for account in ending(user)]
    closure.save(update_fields=["account_ids"])
    _shut_doors(closure, user)
    return True


@transaction.atomic
def begin_again(
    user: User,
    *,
    public_id: uuid.UUID,
    account_ids: Sequence[int],
    asked_at: dt.datetime,
    now: dt.datetime,
) -> Closure:
    """Shut the doors of somebody whom a restored backup brought back; no mail is written again."""
    Closure.objects.filter(user=user, state__in=OPEN).exclude(public_id=public_id).update(
        state=State.CANCELLED, ended_at=now
    )
    closure, _is_new = Closure.objects.update_or_create(
        public_id=public_id,
        defaults={
            "user": user,
            "state": State.CLOSING,
            "asked_at": asked_at,
            "due_at": asked_at,
            "began_at": now,
            "ended_at": None,
            "account_ids": list(account_ids),
            "blocked_by": "",
            "certificate": {"mailed": True},
        },
    )
    _shut_doors(closure, user)
    return closure


def _shut_doors(closure: Closure, user: User) -> None:
    owners.lock_out(user)
    own = Q(account__in=closure.account_ids)
    own |= Q(created_by=user, purpose=ApiKey.Purpose.PLAYGROUND)
    for key in ApiKey.objects.filter(own, disabled_at=None):
        keys.disable(key)
    Account.objects.filter(pk__in=closure.account_ids).update(is_active=False)
    for account_id in closure.account_ids:
        changes.announce(Change.Topic.ACCOUNT, str(account_id))


def due(*, now: dt.datetime, most: int) -> Sequence[Closure]:
    """Return closures that have something to be done, the longest waiting first."""
    rows = Closure.objects.filter(state__in=OPEN, due_at__lte=now).select_related("user")
    return list(rows.order_by("due_at", "pk")[:most])


def word(closure: Closure) -> str:
    """Return the word of the page that shows a closure: signed, it cannot be guessed."""
    return signing.Signer(salt=SALT, sep=".").sign(closure.public_id.hex)


def found_by(text: str) -> Closure | None:
    """Return the closure of such a word, None for a forged one."""
    try:
        public_id = signing.Signer(salt=SALT, sep=".").unsign(text)
    except signing.BadSignature:
        return None
    return Closure.objects.filter(public_id=uuid.UUID(hex=public_id)).first()
