"""What leads to a person, and the search for it in everything that is stored.

A trace is looked for as it is, as JSON escapes it, and as hexadecimal digits and base64 of its
bytes; in columns of bytes by its bytes. Names are looked for as whole words, so that "Al" is not
found in "also".
"""

import base64
import binascii
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import connection, transaction

from accounts import keytext, persons, phones
from accounts.keytext import NoPepper
from accounts.models import Account, ApiKey, ContactRequest, User
from accounts.personal_data import Subject

# A shorter text is in everything; it is looked for as a whole value only.
CHARS_MIN: Final = 4
# A shorter one's base64 is a matter of chance.
CODED_CHARS_MIN: Final = 8
BLOCK_BYTES: Final = 4 << 20
ROWS_AT_ONCE: Final = 2_000
MEMBER_BYTES_MAX: Final = 1 << 30
WORDS: Final = frozenset({"name", "username", "ip"})
# Tables of the database's own making.
OWN_TABLES: Final = frozenset({"sqlite_sequence", "sqlite_stat1", "sqlite_stat4"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One thing that leads to a person; it is never written into a log."""

    # "email", "phone", "name", "username", "ip", "key", "id", "digest", "ref", "archive"
    kind: str
    value: str = field(repr=False)
    # A digest, in hexadecimal digits.
    is_bytes: bool = False
    is_word: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a trace was found; what it says is not repeated."""

    where: str
    kind: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}"


def of(user: User, subject: Subject) -> Sequence[Trace]:
    """Collect what leads to a person, while it is still there."""
    emails = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    asked = ContactRequest.objects.filter(user=user)
    emails |= set(asked.values_list("email", flat=True))
    keys = ApiKey.objects.filter(account_id__in=subject.alone)
    accounts = Account.objects.filter(pk__in=subject.alone)
    addresses = UserSession.objects.filter(user=user).values_list("ip", flat=True)
    found = [
        *(Trace(kind="email", value=email) for email in emails),
        *(Trace(kind="phone", value=text) for text in _phones(user)),
        *(Trace(kind="name", value=name, is_word=True) for name in _names(user, accounts)),
        Trace(kind="username", value=user.username, is_word=True),
        *(Trace(kind="ip", value=ip, is_word=True) for ip in set(addresses)),
        *(Trace(kind="id", value=account.public_id.hex) for account in accounts),
        *(Trace(kind="id", value=str(account.public_id)) for account in accounts),
        *(Trace(kind="key", value=bytes(key.digest).hex(), is_bytes=True) for key in keys),
        *_digests(user, emails),
    ]
    return [trace for trace in found if trace.value]


def written(found: Sequence[Trace]) -> str:
    """Write traces as lines for a file."""
    return "".join(f"{trace.kind} {trace.value}\n" for trace in found)


def parse(text: str) -> Sequence[Trace]:
    """Read lines of "kind value"; the text of a key is looked for as its digests, too.

    Raises: ValueError for a digest that is none.
    """
    found: list[Trace] = []
    for line in text.splitlines():
        kind, _, value = line.strip().partition(" ")
        value = value.strip()
        if value and kind in ("key", "digest"):
            found.extend(_key(kind, value))
        elif value:
            found.append(Trace(kind=kind, value=value, is_word=kind in WORDS))
    return found


def _key(kind: str, value: str) -> Iterator[Trace]:
    if keytext.is_well_formed(value):
        yield Trace(kind=kind, value=value)
        for digest in keytext.peppers().digests(value).values():
            yield Trace(kind=kind, value=digest.hex(), is_bytes=True)
    else:
        yield Trace(kind=kind, value=bytes.fromhex(value).hex(), is_bytes=True)


def _phones(user: User) -> Iterable[str]:
    return (user.phone, phones.shown(user.phone)) if user.phone else ()


def _names(user: User, accounts: Iterable[Account]) -> set[str]:
    return {user.display_name, *(account.name for account in accounts)} - {"", user.username}


def _digests(user: User, emails: Iterable[str]) -> Iterator[Trace]:
    try:
        for email in emails:
            yield Trace(kind="digest", value=persons.email_digest(email).hex(), is_bytes=True)
        if user.phone:
            yield Trace(kind="digest", value=persons.phone_digest(user.phone).hex(), is_bytes=True)
    except NoPepper:  # then none was ever written
        return


class Search:
    """Traces, ready to be looked for in texts and bytes."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = tuple(traces)
        self._exact = {t.value.casefold(): t.kind for t in traces if not _is_long(t)}
        # Plain searches: an alternation of patterns takes a hundred times as long.
        self._any_case: list[tuple[str, bytes, re.Pattern[bytes] | None]] = []
        self._as_it_is: list[tuple[str, bytes]] = []
        for trace in traces:
            if _is_long(trace):
                self._any_case += [(trace.kind, *one) for one in _texts(trace)]
                self._as_it_is += [(trace.kind, one) for one in _codings(trace)]

    def in_bytes(self, data: bytes) -> set[str]:
        """Return the kinds of traces that some bytes hold."""
        lowered = data.lower()
        found = {
            kind
            for kind, text, whole in self._any_case
            if text in lowered and (whole is None or whole.search(lowered))
        }
        return found | {kind for kind, coded in self._as_it_is if coded in data}

    def in_value(self, value: Any) -> set[str]:
        """Return the kinds of traces that a value of a row holds."""
        if value is None or isinstance(value, bool | int | float):
            return set()
        if isinstance(value, bytes | memoryview):
            return self.in_bytes(bytes(value))
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        found = self.in_bytes(text.encode(errors="surrogatepass"))
        short = self._exact.get(text.casefold())
        return found | {short} if short else found


def _is_long(trace: Trace) -> bool:
    return len(trace.value) >= CHARS_MIN


def _texts(trace: Trace) -> Iterator[tuple[bytes, re.Pattern[bytes] | None]]:
    """Yield a trace as texts in lower case; with what a whole word looks like."""
    text = trace.value.encode(errors="surrogatepass").lower()
    if trace.is_word:
        yield text, re.compile(rb"(?<![\w.@-])" + re.escape(text) + rb"(?![\w@-])")
    else:
        yield text, None
    escaped = json.dumps(trace.value)[1:-1].encode().lower()
    if escaped != text:
        yield escaped, None
    if not trace.is_word and not trace.is_bytes:
        yield text.hex().encode(), None


def _codings(trace: Trace) -> Iterator[bytes]:
    """Yield a digest's bytes; of a text its base64, wherever it begins in what was encoded."""
    if trace.is_bytes:
        yield binascii.unhexlify(trace.value)
    elif not trace.is_word and len(trace.value) >= CODED_CHARS_MIN:
        text = trace.value.encode(errors="surrogatepass")
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + text)
            yield coded[(offset * 8 + 5) // 6 : len(coded) - 4]


def in_database(search: Search) -> Iterator[Place]:
    """Look into every column of every table, of other packages too."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    for table in sorted(set(tables) - OWN_TABLES):
        yield from _in_table(table, search)


def _in_table(table: str, search: Search) -> Iterator[Place]:
    found: dict[str, set[str]] = {}
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
        rows = cursor.fetchmany(ROWS_AT_ONCE)
        names = [column[0] for column in cursor.description]
        while rows:
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if kinds := search.in_value(value):
                        found.setdefault(name, set()).update(kinds)
            rows = cursor.fetchmany(ROWS_AT_ONCE)
    for name, kinds in sorted(found.items()):
        for kind in sorted(kinds):
            yield Place(where=f"database {table}.{name}", kind=kind)


def settle_pages() -> None:
    """Bring what SQLite has written ahead into its file, where `secure_delete` overwrote the old.

    A reader may hold it up; then a later call does it. Within a transaction it does nothing.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def in_database_files(search: Search) -> Iterator[Place]:
    """Look into the bytes of SQLite's files, freed pages included."""
    if connection.vendor == "sqlite":
        settle_pages()
        main = str(connection.settings_dict["NAME"])
        for name in (main, f"{main}-wal", f"{main}-journal"):
            yield from in_file(Path(name), search, name=Path(name).name)


def in_folder(folder: Path, search: Search, *, but: Sequence[Path] = ()) -> Iterator[Place]:
    """Look into every file of a folder, byte by byte, and into what archives hold."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(other) for other in but):
            yield from in_file(path, search, name=str(path.relative_to(folder)))


def in_file(path: Path, search: Search, *, name: str) -> Iterator[Place]:
    """Look into one file; one that is gone meanwhile holds nothing."""
    try:
        kinds = _kinds_in_file(path, search)
    except FileNotFoundError:
        return
    for kind in sorted(kinds):
        yield Place(where=f"file {name}", kind=kind)


def _kinds_in_file(path: Path, search: Search) -> set[str]:
    found: set[str] = set()
    overlap = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            found |= search.in_bytes(overlap + block)
            overlap = block[-1_024:]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size <= MEMBER_BYTES_MAX:
                    found |= search.in_bytes(archive.read(member))
    return found


def in_cache(search: Search) -> Iterator[Place]:
    """Look at every key and value of the cache's server, tasks that wait there included."""
    for name, value in _cached():
        kinds = search.in_bytes(name) | search.in_bytes(value)
        for kind in sorted(kinds):
            yield Place(where="cache", kind=kind)


def drop_from_cache(search: Search) -> int:
    """Delete what the cache's server keeps of a person; tasks that wait carry numbers only."""
    client = _client()
    if client is None:
        return 0
    gone = [
        name
        for name, value in _cached()
        if client.type(name) == b"string" and (search.in_bytes(name) or search.in_bytes(value))
    ]
    return int(client.delete(*gone)) if gone else 0


def _client() -> Any:
    """Return the connection of Django's own cache, None where the cache is a process's memory."""
    made: Any = getattr(cache, "_cache", None)
    return made.get_client(None, write=True) if hasattr(made, "get_client") else None


def _cached() -> Iterator[tuple[bytes, bytes]]:
    client = _client()
    if client is None:
        return
    read = {
        b"string": client.get,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": client.smembers,
        b"hash": client.hgetall,
        b"zset": lambda name: client.zrange(name, 0, -1),
    }
    for name in client.scan_iter():
        value = read.get(client.type(name), lambda _: b"")(name)
        yield name, value if isinstance(value, bytes) else repr(value).encode()
