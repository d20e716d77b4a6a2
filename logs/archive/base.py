"""What an archive is: tables whose parts are replaced whole, and how it fails (pure)."""

import datetime as dt
import gzip
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import orjson

# Rows of one batch that a sink may leave out: a tenth, one at least, and never more than these.
# With more, it is the table that does not fit, and the batch as a whole is refused.
REJECTED_MAX = 100
# What a table keeps beyond the window: time for the sums of its last day.
SPARE_DAYS = 2

Part = dt.datetime | dt.date
Row = Mapping[str, Any]


class Away(Exception):
    """The archive did not answer, or cannot work now; nothing is lost. `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refused(Exception):
    """The archive took no part of a batch: what it is made of is wrong. `code` says how."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the archive is. Switched off without an engine."""

    engine: str = ""  # clickhouse, bigquery
    host: str = ""  # BigQuery: the project
    port: int = 0
    database: str = ""  # BigQuery: the dataset
    user: str = ""
    is_tls: bool = True
    credentials: str = field(default="", repr=False)  # a password, or a service account's JSON
    url: str = ""  # BigQuery's own address, unless it is Google's
    timeout_s: int = 20  # for an answer
    patience_s: int = 600  # for work that goes on after the answer

    @property
    def is_on(self) -> bool:
        """True when there is an archive to feed."""
        return bool(self.engine)

    @property
    def name(self) -> str:
        """What tells this archive from every other; no secret."""
        port = f":{self.port}" if self.port else ""
        return f"{self.engine}:{self.host}{port}/{self.database}"


class Kind(Enum):
    """What a column holds."""

    HOUR = auto()
    MOMENT = auto()
    DAY = auto()
    WORD = auto()  # few different values
    TEXT = auto()
    NUMBER = auto()
    FLAG = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    name: str
    kind: Kind
    is_nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is cut into parts along one column; a part is only ever replaced whole."""

    name: str
    columns: tuple[Column, ...]
    part: str
    order: tuple[str, ...]
    is_kept: bool  # until somebody takes it away; else for the window


def _columns(kind: Kind, *names: str, is_nullable: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind=kind, is_nullable=is_nullable) for name in names)


TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
# Of a request: no address, no key, no label, no end user, no id that stands anywhere else.
REQUESTS = Table(
    name="requests",
    columns=(
        *_columns(Kind.HOUR, "hour"),
        *_columns(Kind.DAY, "day"),
        *_columns(Kind.MOMENT, "at"),
        *_columns(Kind.TEXT, "row_id", "account"),
        *_columns(Kind.WORD, "surface", "model", "vendor"),
        *_columns(Kind.WORD, "endpoint", "channel", "jurisdiction", is_nullable=True),
        *_columns(Kind.WORD, "finish_reason", "error_code", is_nullable=True),
        *_columns(Kind.FLAG, "is_stream", "is_estimated"),
        *_columns(Kind.NUMBER, *TOKENS, "cost_nusd", "total_ms", "status", "step"),
        *_columns(Kind.NUMBER, "sent_ms", "first_byte_ms", is_nullable=True),
    ),
    part="hour",
    order=("model", "account"),
    is_kept=False,
)
# Sums of a day, of at least so many accounts that they are nobody's (logs.archive.crowds).
DAYS = Table(
    name="request_days",
    columns=(
        *_columns(Kind.DAY, "day"),
        *_columns(Kind.WORD, "model", "vendor"),
        *_columns(Kind.NUMBER, "requests", "errors", "failures", *TOKENS, "cost_nusd", "accounts"),
    ),
    part="day",
    order=("model", "vendor"),
    is_kept=True,
)
LATENCY = Table(
    name="request_day_latency",
    columns=(
        *_columns(Kind.DAY, "day"),
        *_columns(Kind.WORD, "model", "vendor"),
        *_columns(Kind.NUMBER, "step", "requests"),
    ),
    part="day",
    order=("model", "vendor", "step"),
    is_kept=True,
)
# Of accounts under a legal hold, beyond the window: it has no end of its own, a hold has.
HELD = Table(
    name="held_requests",
    columns=REQUESTS.columns,
    part="day",
    order=("account", "hour"),
    is_kept=True,
)
TABLES = (REQUESTS, DAYS, LATENCY, HELD)
# Those whose rows are somebody's.
OF_ACCOUNTS = (REQUESTS, HELD)


def text(part: Part) -> str:
    """Write a part's hour or day as SQL and JSON know it: UTC, no zone."""
    return f"{part:%Y-%m-%d %H:%M:%S}" if isinstance(part, dt.datetime) else f"{part:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Rows on their way: compressed lines of JSON."""

    body: bytes
    rejected_max: int  # rows of it that may be left out


class Packer:
    """Packs rows as compressed lines of JSON, so that an hour of them fits into memory."""

    def __init__(self) -> None:
        self.rows = 0
        self._buffer = io.BytesIO()
        self._file = gzip.GzipFile(fileobj=self._buffer, mode="wb", compresslevel=1, mtime=0)

    def add(self, row: Row) -> None:
        """Add a row."""
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self.rows += 1

    def done(self, *, may_lose: bool) -> Packed:
        """Return what was packed; nothing can be added then."""
        self._file.close()
        most = min(max(self.rows // 10, 1), REJECTED_MAX) if may_lose else 0
        return Packed(body=self._buffer.getvalue(), rejected_max=most)


class Sink(ABC):
    """One archive. Every method raises Away; `replace` raises Refused, too."""

    @abstractmethod
    def prepare(self, *, kept_days: int) -> None:
        """Make the tables that are missing; rows go by themselves after SPARE_DAYS more."""

    @abstractmethod
    def replace(self, *, table: Table, part: Part, packed: Packed, attempt: int) -> None:
        """Put rows in the place of all of a part, at once: readers see the old ones or the new.

        Rows that do not fit are left out, up to `rejected_max`. `attempt` differs from that of
        every earlier try at this part, whose fate may be unknown.
        """

    @abstractmethod
    def drop(self, *, table: Table, part: Part) -> None:
        """Take a part away; nothing happens when there is none."""

    @abstractmethod
    def ask(self, sql: str) -> list[dict[str, Any]]:
        """Run a query, in which `{requests}` and so on stand for tables. Literals are ours."""

    @abstractmethod
    def erase(self, *, table: Table, column: str, values: Sequence[str]) -> None:
        """Delete rows of a table for good, and wait until it is done."""
