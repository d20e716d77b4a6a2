"""Words that must never reach a disk, and a search for them in every byte of folders."""

import base64
import gzip
import re
import secrets
import urllib.parse
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Where one can be put: each place has a word of its own, so that a find tells where it came from.
PLACES = (
    "system", "user", "assistant", "tool-content", "tool-name", "tool-description",
    "tool-arguments", "image-data", "image-link", "file-name", "file-data", "unknown-field",
    "unknown-key", "metadata", "stop", "user-id", "header-auth", "header-agent",
    "header-custom", "header-tag", "header-referer", "header-cookie", "header-beta",
    "header-name", "query", "query-key", "path", "page", "model", "method", "answer",
    "answer-id", "answer-model",
    "answer-finish", "answer-usage", "answer-tier", "answer-header", "answer-tool",
    "vendor-error", "vendor-code", "vendor-event", "vendor-garbage", "vendor-half", "big",
    "broken-json", "packed", "wrong-key", "crash", "gone", "away",
)  # fmt: skip
INFLATED_BYTES_MAX = 64 << 20
WINDOW_BYTES = 400
STEP_BYTES = 4_096
_HAN = [chr(code) for code in range(0x4E00, 0x9FA5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One unique word in Latin letters (for headers and names) and one in Chinese."""

    place: str
    latin: str
    han: str

    @property
    def text(self) -> str:
        """What goes where any text may go."""
        return f"{self.latin} {self.han}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Find:
    """A word that was found, how it was written, and where."""

    place: str
    form: str
    path: str


class Nest(Mapping[str, Canary]):
    """A word for each place; remembers which were let out."""

    def __init__(self) -> None:
        # Both ends of every word: half a word is found as well, and all by few needles.
        self.latin_mark = "K" + "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(8))
        self.han_mark = "".join(secrets.choice(_HAN) for _ in range(4))
        self.flown: set[str] = set()
        self._words = {
            place: Canary(
                place=place,
                latin=self.latin_mark + secrets.token_hex(8) + self.latin_mark,
                han=self.han_mark + "".join(secrets.choice(_HAN) for _ in range(6)) + self.han_mark,
            )
            for place in PLACES
        }

    def __getitem__(self, place: str) -> Canary:
        self.flown.add(place)
        return self._words[place]

    def __iter__(self):
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)


def forms(word: str) -> dict[str, bytes]:
    """Return the ways in which a word may lie on a disk; of base64 what its neighbors leave."""
    raw = word.encode()
    found = {
        "plain": raw,
        "utf-16-le": word.encode("utf-16-le"),
        "utf-16-be": word.encode("utf-16-be"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "json": _escaped(word),
        "url": urllib.parse.quote(word).encode(),
        "mojibake": raw.decode("latin-1").encode(),
    }
    for skipped in range(3):
        encoded = base64.b64encode(b"\0" * skipped + raw)
        start, end = (skipped * 8 + 5) // 6, (skipped + len(raw)) * 8 // 6
        found[f"base64+{skipped}"] = encoded[start:end]
        found[f"base64url+{skipped}"] = encoded.translate(_URL_SAFE)[start:end]
    return found


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _escaped(word: str) -> bytes:
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in word).encode()


class Search:
    """Looks for the marks of all words in all forms."""

    def __init__(self, nest: Nest) -> None:
        self._words = [
            (place, form, written)
            for place in nest
            for word in (nest._words[place].latin, nest._words[place].han)
            for form, written in forms(word).items()
        ]
        self._needles: dict[bytes, str] = {}
        for mark in (nest.latin_mark, nest.han_mark):
            for form, written in forms(mark).items():
                self._needles.setdefault(written, form)
        self.files: set[Path] = set()

    def data(self, data: bytes, path: str) -> set[Find]:
        """Search bytes, and what is compressed in them."""
        found = self._plain(data, path)
        for inner in inflated(data):
            found |= {
                Find(place=f.place, form=f"compressed {f.form}", path=path)
                for f in self._plain(inner, path)
            }
        return found

    def _plain(self, data: bytes, path: str) -> set[Find]:
        found = set()
        for needle, form in self._needles.items():
            at = data.find(needle)
            while at >= 0:
                found.add(self._named(data, at, form, path))
                at = data.find(needle, at + len(needle))
        return found

    def _named(self, data: bytes, at: int, form: str, path: str) -> Find:
        """Tell whose mark this is; a piece of a word is told as such."""
        window = data[max(0, at - WINDOW_BYTES) : at + WINDOW_BYTES]
        for place, full, written in self._words:
            if written in window:
                return Find(place=place, form=full, path=path)
        return Find(place="a piece", form=form, path=path)

    def tree(self, *folders: Path) -> set[Find]:
        """Search every file below these folders, and all their names; or a lone file."""
        found: set[Find] = set()
        for folder in folders:
            for path in [folder, *folder.rglob("*")]:
                found |= self._plain(path.name.encode(), f"the name of {path}")
                if path.is_file() and not path.is_symlink():
                    found |= self._file(path)
        return found

    def _file(self, path: Path) -> set[Find]:
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a server's file that has just gone
            return set()
        self.files.add(path)
        return self.data(data, str(path))


def inflated(data: bytes) -> list[bytes]:
    """Return what is gzip or zlib at every place where such a stream may begin, even a torn one."""
    view = memoryview(data)
    marks = re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]", data)
    return [part for mark in marks if (part := _unpacked(view[mark.start() :]))]


def _unpacked(view: memoryview) -> bytes:
    unpacker = zlib.decompressobj(31 if view[0] == 0x1F else 15)
    parts: list[bytes] = []
    for at in range(0, len(view), STEP_BYTES):
        try:
            parts.append(unpacker.decompress(view[at : at + STEP_BYTES], INFLATED_BYTES_MAX))
        except zlib.error:
            break
        if unpacker.eof or unpacker.unconsumed_tail:
            break
    return b"".join(parts)


def samples(word: str) -> dict[str, bytes]:
    """Return what files hold that tell a word in each form: the control of the search."""
    text = f"before {word} after"
    raw = text.encode()
    return {
        "plain": raw,
        "utf-16-le": b"\0" + text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "json": _escaped(text),
        "url": urllib.parse.quote(text).encode(),
        "mojibake": raw.decode("latin-1").encode(),
        **{f"base64+{n}": base64.b64encode(b"x" * n + word.encode() + b"yz") for n in range(3)},
        **{
            f"base64url+{n}": base64.urlsafe_b64encode(b"x" * n + word.encode() + b"yz")
            for n in range(3)
        },
        "gzip": b"\0\0" + gzip.compress(raw) + b"more",
        "zlib": b"\1\2\3" + zlib.compress(raw) + b"more",
        "first half": raw[: len(raw) * 2 // 3],
        "second half": raw[len(raw) // 3 :],
    }
