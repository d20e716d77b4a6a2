"""Trial money from a person's side: who is offered it, what asking takes, why it is refused."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import persons, roles, work
from accounts.models import Membership, User
from billing import models as billing
from billing import trials

Words = str | Promise

UNVERIFIED: Final = _("Verify your email address first: the trial is once for each person.")
_NOT_YOURS: Final = _("The trial is for the owner of a personal account.")
_DISPOSABLE: Final = _(
    "Your email address is at a domain for throwaway mail. Add another address to get the trial."
)
_WORDS: Final[Mapping[type[Exception], Words]] = {
    trials.TrialsOff: _("This site gives no trial money."),
    trials.PersonKnown: _(
        "The trial was given to this email address or phone before. It is once for each person."
    ),
    trials.HasMoney: _("This account has had money already. The trial is for new accounts."),
    trials.NetworkBusy: _(
        "Too many trials were given on your network today. Try again tomorrow, or elsewhere."
    ),
    work.WorkWrong: _("The work that your browser did does not fit. Start again."),
    work.WorkExpired: _("The page was open for too long. Start again."),
    work.WorkSpent: _("This was sent twice. Reload the page to see what came of it."),
}


class Refused(Exception):
    """No trial; `words` say why and what to do."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A trial that can be asked for; with `obstacle` not yet."""

    amount_nusd: int
    days: int
    ceiling_nusd: int
    bits: int
    challenge: str
    obstacle: Words = ""


def offer(membership: Membership, *, credit_nusd: int, now: dt.datetime) -> Offer | None:
    """Return what this member is offered; None when a trial is nothing for the account.

    `credit_nusd` is all that the account was ever credited.
    """
    if settings.TRIAL_NUSD <= 0 or credit_nusd or not _may_ask(membership):
        return None
    return Offer(
        amount_nusd=settings.TRIAL_NUSD,
        days=settings.TRIAL_DAYS,
        ceiling_nusd=settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX,
        bits=settings.TRIAL_WORK_BITS,
        challenge=work.issue(subject=_subject(membership), bits=settings.TRIAL_WORK_BITS, now=now),
        obstacle=_obstacle(membership.user),
    )


def ask(
    membership: Membership, *, challenge: str, nonce: str, source_ip: str, now: dt.datetime
) -> billing.Trial:
    """Give the member's account its trial, or return the one that it has. Raises: Refused."""
    given = trials.of(membership.account_id)
    if given is not None:
        return given
    if not _may_ask(membership):
        raise Refused(_NOT_YOURS)
    if obstacle := _obstacle(membership.user):
        raise Refused(obstacle)
    try:
        work.verify(challenge, nonce, subject=_subject(membership), now=now)
        return _grant(membership, source_ip=source_ip, now=now)
    except (trials.AlreadyGiven, work.WorkSpent) as error:
        # The same form, sent twice: whoever came first has got it.
        given = trials.of(membership.account_id)
        if given is None:
            raise Refused(_WORDS[work.WorkSpent]) from error
        return given
    except (trials.TrialRefused, work.WorkRefused) as error:
        raise Refused(_WORDS[type(error)]) from error


def _grant(membership: Membership, *, source_ip: str, now: dt.datetime) -> billing.Trial:
    user = membership.user
    phone = user.phone if user.phone_verified_at else ""
    return trials.grant(
        account_id=membership.account_id,
        email_digest=persons.email_digest(user.email),
        phone_digest=persons.phone_digest(phone) if phone else None,
        network_digest=persons.network_digest(source_ip),
        now=now,
    )


def _may_ask(membership: Membership) -> bool:
    account = membership.account
    return roles.may_own(membership.role) and not (account.is_organization or account.is_demo)


def _obstacle(user: User) -> Words:
    verified = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True)
    if not (user.phone_verified_at or verified.exists()):
        return UNVERIFIED
    return _DISPOSABLE if persons.is_disposable(user.email) else ""


def _subject(membership: Membership) -> str:
    return f"trial of {membership.account_id}"
