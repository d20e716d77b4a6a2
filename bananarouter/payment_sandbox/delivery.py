"""Delivers signed notices, as well or as badly as the knobs say."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from bananarouter.payment_sandbox.book import Knobs

TIMEOUT_S = 5
_running: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One delivery: where, and what stands in it."""

    url: str
    body: bytes
    headers: dict[str, str]


# Signs anew for each attempt, as processors do; says whether an answer accepts.
Sign = Callable[[], Parcel]
Accepts = Callable[[int, bytes], bool]


def send(sign: Sign, accepts: Accepts, *, knobs: Knobs) -> None:
    """Start delivering a notice in the background."""
    if knobs.drop > 0:
        knobs.drop -= 1
        return
    for _ in range(max(1, knobs.copies)):
        task = asyncio.get_running_loop().create_task(_deliver(sign, accepts, knobs))
        _running.add(task)
        task.add_done_callback(_running.discard)


async def _deliver(sign: Sign, accepts: Accepts, knobs: Knobs) -> None:
    share = random.random() if knobs.shuffle else 1.0  # noqa: S311 - no secret
    await asyncio.sleep(share * knobs.delay_s)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
        for attempt in range(knobs.retries + 1):
            if attempt:
                await asyncio.sleep(knobs.retry_s * attempt)
            if await _try(session, sign(), accepts, knobs):
                return


async def _try(
    session: aiohttp.ClientSession, parcel: Parcel, accepts: Accepts, knobs: Knobs
) -> bool:
    body = parcel.body[: -knobs.truncate] if knobs.truncate else parcel.body
    try:
        async with session.post(
            parcel.url, data=body, headers=parcel.headers, allow_redirects=False
        ) as answer:
            return accepts(answer.status, await answer.content.read(4_096))
    except (aiohttp.ClientError, TimeoutError):
        return False
