"""Settles that wait for the database: one fsynced file for each worker's life, bounded.

A line is a settle, acknowledged once it is on disk. The owner holds a lock on its file; a file
whose lock is free belongs to a dead worker, and any worker of this machine replays it.
"""

import fcntl
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from billing.batch import AttemptRow, Item, Settlement


class SpoolFull(Exception):
    """The file has reached its limit, or the disk has: the settle is not acknowledged."""


@dataclass(slots=True, kw_only=True)
class SpooledSettle:
    """A settle read back from a spool: enough of an Item for the batch of a replay."""

    request_id: uuid.UUID
    settlement: Settlement
    lease_id: int = 0
    wallet_id: int = 0
    api_key_id: int | None = None
    hold_nusd: int = 0
    wanted_hold_nusd: int = 0
    checkpoint_nusd: int = 0


def _line(item: Item) -> bytes:
    settlement: dict[str, Any] = asdict(item.settlement)
    return orjson.dumps({"request_id": item.request_id, **settlement}) + b"\n"


def _parse(line: bytes) -> SpooledSettle:
    values = orjson.loads(line)
    request_id = uuid.UUID(values.pop("request_id"))
    attempts = tuple(AttemptRow(**attempt) for attempt in values.pop("attempts"))
    return SpooledSettle(request_id=request_id, settlement=Settlement(**values, attempts=attempts))


class Spool:
    """The file of this worker's life; made at the first settle that needs it."""

    def __init__(self, folder: Path, *, boot: uuid.UUID, bytes_max: int) -> None:
        self._path = folder / f"{boot}.jsonl"
        self._bytes_max = bytes_max
        self._file: int | None = None
        self._size = 0

    def write(self, items: Iterable[Item]) -> None:
        """Put settles on disk. Raises: SpoolFull, and then none of them is acknowledged."""
        data = b"".join(map(_line, items))
        if self._size + len(data) > self._bytes_max:
            raise SpoolFull
        try:
            file = self._open()
            _write_all(file, data)
            os.fsync(file)
        except OSError as error:
            self._cut()
            raise SpoolFull from error
        self._size += len(data)

    def clear(self) -> None:
        """Forget everything: the database has it."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave the file to whoever finds it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._size = 0

    def _open(self) -> int:
        if self._file is None:
            folder = self._path.parent
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file = file
            parent = os.open(folder, os.O_RDONLY)
            os.fsync(parent)
            os.close(parent)
        return self._file

    def _cut(self) -> None:
        """Remove a part of a line, so that the next write begins on a line of its own."""
        if self._file is not None:
            os.ftruncate(self._file, self._size)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


@dataclass(slots=True, kw_only=True)
class Leftover:
    """The spool of a dead worker, locked by us."""

    path: Path
    settles: list[SpooledSettle]

    def delete(self) -> None:
        """Remove the file: the database has every settle in it."""
        self.path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between our open and our lock another worker may have replayed and removed it.
        yield file if path.exists() and path.stat().st_ino == os.fstat(file).st_ino else None
    except BlockingIOError:
        yield None
    finally:
        os.close(file)


@contextmanager
def leftovers(folder: Path) -> Iterator[Iterator[Leftover]]:
    """Yield the spools of dead workers, each locked while it is looked at."""

    def each() -> Iterator[Leftover]:
        for path in sorted(folder.glob("*.jsonl")):
            with _locked(path) as file:
                if file is not None:
                    yield Leftover(path=path, settles=_read(file))

    yield each()


def _read(file: int) -> list[SpooledSettle]:
    """Read whole lines; what follows the last newline was never acknowledged."""
    data = os.pread(file, os.fstat(file).st_size, 0)
    whole, _, _ = data.rpartition(b"\n")
    return [_parse(line) for line in whole.split(b"\n") if line]
