"""What a chapter leaves open for the installation to fill in: `{{origin}}`, `{{body_mib}}` ..."""

import re
from typing import Final

from django.conf import settings

from bananarouter.pages import words
from routing.error_codes import TABLE, Code

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
# The name in examples where no model can be reached yet.
MODEL: Final = "openai/gpt-5"


def fill(text: str, *, origin: str, model: str | None) -> str:
    """Put this installation's own values into a chapter. Raises: KeyError for an unknown place."""
    known = {
        "origin": origin,
        "model": model or MODEL,
        "error_table": _errors(),
        "body_mib": str(settings.BODY_BYTES_MAX >> 20),
        "first_byte_s": str(settings.FIRST_BYTE_TIMEOUT_S),
        "gap_s": str(settings.GAP_TIMEOUT_S),
        "stream_min": str(settings.STREAM_TIMEOUT_S // 60),
        "key_requests_per_minute": f"{settings.KEY_REQUESTS_PER_MINUTE:,}",
        "key_concurrency": f"{settings.KEY_CONCURRENCY:,}",
        "account_concurrency": f"{settings.ACCOUNT_CONCURRENCY:,}",
        "ip_requests_per_minute": f"{settings.IP_REQUESTS_PER_MINUTE:,}",
        "log_retention_days": str(settings.LOG_RETENTION_DAYS),
    }
    return _PLACE.sub(lambda match: known[match.group(1)], text)


def _errors() -> str:
    """Return the table of all codes, in the reader's language."""
    rows = [
        f"| `{code}` | {TABLE[code].status} | {words.failure(code)} |"
        for code in sorted(Code, key=lambda code: (TABLE[code].status, code))
    ]
    return "\n".join(["| | | |", "|---|---|---|", *rows])
