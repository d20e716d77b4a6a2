"""Phone numbers: read as people write them, kept in E.164, owned by who proved to hold them."""

import datetime as dt

import phonenumbers

from accounts.models import User


class NotAPhone(ValueError):
    """The text is no number that can be called from anywhere."""


class PhoneTaken(Exception):
    """Another user has proved to hold this number."""


def parse(text: str) -> str:
    """Return a number in E.164: `+8613800138000`. Raises: NotAPhone."""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise NotAPhone from error
    if not phonenumbers.is_valid_number(number):
        raise NotAPhone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def shown(phone: str) -> str:
    """Write a number of E.164 in groups: `+86 138 0013 8000`."""
    number = phonenumbers.parse(phone, None)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def holder(phone: str) -> User | None:
    """Return who has proved to hold a number."""
    return User.objects.filter(phone=phone, phone_verified_at__isnull=False).first()


def confirm(*, user: User, phone: str, now: dt.datetime) -> None:
    """Keep a number that a user proved to hold. Raises: PhoneTaken."""
    found = holder(phone)
    if found is not None and found.pk != user.pk:
        raise PhoneTaken
    # Written by staff without a proof: the one who can prove it has the better right.
    User.objects.filter(phone=phone, phone_verified_at=None).exclude(pk=user.pk).update(phone="")
    user.phone, user.phone_verified_at = phone, now
    user.save(update_fields=["phone", "phone_verified_at"])


def forget(*, user: User) -> None:
    """Remove a user's number."""
    user.phone, user.phone_verified_at = "", None
    user.save(update_fields=["phone", "phone_verified_at"])
