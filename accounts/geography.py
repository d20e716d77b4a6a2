"""In which country a network is: by a file of the operator's, never by asking anybody.

Without the file, or while it cannot be read, no country is known, and nothing else changes.
"""

import ipaddress
import logging
import struct
import threading
import time
from pathlib import Path
from typing import Any, Final

import maxminddb
from django.conf import settings

logger = logging.getLogger(__name__)

# A file that was replaced, as update programs do, is read anew after so long at most.
LOOKED_AT_S: Final = 60.0
# Addresses among which a file of countries knows one, evenly spread: to walk through the whole tree
# of a damaged file may take forever.
SAMPLE: Final = tuple(f"{first}.{second}.0.1" for first in range(256) for second in (0, 128))
# A damaged file leads the reader astray in many ways.
_BROKEN: Final = (
    maxminddb.InvalidDatabaseError, ArithmeticError, LookupError, MemoryError, OSError,
    RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip
_Stamp = tuple[int, int, int]


class _Atlas:
    """The file as it was when somebody last looked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._stamp: _Stamp | None = None
        self._reader: maxminddb.Reader | None = None
        self._looked_at = 0.0

    def reader(self, path: Path, *, at: float) -> maxminddb.Reader | None:
        """Return the open file; None, and a line in the log, while it cannot be read."""
        with self._lock:
            if path != self._path or at - self._looked_at >= LOOKED_AT_S:
                self._look(path)
                self._path, self._looked_at = path, at
            return self._reader

    def _look(self, path: Path) -> None:
        try:
            stamp = _stamp(path)
            if self._reader is None or (path, stamp) != (self._path, self._stamp):
                self._reader, self._stamp = _open(path), stamp
        except _BROKEN as error:  # what was read before still holds
            logger.warning("countries not read", extra={"error": type(error).__name__})
            if path != self._path:
                self._reader = None


_atlas = _Atlas()


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _open(path: Path) -> maxminddb.Reader:
    if not path.is_file():
        raise FileNotFoundError
    # Not mapped: a file that is overwritten in place would take the process with it.
    return maxminddb.open_database(path, maxminddb.MODE_MEMORY)


def country(address: str) -> str:
    """Return the code (ISO 3166-1) of the country that an address is in; "" when none is known."""
    if settings.GEOIP_DB is None:
        return ""
    reader = _atlas.reader(settings.GEOIP_DB, at=time.monotonic())
    if reader is None:
        return ""
    try:
        found = ipaddress.ip_address(address)
        # Not every file leads from these addresses to those in them.
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return _code(reader.get(mapped or found))
    except _BROKEN:  # also of what is no address
        return ""


def _code(record: Any) -> str:
    """Return the country of a record.

    MaxMind's and DB-IP's nest it (`country.iso_code`; `registered_country` of networks that move),
    IPinfo's have `country_code`, or the code itself (formats as published in 2026).
    """
    if not isinstance(record, dict):
        return ""
    for name in ("country", "registered_country", "country_code"):
        found = record.get(name)
        code = found.get("iso_code") if isinstance(found, dict) else found
        if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
            return code.upper()
    return ""


def problem() -> str:
    """Say why the operator's file tells no countries; "" when it does, or there is none."""
    path = settings.GEOIP_DB
    if path is None:
        return ""
    try:
        reader = _open(path)
        has_some = any(_code(reader.get(address)) for address in SAMPLE)
    except OSError as error:
        return f"it cannot be opened ({type(error).__name__})"
    except _BROKEN as error:
        return f"it is no whole file of MaxMind's format ({type(error).__name__})"
    return "" if has_some else f"it holds no countries ({reader.metadata().database_type})"
