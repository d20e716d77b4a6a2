"""Writes everything held about a person as one ZIP, in flat memory, from one moment's state.

Each store becomes a JSON and a CSV file: its rows are read twice, by a cursor of the database, in
one transaction that sees no later change. So nothing lies on the disk but the archive itself.
"""

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import connection, transaction
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


def write(path: Path, *, subject: Subject, head: Mapping[str, Any], progress: Progress) -> Written:
    """Write the archive of a person to a new file that only this user of the system can read.

    `head` begins the manifest. Raises: Stopped; DiskFull; FileExistsError. The caller removes what
    is left of the file after any of them.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                rows = _Writer(archive, path.parent, progress).write(subject, head)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull from error
        raise
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(rows=rows, bytes=path.stat().st_size, sha256=digest)


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

    def __init__(self, archive: zipfile.ZipFile, folder: Path, progress: Progress) -> None:
        self._archive, self._folder, self._progress = archive, folder, progress

    def write(self, subject: Subject, head: Mapping[str, Any]) -> int:
        """Write all stores, the manifest and what explains them; return the number of rows."""
        stores = personal_data.stores()
        with snapshot():
            self._progress.total = 2 * sum(each.rows(subject).order_by().count() for each in stores)
            listed = [self._store(store, subject) for store in stores]
        readmes = [self._readme(name, language, stores, head) for name, language in _LANGUAGES]
        manifest = {"format": FORMAT, **head, "stores": listed, "files": readmes}
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        self._file("manifest.json", iter([text.encode()]))
        return sum(store["rows"] for store in listed)

    def _store(self, store: Store, subject: Subject) -> dict[str, Any]:
        rows = store.rows(subject).values_list(*store.fields)
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
        if shutil.disk_usage(self._folder).free < settings.EXPORT_FREE_BYTES_MIN:
            raise DiskFull

    def _file(self, name: str, chunks: Iterator[bytes]) -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return {"name": name, "bytes": size, "sha256": digest.hexdigest()}

    def _readme(
        self, name: str, language: str, stores: Sequence[Store], head: Mapping[str, Any]
    ) -> dict[str, Any]:
        with translation.override(language):
            text = render_to_string("settings/export_readme.txt", {"stores": stores, "head": head})
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
