"""Typed reading of a URL's query, with errors that name the parameter (pure)."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import NoReturn

from billing.money import BadAmount, parse_usd
from routing.error_codes import Code, RelayError

Query = Mapping[str, str]


def refuse(name: str, wanted: str) -> NoReturn:
    """Raise a 400 about one parameter."""
    raise RelayError(code=Code.INVALID_VALUE, message=f"`{name}` {wanted}.", param=name)


def only(query: Query, names: Collection[str]) -> None:
    """Refuse a parameter that would be ignored: the answer would not be what was asked for."""
    for name in query:
        if name not in names:
            known = ", ".join(sorted(names)) or "no parameter at all"
            refuse(name[:40], f"is no parameter of this path, which takes {known}")


def integer(query: Query, name: str, *, at_least: int, at_most: int = 2**53) -> int | None:
    """Read an optional whole number within bounds."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        refuse(name, "must be a whole number")
    value = int(text)
    if not at_least <= value <= at_most:
        refuse(name, f"must be between {at_least} and {at_most}")
    return value


def amount(query: Query, name: str) -> int | None:
    """Read an optional amount of US dollars, zero or more, as nUSD."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        found = parse_usd(text)
    except BadAmount:
        refuse(name, "must be an amount of US dollars")
    if found < 0:
        refuse(name, "must not be below zero")
    return found


def words(query: Query, name: str) -> frozenset[str]:
    """Read an optional list, separated by commas; nothing is the empty set."""
    return frozenset(word.strip() for word in query.get(name, "").split(",") if word.strip())


def choice(query: Query, name: str, allowed: Collection[str]) -> str:
    """Read an optional word of a closed set; nothing is empty."""
    text = query.get(name, "")
    if text and text not in allowed:
        refuse(name, f"must be one of {', '.join(sorted(allowed))}")
    return text


def flag(query: Query, name: str) -> bool:
    """Read an optional `true` or `false`; nothing is False."""
    return choice(query, name, ("true", "false")) == "true"


def date(query: Query, name: str) -> dt.date | None:
    """Read an optional day, `YYYY-MM-DD`."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or text != day.isoformat():
        refuse(name, "must be a day, written YYYY-MM-DD")
    return day
