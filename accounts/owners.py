"""Users and the accounts that they own."""

import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from allauth.utils import generate_unique_username
from django.db import IntegrityError, transaction

from accounts import changes, consents
from accounts.models import Account, Change, Consent, Membership, User

PASSWORD_BYTES = 15


class UsernameTaken(Exception):
    """Somebody else has this username."""


class SignUpComplete(Exception):
    """The user has proved an address or logged in: signing up cannot be undone any more."""


@transaction.atomic
def open_account(user: User, *, is_demo: bool = False) -> Account:
    """Make an account that a user owns; billing makes its wallet with the first credit."""
    account = Account.objects.create(name=user.get_full_name()[:80], is_demo=is_demo)
    Membership.objects.create(account=account, user=user, role=Membership.Role.OWNER)
    return account


@transaction.atomic
def open_signed_up(
    user: User,
    *,
    country: str,
    attests_ownership: bool,
    allows_cross_border: bool,
    now: dt.datetime,
) -> Account:
    """Make the account of somebody who signed up, and record what was said and agreed to.

    `country` is an ISO 3166 code, "" where none was said.
    """
    account = open_account(user)
    if country:
        account.country, account.country_attested_at = country, now
    if attests_ownership:
        account.ownership_attested_at = now
    account.save(update_fields=["country", "country_attested_at", "ownership_attested_at"])
    consents.accept_policies(user=user, now=now)
    if allows_cross_border:
        consents.give(user=user, purpose=Consent.Purpose.CROSS_BORDER, version=None, now=now)
    return account


@transaction.atomic
def undo_sign_up(user: User) -> None:
    """Remove a user who has never been in, with the account: the address was mistyped.

    Raises: SignUpComplete.
    """
    if user.last_login or EmailAddress.objects.filter(user=user, verified=True).exists():
        raise SignUpComplete
    Account.objects.filter(memberships__user=user).delete()
    user.delete()


@transaction.atomic
def register(*, email: str) -> User:
    """Return the user of an address; without one make it, verified, with an unusable password."""
    email = email.strip().lower()
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User(email=email, username=generate_unique_username([email, "user"]))
        user.set_unusable_password()
        user.save()
    # An operator vouches for the address: allauth looks log-ins and resets up here.
    EmailAddress.objects.get_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
    return user


@transaction.atomic
def own_account(user: User) -> Account:
    """Return the oldest account that a user owns; make one when there is none."""
    owned = Account.objects.filter(
        memberships__user=user, memberships__role=Membership.Role.OWNER, is_demo=False
    )
    return owned.order_by("pk").first() or open_account(user)


@transaction.atomic
def make_staff(*, email: str) -> tuple[User, str | None]:
    """Make the user of an address a superuser; return the password of a user who had none."""
    user = register(email=email)
    password = None
    if not user.has_usable_password():
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        user.set_password(password)
    user.is_staff = user.is_superuser = user.is_active = True
    user.save(update_fields=["password", "is_staff", "is_superuser", "is_active"])
    return user, password


def rename_user(user: User, *, username: str, display_name: str) -> None:
    """Give a user other names. Raises: UsernameTaken."""
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(username=username, display_name=display_name)
    except IntegrityError as error:
        raise UsernameTaken from error


def rename(account: Account, *, name: str) -> None:
    """Give an account another name; workers need not hear of it."""
    Account.objects.filter(pk=account.pk).update(name=name)


@transaction.atomic
def confine(account: Account, *, jurisdictions: Sequence[str]) -> None:
    """Let requests of an account reach vendors of these jurisdictions only; none: every one.

    Every worker hears of it within a second.
    """
    Account.objects.filter(pk=account.pk).update(allowed_jurisdictions=sorted(jurisdictions))
    changes.announce(Change.Topic.ACCOUNT, str(account.pk))


@transaction.atomic
def state_territory(
    account: Account, *, country: str, attests_ownership: bool | None, now: dt.datetime
) -> None:
    """Record where an account's owner says to be, and whether owners elsewhere are ruled out.

    It replaces what was said before, time included. `country` is an ISO 3166 code, "" takes it
    back; `attests_ownership` is None where that was not asked: what was said of it stays.
    """
    said: dict[str, Any] = {"country": country, "country_attested_at": now if country else None}
    if attests_ownership is not None:
        said["ownership_attested_at"] = now if attests_ownership else None
        said["ownership_denied_at"] = None if attests_ownership else now
    Account.objects.filter(pk=account.pk).update(**said)
    changes.announce(Change.Topic.ACCOUNT, str(account.pk))


@transaction.atomic
def lock_out(user: User) -> bool:
    """Refuse a user's log-in and end all their sessions; False if they were locked out already.

    Their keys go on: a key belongs to an account.
    """
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        return False
    for session in UserSession.objects.filter(user=user):
        session.end()
    return True
