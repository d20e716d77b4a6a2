"""What the process tells of itself: JSON logs on stderr, and its metrics.

A line holds a constant message and fields. What other packages log is cut down to what cannot
carry content: the message's template without its arguments, and of an exception its type and
place, never its text or its frames' values.
"""

import asyncio
import logging
import re
import resource
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import prometheus_client
import structlog
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import multiprocess

from bananarouter import env

logger = logging.getLogger(__name__)

OURS = ("accounts", "billing", "routing", "logs", "bananarouter")
FRAMES_MAX = 12
TEMPLATE_CHARACTERS_MAX = 200
REDACTED = "[redacted]"
EXPOSITION_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_SECRET = re.compile(
    r"""
    bnr_[a-z]+_[0-9A-Za-z]+                                # our own keys
    | \b(?:sk|rk|pk|gsk|xai|pplx|hf|whsec|r8)[-_][\w-]{12,}   # vendors' and processors' keys
    | \bAIza[\w-]{20,} | \bya29\.[\w.-]+                   # Google's keys and tokens
    | \beyJ[\w-]{10,}\.[\w-]+\.[\w-]*                      # JSON web tokens
    | (?i:\bBearer\s+)[^\s"',]+
    | (?i:\b(?:authorization|(?:x-|x-goog-)?api-key|cookie)\b["']?\s*[:=]\s*["']?
        (?:(?:Bearer|Basic)\s+)?)[^\s"',}]+
    | (?i:[?&]key=)[^&\s"]+
    | [\w.+-]+@[\w-]+\.[\w.-]+                             # an email address
    """,
    re.VERBOSE,
)
# Packages that put values into the message itself: only their name and level are kept.
_TALKATIVE = ("asyncio", "aiohttp", "celery", "redis", "urllib3", "genai_prices")
# Attributes that every record has, and those that other formatters leave on it.
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "told_error"}


def redact(text: str) -> str:
    """Return the text without anything that looks like a key, a credential or an email."""
    return _SECRET.sub(REDACTED, text)


def describe(error: BaseException) -> dict[str, object]:
    """Tell an exception by type and place: no message, no values of its frames."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    told: dict[str, object] = {
        "error": type(error).__name__,
        "place": [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames],
    }
    if (cause := error.__cause__ or error.__context__) is not None:
        told["cause"] = type(cause).__name__
        if isinstance(sqlstate := getattr(cause, "sqlstate", None), str):
            told["sqlstate"] = sqlstate
    return told


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in OURS


def _fields(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: the fields of one record; foreign records keep almost none."""
    record: logging.LogRecord = event["_record"]
    if not event["_from_structlog"]:
        if _is_ours(record.name):
            extra = vars(record).items()
            event.update({k: v for k, v in extra if k not in _STANDARD and k[0] != "_"})
        else:
            event["event"] = _template(record)
            status = getattr(record, "status_code", None)
            if isinstance(status, int):
                event["status"] = status
    if (error := getattr(record, "told_error", None)) is not None:
        event.update(describe(error))
    event["logger"] = record.name
    event["level"] = record.levelname.lower()
    return event


def _template(record: logging.LogRecord) -> str:
    if record.name.startswith(_TALKATIVE) or not isinstance(record.msg, str):
        return "message of another package"
    return record.msg[:TEMPLATE_CHARACTERS_MAX]


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record as one line of JSON, redacted as a whole."""

    def __init__(self) -> None:
        super().__init__(
            processors=[
                _fields,
                structlog.contextvars.merge_contextvars,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=_type_only),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        told = logging.makeLogRecord(vars(record))
        if told.exc_info:  # the standard formatter would append the exception's text
            told.told_error = told.exc_info[1]
        told.exc_info = told.exc_text = told.stack_info = None
        return redact(super().format(told))


def _type_only(value: object) -> str:
    return str(value) if isinstance(value, Path) else type(value).__name__


def configure(options: Mapping[str, Any]) -> None:
    """Set up logging (settings.LOGGING_CONFIG): one handler on the root, none elsewhere."""
    # Python prints a record that cannot be formatted, its arguments included.
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if dsn := options.get("reports_to"):
        root.addHandler(_reporter(dsn))
    root.setLevel(options["level"])
    for name in list(logging.Logger.manager.loggerDict):
        other = logging.getLogger(name)
        if not _is_ours(name):
            other.handlers.clear()  # Django's would mail a failed request to the admins
            other.propagate = True
            other.setLevel(max(logging.WARNING, other.level))
    # No access log: its lines would hold paths and query strings.
    for name in ("uvicorn", "uvicorn.access", "django", "django.server", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("django.server").disabled = True
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _reporter(dsn: str) -> logging.Handler:
    try:
        from bananarouter import error_reports  # noqa: PLC0415 - an extra: its SDK may be missing
    except ImportError as error:
        raise ImproperlyConfigured("SENTRY_DSN is set; install the extra `errors`.") from error
    return error_reports.Handler(dsn, Formatter())


def guard_process() -> None:
    """Keep a crash from writing memory anywhere: no core file, no text of a thread's error."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    threading.excepthook = _thread_died
    sys.unraisablehook = _unraisable


def _thread_died(told: threading.ExceptHookArgs) -> None:
    name = told.thread.name if told.thread else ""
    logger.error("thread died", exc_info=_triple(told.exc_value), extra={"of": name})


def _unraisable(told: Any) -> None:  # sys.UnraisableHookArgs exists for type checkers only
    logger.error("error could not be raised", exc_info=_triple(told.exc_value))


def _triple(
    error: BaseException | None,
) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    return (type(error), error, error.__traceback__) if error is not None else None


def guard_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what no task caught by type and place: asyncio's own line holds reprs."""
    loop.set_exception_handler(_loop_error)


def _loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    logger.error("event loop error", exc_info=_triple(error))


def prepare_metrics(folder: Path) -> dict[str, str]:
    """Empty the folder that several workers share; return what their environment needs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob("*.db"):
        stale.unlink()
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def forget_worker(pid: int, folder: Path) -> None:
    """Drop the gauges of a worker that died."""
    multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def exposition() -> bytes:
    """Return the metrics of all workers in Prometheus' text format."""
    if not env.text("PROMETHEUS_MULTIPROC_DIR"):
        return prometheus_client.generate_latest()
    registry = prometheus_client.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus_client.generate_latest(registry)
