"""An authenticator app of the tests, and the recovery codes that come with it."""

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth

SECRET = "A" * 32


def activate(person) -> None:
    """Give a user the app."""
    auth.TOTP.activate(person, SECRET)


def code() -> str:
    """The code that holds now; it works once."""
    counter = next(iter(auth.yield_hotp_counters_from_time()))
    return auth.format_hotp_value(auth.hotp_value(SECRET, counter))


def recovery_codes(person) -> list[str]:
    """Give a user recovery codes; each works once."""
    return RecoveryCodes.activate(person).get_unused_codes()
