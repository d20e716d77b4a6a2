"""Invitations to an account: sent to an address, accepted by whoever shows to hold it.

The link carries 256 random bits and only their digest is stored. The link alone is not enough:
it may be forwarded, so the address must be a verified one of the user who accepts.
"""

import datetime as dt
import enum
import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from smtplib import SMTPException

from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import members, roles
from accounts.models import Account, Invitation, Membership, User

logger = logging.getLogger(__name__)

TOKEN_BYTES = 32
VALID = dt.timedelta(days=7)
# So soon no second mail goes to the same address.
RESEND_AFTER = dt.timedelta(seconds=60)
# An account's mails to strangers: a bound on abuse.
INVITATIONS_PER_DAY = 100
INVITATIONS_OPEN_MAX = 100
LANGUAGES = ("en", "zh-hans")

Link = Callable[[str], str]


class NotAnOrganization(Exception):
    """One person's own account takes nobody in."""


class AlreadyMember(Exception):
    """Somebody with this verified address is a member."""


class AlreadyInvited(Exception):
    """An invitation to this address is open."""


class TooManyInvitations(Exception):
    """The account has sent as many invitations as it may for now."""


class TooSoon(Exception):
    """The mail went out a moment ago."""


class NotOpen(Exception):
    """The invitation cannot be accepted by this user now: look() says why."""


class NotSent(Exception):
    """The mail server did not take the mail; the invitation stands and can be sent again."""


class Standing(enum.StrEnum):
    """What a link is to whom it is shown."""

    OPEN = "open"  # the user may accept
    JOINED = "joined"  # the user is in already
    STRANGER = "stranger"  # nobody is logged in
    UNVERIFIED = "unverified"  # the address is the user's, but not proven yet
    OTHER = "other"  # the address is not the user's
    EXPIRED = "expired"
    OVER = "over"  # used, taken back, or never there


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A link as one may see it: the invitation only where its address is proven."""

    standing: Standing
    invitation: Invitation | None = None


def invite(
    *, account_id: int, email: str, role: str, actor: User, link: Link, now: dt.datetime
) -> Invitation:
    """Offer an address a place and mail it the link; asked twice at once, it mails once.

    An expired offer to the same address is renewed. Raises: members.NotAllowed;
    NotAnOrganization; AlreadyMember; AlreadyInvited; TooManyInvitations; NotSent.
    """
    email = email.strip().lower()
    with transaction.atomic():
        if not roles.can_appoint(members.enter(account_id, actor), role=role):
            raise members.NotAllowed
        if not Account.objects.filter(pk=account_id, is_organization=True).exists():
            raise NotAnOrganization
        _check_is_no_member(account_id, email)
        open_ones = Invitation.objects.filter(
            account_id=account_id, accepted_at=None, revoked_at=None
        )
        found = open_ones.filter(email=email).first()
        if found is not None and found.expires_at > now:
            if found.role == role and _is_fresh(found, now):
                return found
            raise AlreadyInvited
        if found is not None:
            Invitation.objects.filter(pk=found.pk).update(revoked_at=now)
        _check_room(account_id, now)
        token = _draw()
        made = Invitation.objects.create(
            account_id=account_id,
            email=email,
            role=role,
            digest=_digest(token),
            invited_by=actor,
            expires_at=now + VALID,
        )
    _send(made, link(token))
    return made


def _check_is_no_member(account_id: int, email: str) -> None:
    holders = EmailAddress.objects.filter(email=email, verified=True).values("user_id")
    if Membership.objects.filter(account_id=account_id, user_id__in=holders).exists():
        raise AlreadyMember


def _check_room(account_id: int, now: dt.datetime) -> None:
    rows = Invitation.objects.filter(account_id=account_id)
    if rows.filter(created_at__gt=now - dt.timedelta(days=1)).count() >= INVITATIONS_PER_DAY:
        raise TooManyInvitations
    if rows.filter(accepted_at=None, revoked_at=None).count() >= INVITATIONS_OPEN_MAX:
        raise TooManyInvitations


def resend(
    *, account_id: int, invitation_id: int, actor: User, link: Link, now: dt.datetime
) -> Invitation:
    """Mail a new link that is valid for its full time; the one before stops.

    Raises: Invitation.DoesNotExist if there is no open one; members.NotAllowed; TooSoon; NotSent.
    """
    token = _draw()
    with transaction.atomic():
        by = members.enter(account_id, actor)
        rows = Invitation.objects.filter(
            pk=invitation_id, account_id=account_id, accepted_at=None, revoked_at=None
        )
        invitation = rows.get()
        if not roles.can_appoint(by, role=invitation.role):
            raise members.NotAllowed
        if _is_fresh(invitation, now):
            raise TooSoon
        if not rows.update(digest=_digest(token), expires_at=now + VALID):
            raise Invitation.DoesNotExist
        invitation.refresh_from_db()
    _send(invitation, link(token))
    return invitation


@transaction.atomic
def revoke(*, account_id: int, invitation_id: int, actor: User, now: dt.datetime) -> Invitation:
    """Take an invitation back. Raises: Invitation.DoesNotExist; members.NotAllowed."""
    by = members.enter(account_id, actor)
    rows = Invitation.objects.filter(
        pk=invitation_id, account_id=account_id, accepted_at=None, revoked_at=None
    )
    invitation = rows.get()
    if not roles.can_appoint(by, role=invitation.role):
        raise members.NotAllowed
    if not rows.update(revoked_at=now):  # accepted in this very moment
        raise Invitation.DoesNotExist
    return invitation


def look(*, token: str, user: User | None, now: dt.datetime) -> Offer:
    """Tell what a link is to a user, None for a stranger."""
    invitation = (
        Invitation.objects.select_related("account", "invited_by")
        .filter(digest=_digest(token))
        .first()
    )
    if invitation is None or invitation.revoked_at is not None:
        return Offer(standing=Standing.OVER)
    standing = _standing(invitation, user, now)
    is_shown = standing in {Standing.OPEN, Standing.JOINED}
    return Offer(standing=standing, invitation=invitation if is_shown else None)


def _standing(invitation: Invitation, user: User | None, now: dt.datetime) -> Standing:
    is_proven = _is_proven(user, invitation.email)
    if invitation.accepted_at is not None:
        places = Membership.objects.filter(account=invitation.account_id, user=user)
        return Standing.JOINED if is_proven and places.exists() else Standing.OVER
    if invitation.expires_at <= now:
        return Standing.EXPIRED
    if user is None:
        return Standing.STRANGER
    if is_proven is None:
        return Standing.OTHER
    return Standing.OPEN if is_proven else Standing.UNVERIFIED


@transaction.atomic
def accept(*, token: str, user: User, now: dt.datetime) -> Membership:
    """Join the account of an open invitation, once; who is in already keeps the role.

    Raises: NotOpen.
    """
    offer = look(token=token, user=user, now=now)
    invitation = offer.invitation
    if offer.standing is not Standing.OPEN or invitation is None:
        raise NotOpen(offer.standing)
    rows = Invitation.objects.filter(
        pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=now
    )
    if not rows.update(accepted_at=now):  # used or taken back in this very moment
        raise NotOpen(Standing.OVER)
    place, _is_new = Membership.objects.get_or_create(
        account=invitation.account, user=user, defaults={"role": invitation.role}
    )
    return place


def _draw() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def _digest(token: str) -> bytes:
    # A token is as random as a key, so a plain digest is enough: nothing can be guessed.
    return hashlib.sha256(token.encode()).digest()


def _is_fresh(invitation: Invitation, now: dt.datetime) -> bool:
    return invitation.expires_at > now + VALID - RESEND_AFTER


def _is_proven(user: User | None, email: str) -> bool | None:
    """Tell whether an address is a verified one of the user's; None when it is not the user's."""
    if user is None:
        return None
    rows = EmailAddress.objects.filter(user=user, email__iexact=email)
    verified = list(rows.values_list("verified", flat=True))
    if not verified and user.email.lower() == email:
        return False
    return any(verified) if verified else None


def _send(invitation: Invitation, link: str) -> None:
    """Mail the link in every language: nothing is known yet of who reads it."""
    texts = []
    for language in LANGUAGES:
        with translation.override(language):
            texts.append(_text(invitation, link))
    account = " ".join(invitation.account.name.split())
    subject = _("Invitation to %(account)s on BananaRouter") % {"account": account}
    try:
        EmailMessage(subject, "\n\n――――\n\n".join(texts), to=[invitation.email]).send()
    except (SMTPException, OSError) as error:
        # Not the exception itself: a mail server's refusal repeats the address.
        logger.warning("an invitation was not sent", extra={"error": type(error).__name__})
        raise NotSent from error


def _text(invitation: Invitation, link: str) -> str:
    inviter = invitation.invited_by
    lines = (
        _("%(inviter)s (%(email)s) invites you to the account “%(account)s” on BananaRouter.")
        % {
            "inviter": inviter.get_full_name() if inviter else "",
            "email": inviter.email if inviter else "",
            "account": invitation.account.name,
        },
        _("Open this link within 7 days, and log in or sign up with this address:"),
        link,
        _("If you know nothing of this, ignore the mail: then nothing happens."),
    )
    return "\n\n".join(lines)
