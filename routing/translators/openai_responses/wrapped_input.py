"""Free text out of the JSON that a vendor wraps it in, as it comes (pure)."""

import re
from typing import Final

import orjson

from routing.translators import arguments

_HEAD: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_HEAD_CHARS_MAX: Final = 64
# Characters of a JSON string up to its end, or to an escape that is not whole yet.
_INSIDE: Final = re.compile(r'(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
# The first half of a pair: the character is whole with the second.
_HALF: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")


class WrappedInput:
    """Reads `{"input": "..."}` in pieces; JSON of another form is read when it is whole."""

    __slots__ = ("_is_inside", "_is_over", "_rest")

    def __init__(self) -> None:
        self._rest = ""
        self._is_inside = False
        self._is_over = False

    def feed(self, piece: str) -> str:
        """Take more JSON and return the text that it brought."""
        if self._is_over:
            return ""
        self._rest += piece
        if not self._is_inside:
            head = _HEAD.match(self._rest, 0, _HEAD_CHARS_MAX)
            if head is None:
                return ""
            self._is_inside = True
            self._rest = self._rest[head.end() :]
        return self._inside()

    def end(self) -> str:
        """Return what is left of the text when the JSON is whole."""
        if self._is_inside:
            return ""
        found = arguments.as_object(self._rest).get("input")
        return found if isinstance(found, str) else self._rest

    def _inside(self) -> str:
        inside = _INSIDE.match(self._rest)
        end = inside.end() if inside is not None else 0
        self._is_over = self._rest[end : end + 1] == '"'
        half = None if self._is_over else _HALF.search(self._rest, max(0, end - 6), end)
        if half is not None:
            end = half.start()
        raw, self._rest = self._rest[:end], self._rest[end:]
        try:
            return str(orjson.loads(f'"{raw}"'))
        except orjson.JSONDecodeError:  # a control character, or half a pair
            return raw
