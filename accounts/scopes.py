"""What an API key may be restricted to, and how that is stored."""

import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from accounts.models import ApiKey

PATTERNS_MAX = 200
PATTERN_CHARS_MAX = 200
_JURISDICTION = re.compile(r"[A-Z]{2,8}|unknown|operator").fullmatch


class InvalidScope(ValueError):
    """A restriction of a key that cannot be understood."""


class Options(TypedDict):
    """What a key may be restricted to."""

    allowed_models: NotRequired[Sequence[str]]
    allowed_ips: NotRequired[Sequence[str]]
    allowed_jurisdictions: NotRequired[Sequence[str]]
    requests_per_minute_max: NotRequired[int | None]
    expires_at: NotRequired[dt.datetime | None]
    has_budget: NotRequired[bool]
    is_management: NotRequired[bool]
    cost_center: NotRequired[str]
    purpose: NotRequired[ApiKey.Purpose]
    form_id: NotRequired[uuid.UUID | None]


def clean_models(patterns: Sequence[str]) -> list[str]:
    """Return patterns over model slugs as they are stored. Raises: InvalidScope."""
    found = [pattern.strip() for pattern in patterns if pattern.strip()]
    if len(found) > PATTERNS_MAX:
        raise InvalidScope("too many models")
    for pattern in found:
        if (
            "*" in pattern[:-1]
            or any(char.isspace() for char in pattern)
            or len(pattern) > PATTERN_CHARS_MAX
        ):
            raise InvalidScope("a model pattern is a slug, or a prefix that ends in *")
    return found


def clean_jurisdictions(codes: Sequence[str]) -> list[str]:
    """Return jurisdictions of vendors as they are stored. Raises: InvalidScope."""
    found = list(dict.fromkeys(code.strip() for code in codes if code.strip()))
    if len(found) > PATTERNS_MAX or not all(map(_JURISDICTION, found)):
        raise InvalidScope("a jurisdiction is a code, like US")
    return found


def clean_networks(networks: Sequence[str]) -> list[str]:
    """Return CIDR ranges as they are stored; a lone address is itself. Raises: InvalidScope."""
    found = [text.strip() for text in networks if text.strip()]
    if len(found) > PATTERNS_MAX:
        raise InvalidScope("too many address ranges")
    try:
        return [str(ipaddress.ip_network(text, strict=False)) for text in found]
    except ValueError as error:
        raise InvalidScope("an address range is CIDR, like 192.0.2.0/24") from error


def cleaned(options: Options) -> dict[str, Any]:
    """Return a key's fields as they are stored; those that are not named are left out.

    Raises: InvalidScope.
    """
    return {
        name: _CLEANERS[name](value) if name in _CLEANERS else value
        for name, value in options.items()
    }


_CLEANERS: Mapping[str, Callable[[Any], Any]] = {
    "allowed_models": clean_models,
    "allowed_ips": clean_networks,
    "allowed_jurisdictions": clean_jurisdictions,
}
