"""Text messages: what we send, and the one interface of those who carry them."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

# The code of a carrier that did not answer at all.
NO_ANSWER: Final = "no_answer"


class SmsFailed(Exception):
    """The carrier did not take the message; `code` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Kind(enum.StrEnum):
    """What a message is for: carriers in China send approved templates only, one for each."""

    CODE = "code"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: its text, and its parameters for carriers that hold the text themselves."""

    phone: str = field(repr=False)  # E.164
    kind: Kind
    text: str = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)


class Carrier(Protocol):
    """Who takes messages to phones (accounts/sms_backends.py)."""

    def send(self, message: Message) -> None:
        """Hand a message over. Raises: SmsFailed."""


def send_code(*, phone: str, code: str) -> None:
    """Send a code that proves who holds a phone. Raises: SmsFailed."""
    text = _("%(code)s is your BananaRouter code. Tell it to nobody.") % {"code": code}
    carrier().send(Message(phone=phone, kind=Kind.CODE, text=text, parameters={"code": code}))


def send_notice(*, phone: str, title: str) -> None:
    """Send the title of an urgent notice, and where it is told in full. Raises: SmsFailed."""
    text = f"{settings.OPERATOR_NAME}: {title}. {settings.PUBLIC_URL}/notifications"
    message = Message(phone=phone, kind=Kind.NOTICE, text=text, parameters={"title": title})
    carrier().send(message)


def carrier() -> Carrier:
    """Return the carrier that the settings name."""
    return cast("Carrier", import_string(settings.SMS_BACKEND)())
