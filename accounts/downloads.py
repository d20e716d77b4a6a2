"""Writes what is held about a person or an account as one ZIP, in flat memory, from one state.

Each store becomes a JSON and a CSV file: its rows are read twice, by a cursor of the database, in
one transaction that sees no later change. So nothing lies on the disk but the archive itself.
"""

import asyncio
import csv
import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.template.loader import render_to_string
from django.utils import translation

from accounts import personal_data
from accounts.cells import MAY_BEGIN_FORMULA, cell
from accounts.personal_data import Store, Subject

FORMAT: Final = 1
ROWS_PER_CHUNK: Final = 2_000
# On PostgreSQL, for each step of a cursor: a sort of a million rows comes before its first one.
STEP_S: Final = 300
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LANGUAGES: Final = (("README.en.txt", "en"), ("README.zh-Hans.txt", "zh-hans"))


class Stopped(Exception):
    """Somebody asked the writer to stop."""


class DiskFull(Exception):
    """The disk is full, or so full that the database beside the file could suffer."""


@dataclass(slots=True)
class Progress:
    """How far a writer is, for other threads to read; `stop` makes it stop at the next chunk."""

    total: int = 0
    done: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A finished archive: its rows, its size, its SHA-256 in hexadecimal digits."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What an archive holds of one store."""

    store: Store
    rows: QuerySet[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What becomes an archive: its parts, and how its manifest begins.

    `seal` is given the finished manifest and returns files that prove it.
    """

    parts: Sequence[Part]
    head: Mapping[str, Any]
    has_readme: bool = False
    seal: Callable[[bytes], Mapping[str, bytes]] | None = None


def of(subject: Subject, *, head: Mapping[str, Any]) -> Content:
    """Return everything held about a person, as the person gets it."""
    parts = [Part(store=each, rows=each.rows(subject)) for each in personal_data.stores()]
    return Content(parts=parts, head=head, has_readme=True)


def write(path: Path, content: Content, progress: Progress) -> Written:
    """Write an archive to a new file that only this user of the system can read.

    Raises: Stopped; DiskFull; FileExistsError. The caller removes what is left of the file after
    any of them.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        return pack(file, content, progress)


def unnamed() -> IO[bytes]:
    """Open a file in the folder of exports that no other process finds, and that goes at its end.

    Raises: OSError.
    """
    settings.EXPORT_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=settings.EXPORT_DIR)


def pack(file: IO[bytes], content: Content, progress: Progress) -> Written:
    """Write an archive to an open, empty file. Raises: Stopped; DiskFull."""
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            rows = _Writer(archive, progress).write(content)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull from error
        raise
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Written(rows=rows, bytes=size, sha256=digest)


class Answer(FileResponse):
    """A file as an answer, read in a thread: Django would read all of it into memory under ASGI."""

    block_size = 1 << 18

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        self._file = file
        super().__init__(file, **kwargs)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(self._file.read, self.block_size):
            yield block


@contextmanager
def snapshot() -> Iterator[None]:
    """Read one state of the database, whatever is written meanwhile. No transaction is open."""
    if connection.vendor == "postgresql":
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = '{STEP_S}s'")
            yield
        return
    with connection.cursor() as cursor:
        # Not atomic(): ours begin IMMEDIATE, and a writer would wait for all of the export.
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


class _Writer:
    """One archive while it is written."""

    def __init__(self, archive: zipfile.ZipFile, progress: Progress) -> None:
        self._archive, self._progress = archive, progress

    def write(self, content: Content) -> int:
        """Write all parts, the manifest and what explains them; return the number of rows."""
        with snapshot():
            self._progress.total = 2 * sum(one.rows.order_by().count() for one in content.parts)
            listed = [self._part(one) for one in content.parts]
        languages = _LANGUAGES if content.has_readme else ()
        readmes = [self._readme(name, language, content) for name, language in languages]
        manifest = {"format": FORMAT, **content.head, "stores": listed, "files": readmes}
        text = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
        self._file("manifest.json", iter([text]))
        if content.seal is not None:
            for name, proof in content.seal(text).items():
                self._file(name, iter([proof]))
        return sum(store["rows"] for store in listed)

    def _part(self, part: Part) -> dict[str, Any]:
        store = part.store
        rows = part.rows.values_list(*store.fields)
        counts = []
        files = []
        for ending, encode in (("json", _json), ("csv", _csv)):
            chunks = _Chunks(rows, self._step)
            files.append(self._file(f"data/{store.name}.{ending}", encode(store, chunks)))
            counts.append(chunks.count)
        with translation.override("en"):
            title = str(store.title)
        return {
            "name": store.name,
            "title": title,
            "rows": counts[0],
            "files": files,
            "not_included": {name: why.value for name, why in store.withheld.items()},
            "retention": store.retention.value,
            "at_erasure": store.ending.value,
            "why": store.why,
        }

    def _step(self, rows: int) -> None:
        self._progress.done += rows
        if self._progress.stop.is_set():
            raise Stopped
        if shutil.disk_usage(settings.EXPORT_DIR).free < settings.EXPORT_FREE_BYTES_MIN:
            raise DiskFull

    def _file(self, name: str, chunks: Iterator[bytes]) -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return {"name": name, "bytes": size, "sha256": digest.hexdigest()}

    def _readme(self, name: str, language: str, content: Content) -> dict[str, Any]:
        said = {"stores": [part.store for part in content.parts], "head": content.head}
        with translation.override(language):
            text = render_to_string("settings/export_readme.txt", said)
        return self._file(name, iter([text.encode()]))


class _Chunks:
    """Rows in chunks, counted; iterated once."""

    def __init__(self, rows: Any, step: Any) -> None:
        self._rows, self._step, self.count = rows, step, 0

    def __iter__(self) -> Iterator[list[tuple[Any, ...]]]:
        chunk: list[tuple[Any, ...]] = []
        for row in self._rows.iterator(chunk_size=ROWS_PER_CHUNK):
            chunk.append(row)
            if len(chunk) == ROWS_PER_CHUNK:
                yield self._count(chunk)
                chunk = []
        yield self._count(chunk)

    def _count(self, chunk: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        self._step(len(chunk))
        self.count += len(chunk)
        return chunk


def _json(store: Store, chunks: _Chunks) -> Iterator[bytes]:
    """Write an array of objects, one in a line; money is a decimal string, as in the API."""
    columns = store.columns
    money = [n for n, name in enumerate(columns) if name.endswith("_nusd")]
    before = b"[\n"
    for chunk in chunks:
        lines = []
        for row in chunk:
            found = dict(zip(columns, row, strict=True))
            for n in money:
                if row[n] is not None:
                    found[columns[n]] = str(row[n])
            lines.append(orjson.dumps(found))
        if lines:
            yield before + b",\n".join(lines)
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _csv(store: Store, chunks: _Chunks) -> Iterator[bytes]:
    """Write a table; a byte order mark tells spreadsheets that it is UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    text.write("\ufeff")
    writer.writerow(store.columns)
    for chunk in chunks:
        # Millions of rows have little but these: no call for each of them.
        writer.writerows(
            [
                value
                if value is None
                or type(value) is int
                or (type(value) is str and value[:1] not in MAY_BEGIN_FORMULA)
                else _cell(value)
                for value in row
            ]
            for row in chunk
        )
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _cell(value: object) -> str:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return cell(value)
