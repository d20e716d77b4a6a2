"""Try a channel: ask its vendor for the list of models, with the stored credential."""

import asyncio
import enum
import json
from dataclasses import dataclass

from routing import catalogue, credentials, models, upstream
from routing.errors import Code, from_vendor
from routing.surfaces import Family

DEADLINE_S = 10.0
ANSWER_BYTES_MAX = 8 << 20
# Anthropic refuses a request without it (API reference, 2026-11).
VERSION_HEADERS = {Family.ANTHROPIC: {"anthropic-version": "2023-06-01"}}


class Verdict(enum.StrEnum):
    """What a try tells of a channel."""

    WORKS = "works"  # it answered, and took the credential
    REFUSED = "refused"  # it answered, and refused the credential
    UNPROVEN = "unproven"  # it answered, but tells nothing of the credential
    SILENT = "silent"  # no answer, or a broken one
    LOCKED = "locked"  # the stored credential does not open


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict; status and number of models where there was an answer."""

    verdict: Verdict
    status: int | None = None
    models: int | None = None


def probe(row: models.Channel) -> Finding:
    """Ask for the models within 10 seconds; costs nothing and sends no prompt."""
    try:
        channel = catalogue.opened(row)
    except credentials.CredentialError:
        return Finding(verdict=Verdict.LOCKED)
    return asyncio.run(_ask(channel))


async def _ask(channel: catalogue.Channel) -> Finding:
    call = upstream.Call(
        url=catalogue.url(channel, "models"),
        headers={
            "accept": "application/json",
            **VERSION_HEADERS.get(channel.family, {}),
            **channel.auth_headers,
        },
        body=b"",
        method="GET",
    )
    pool = upstream.Pool()
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer = await pool.open(call, first_byte_timeout_s=DEADLINE_S)
            body = await answer.whole(bytes_max=ANSWER_BYTES_MAX)
    except (upstream.UpstreamFailed, TimeoutError):
        return Finding(verdict=Verdict.SILENT)
    finally:
        await pool.close()
    if answer.status < 300:
        count = _count(body)
        verdict = Verdict.UNPROVEN if count is None else Verdict.WORKS
        return Finding(verdict=verdict, status=answer.status, models=count)
    error = from_vendor(
        status=answer.status, headers=answer.headers, body=body, family=channel.family
    )
    refused = error.code is Code.UPSTREAM_AUTH or answer.status in {401, 403}
    verdict = Verdict.REFUSED if refused else Verdict.UNPROVEN
    return Finding(verdict=verdict, status=answer.status)


def _count(body: bytes) -> int | None:
    """Return how many models a list holds; None when it is no such list."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    return len(found) if isinstance(found, list) else None
