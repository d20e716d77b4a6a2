"""Handlers of images, sound and judgments; the server puts its guard around each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web

from bananarouter.demo_vendor import answers, beats, judgments, mischief, pictures, sounds
from bananarouter.demo_vendor.forms import LABELED

Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


async def _wait(body: dict[str, Any], words: str) -> None:
    """Take the model's time, or refuse, as the words plan it."""
    plan = mischief.read(words)
    mischief.refuse(plan)
    await asyncio.sleep(answers.PROFILES[body["model"]].first_token_s * plan.pace)


async def _stream(request: web.Request, planned: Iterator[beats.Beat]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **LABELED})
    await response.prepare(request)
    try:
        for beat in planned:
            await response.write(beat.data)
        await response.write_eof()
    except ConnectionError:  # the caller hung up: that is its right
        pass
    return response


async def _images(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await _wait(body, str(body.get("prompt", "")))
    if pictures.is_stream(body):
        name = "image_edit" if request.path.endswith("/edits") else "image_generation"
        return await _stream(request, pictures.events(body, name))
    return web.json_response(pictures.whole(body), headers=LABELED)


async def _speech(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await _wait(body, body["input"])
    if body.get("stream_format") == "sse":
        return await _stream(request, sounds.speech_events(body))
    sound, kind = sounds.speech(body)
    return web.Response(body=sound, headers={"Content-Type": kind, **LABELED})


async def _transcript(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await _wait(body, str(body.get("prompt", "")))
    if sounds.is_stream(body):
        return await _stream(request, sounds.transcript_events(body))
    text, kind = sounds.written(body)
    return web.Response(body=text, headers={"Content-Type": kind, **LABELED})


async def _moderation(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await _wait(body, str(body["input"]))
    return web.json_response(judgments.moderation(body), headers=LABELED)


async def _ranking(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await _wait(body, body["query"])
    return web.json_response(judgments.ranking(body), headers=LABELED)


HANDLERS: Mapping[str, Handler] = {
    "/v1/images/generations": _images,
    "/v1/images/edits": _images,
    "/v1/images/variations": _images,
    "/v1/audio/speech": _speech,
    "/v1/audio/transcriptions": _transcript,
    "/v1/audio/translations": _transcript,
    "/v1/moderations": _moderation,
    "/v1/rerank": _ranking,
}
