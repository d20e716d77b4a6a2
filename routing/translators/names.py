"""Names of tools and ids of calls in the form that a vendor takes (pure)."""

import base64
import hashlib
import re
from collections.abc import Iterable


class Names:
    """Names of tools that a vendor takes, and the way back to the client's."""

    __slots__ = ("_first", "_illegal", "_length_max", "_taken", "back")

    def __init__(
        self, names: Iterable[str], *, legal: str, length_max: int = 64, first: str = ""
    ) -> None:
        """`legal`: the allowed characters as the inside of a regular expression's class.

        `first`: those that a name may begin with, `_` among them; "": all that are legal.
        """
        self._illegal = re.compile(rf"[^{legal}]")
        self._first = re.compile(rf"[{first or legal}]")
        self._length_max = length_max
        self._taken = frozenset(names)
        self.back: dict[str, str] = {}  # vendor's -> client's, of those that differ

    def of(self, name: str) -> str:
        """Return the vendor's name: the same where it is legal, else shortened with a hash."""
        is_legal = self._first.match(name) is not None and not self._illegal.search(name)
        if len(name) <= self._length_max and is_legal:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        stem = self._illegal.sub("_", name)
        if stem and not self._first.match(stem):
            stem = f"_{stem}"
        short = f"{stem[: self._length_max - 9]}_{digest}"
        self.back[short] = name
        return short


_LEGAL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")


def legal_id(call_id: str) -> str:
    """Return an id of letters, digits, `_` and `-`: the same where it is one already."""
    return call_id if _LEGAL_ID.fullmatch(call_id) else hashed_id(call_id)


def hashed_id(call_id: str) -> str:
    """Return a short legal id in place of another: stateless."""
    digest = hashlib.sha256(call_id.encode()).digest()[:15]
    return "x" + base64.b32encode(digest).decode().lower()


def made_id(answer: str, call: int) -> str:
    """Return an id for a call that its vendor gave none: the same for a replayed answer."""
    # Gemini's side reads the last digit: below 8, no seal was lost with the call.
    return f"call_{hashlib.sha256(f'{answer}:{call}'.encode()).hexdigest()[:23]}0"


def short_id(call_id: str) -> str:
    """Return an id of nine letters or digits (Mistral, recorded 2026): stateless."""
    if _SHORT_ID.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]
