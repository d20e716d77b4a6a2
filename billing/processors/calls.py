"""HTTP to processors that have no client of their own: one attempt, a deadline, a size limit."""

from collections.abc import Mapping
from dataclasses import dataclass

import requests

from billing.processors.base import Unavailable

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 15
ANSWER_BYTES_MAX = 1 << 20
FILE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    bytes_max: int = ANSWER_BYTES_MAX,
) -> Answer:
    """Send one request; no redirect is followed. Raises: Unavailable."""
    try:
        with requests.request(
            method,
            url,
            data=body or None,
            headers=dict(headers or {}),
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as response:
            found = bytearray()
            for chunk in response.iter_content(64 << 10):
                found += chunk
                if len(found) > bytes_max:
                    raise Unavailable("answer_too_large")
            return Answer(status=response.status_code, headers=response.headers, body=bytes(found))
    except requests.RequestException as error:
        raise Unavailable("no_answer") from error
