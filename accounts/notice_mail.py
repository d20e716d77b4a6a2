"""Mails to those who run an account, about what was done with it; in both languages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation

from accounts.models import Account, Membership, User

_TOLD = (Membership.Role.OWNER, Membership.Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a mail says, in the language that is active."""

    subject: str
    lines: Sequence[str]


def managers(account: Account) -> list[User]:
    """Return who runs an account: its owners and admins who can log in."""
    people = User.objects.filter(
        memberships__account=account, memberships__role__in=_TOLD, is_active=True
    )
    return list(people.distinct().order_by("pk"))


def both(write: Callable[[], Words]) -> Words:
    """Write in every language of the site, one after the other: nobody said which they read."""
    said = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            said.append(write())
    return Words(
        subject=" / ".join(words.subject for words in said),
        lines=[line for words in said for line in words.lines],
    )


def tell(account: Account, *, kind: str, write: Callable[[], Words]) -> int:
    """Mail the managers of an account; return how many. Raises: OSError, SMTPException."""
    words = both(write)
    people = managers(account)
    for user in people:
        EmailMessage(
            subject=words.subject,
            body="\n\n".join([*words.lines, settings.OPERATOR_NAME]),
            to=[user.email],
            reply_to=[settings.CONTACT_EMAIL],
            headers={"Auto-Submitted": "auto-generated", "X-Notice-Kind": kind},
        ).send()
    return len(people)
