"""Error reports to whom SENTRY_DSN names: what our log lines hold, and nothing else.

The SDK only carries them. All its integrations are off, for they take along request bodies, values
of frames and queries; an event is made of the log line, which carries no content (observability).
"""

import json
import logging
from typing import Any

import sentry_sdk

# Of the log line, beside what has a place of its own in an event.
_PLACED = ("event", "level", "logger", "time", "error")
_ITSELF = "sentry_sdk"
_ALLOWED = frozenset({
    "event_id", "timestamp", "platform", "level", "logger", "message", "exception", "extra",
    "fingerprint", "environment", "sdk",
})  # fmt: skip


def _only_ours(event: Any, _hint: Any) -> Any:
    """Keep the fields that are made here: whatever a later version of the SDK adds goes."""
    return {name: value for name, value in event.items() if name in _ALLOWED}


class Handler(logging.Handler):
    """Reports records of level ERROR and above; sending is the SDK's own thread's."""

    def __init__(self, dsn: str, formatter: logging.Formatter) -> None:
        super().__init__(level=logging.ERROR)
        self.setFormatter(formatter)
        self._client = sentry_sdk.Client(
            dsn=dsn,
            default_integrations=False,
            auto_enabling_integrations=False,
            max_breadcrumbs=0,
            server_name="",
            auto_session_tracking=False,
            before_send=_only_ours,
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record; a report that cannot be made or sent is dropped."""
        if record.name.startswith(_ITSELF):
            return
        try:
            self._client.capture_event(_event(json.loads(self.format(record))))
        except Exception:  # noqa: BLE001 - the log line stands; a report must break nothing
            self.handleError(record)

    def flush(self) -> None:
        """Send what waits, for a moment."""
        self._client.flush(timeout=2.0)


def _event(line: dict[str, Any]) -> Any:
    places = line.get("place") or [""]
    told: dict[str, Any] = {
        "level": line["level"],
        "logger": line["logger"],
        "message": line["event"],
        "extra": {name: value for name, value in line.items() if name not in _PLACED},
        "fingerprint": [line["logger"], line["event"], line.get("error", ""), places[-1]],
    }
    if "error" in line:
        told["exception"] = {"values": [{"type": line["error"], "value": places[-1]}]}
    return told
