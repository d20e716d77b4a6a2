"""The demo vendor's HTTP server: paths, credentials, pace and mischief."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

import bananarouter.demo_vendor
from bananarouter.demo_vendor import (
    answers,
    anthropic_messages,
    beats,
    embeddings,
    forms,
    gemini_generate,
    media,
    mischief,
    openai_chat,
    openai_responses,
)
from bananarouter.demo_vendor.forms import LABELED
from bananarouter.demo_vendor.mischief import Refused

BODY_BYTES_MAX = 64 << 20
GARBAGE = b"<html><body>502 Bad Gateway</body></html>\n\n"
NO_BUFFERING = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Whole = Callable[[dict[str, Any], answers.Prompt, answers.Answer, mischief.Plan], dict[str, Any]]
Events = Callable[
    [dict[str, Any], answers.Prompt, answers.Answer, mischief.Plan], Iterator[beats.Beat]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What the server asks of a protocol's module."""

    whole: Whole
    events: Events
    error: Callable[[int], dict[str, Any]]
    error_event: Callable[[int], bytes]


def _protocol(module: Any) -> Protocol:
    return Protocol(
        whole=module.whole,
        events=module.events,
        error=module.error,
        error_event=module.error_event,
    )


CHAT = _protocol(openai_chat)
RESPONSES = _protocol(openai_responses)
MESSAGES = _protocol(anthropic_messages)
GEMINI = _protocol(gemini_generate)


def application() -> web.Application:
    """Make the server's application."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_get("/", _about)
    app.router.add_get("/v1/models", _models)
    app.router.add_post("/v1/chat/completions", _guarded(CHAT, _chat))
    app.router.add_post("/v1/responses", _guarded(RESPONSES, _responses))
    app.router.add_post("/v1/responses/input_tokens", _guarded(RESPONSES, _input_tokens))
    app.router.add_post("/v1/responses/compact", _guarded(RESPONSES, _compact))
    app.router.add_post("/v1/embeddings", _guarded(CHAT, _embeddings))
    for path, handler in media.HANDLERS.items():
        app.router.add_post(path, _guarded(CHAT, handler))
    app.router.add_post("/v1/messages", _guarded(MESSAGES, _messages))
    app.router.add_post("/v1/messages/count_tokens", _guarded(MESSAGES, _count_tokens))
    for version in ("v1", "v1beta"):
        app.router.add_post(f"/{version}/models/{{model}}:{{verb}}", _guarded(GEMINI, _gemini))
    return app


Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def _guarded(protocol: Protocol, handler: Handler) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Check credential and body; tell errors in the protocol's form."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            if not _has_credential(request):
                raise Refused(401)
            body = await forms.read(request)
            if str(request.match_info.get("model", body.get("model"))) not in answers.PROFILES:
                raise Refused(404)
            return await handler(request, body)
        except Refused as refused:
            status = refused.status
        except (KeyError, TypeError, ValueError, AttributeError):
            status = 400
        headers = {**LABELED, "Retry-After": "1"} if status in {429, 503, 529} else LABELED
        return web.json_response(protocol.error(status), status=status, headers=headers)

    return handle


def _has_credential(request: web.Request) -> bool:
    names = ("Authorization", "x-api-key", "x-goog-api-key", "api-key")
    return any(request.headers.get(name) for name in names) or "key" in request.query


async def _chat(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return await _answer(request, CHAT, body, openai_chat.read(body))


async def _responses(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return await _answer(request, RESPONSES, body, openai_responses.read(body))


async def _messages(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return await _answer(request, MESSAGES, body, anthropic_messages.read(body))


async def _embeddings(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    given = body["input"]
    mischief.refuse(mischief.read(given if isinstance(given, str) else ""))
    return web.json_response(embeddings.openai(body), headers=LABELED)


async def _count_tokens(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    counted = answers.prompt_tokens(anthropic_messages.read(body))
    return web.json_response({"input_tokens": counted}, headers=LABELED)


async def _input_tokens(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    counted = answers.prompt_tokens(openai_responses.read(body))
    told = {"object": "response.input_tokens", "input_tokens": counted}
    return web.json_response(told, headers=LABELED)


async def _compact(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    prompt = openai_responses.read(body)
    mischief.refuse(mischief.read(prompt.latest))
    return web.json_response(openai_responses.compacted(body, prompt), headers=LABELED)


async def _gemini(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    model, verb = request.match_info["model"], request.match_info["verb"]
    body = gemini_generate.camel(body)
    if verb == "embedContent":
        return web.json_response(embeddings.gemini(body), headers=LABELED)
    if verb == "batchEmbedContents":
        return web.json_response(embeddings.gemini_batch(body), headers=LABELED)
    if verb == "countTokens":
        prompt = gemini_generate.read(
            body.get("generateContentRequest") or body, model=model, is_stream=False
        )
        counted = answers.prompt_tokens(prompt)
        return web.json_response({"totalTokens": counted}, headers=LABELED)
    if verb not in {"generateContent", "streamGenerateContent"}:
        raise Refused(404)
    is_stream = verb == "streamGenerateContent"
    prompt = gemini_generate.read(body, model=model, is_stream=is_stream)
    return await _answer(request, GEMINI, body, prompt)


async def _answer(
    request: web.Request, protocol: Protocol, body: dict[str, Any], prompt: answers.Prompt
) -> web.StreamResponse:
    """Answer at the model's pace, as planned."""
    plan = mischief.read(prompt.directed)
    profile = answers.PROFILES[prompt.model]
    first_s = profile.first_token_s * plan.pace if plan.first_s is None else plan.first_s
    mischief.refuse(plan)
    answer = answers.compose(prompt, plan)
    await asyncio.sleep(first_s)
    each_s = plan.pace / profile.tokens_per_s
    if not prompt.is_stream:
        await asyncio.sleep(each_s * answer.output_tokens)
        return await _whole(request, protocol, protocol.whole(body, prompt, answer, plan), plan)
    is_array = protocol is GEMINI and request.query.get("alt") != "sse"
    kind = "application/json" if is_array else "text/event-stream"
    response = web.StreamResponse(headers={"Content-Type": kind, **NO_BUFFERING, **LABELED})
    await response.prepare(request)
    planned = _as_array(protocol.events(body, prompt, answer, plan))
    stream = planned if is_array else protocol.events(body, prompt, answer, plan)
    await _send(request, response, protocol, Paced(stream, each_s, plan))
    return response


def _as_array(stream: Iterator[beats.Beat]) -> Iterator[beats.Beat]:
    """Turn Gemini's events into the JSON array that it streams without `alt=sse`."""
    before = b"["
    for beat in stream:
        yield beats.Beat(data=before + beat.data[6:].strip(), tokens=beat.tokens)
        before = b",\r\n"
    yield beats.Beat(data=b"]")


@dataclass(frozen=True, slots=True)
class Paced:
    """A stream, its pace and what shall go wrong with it."""

    beats: Iterator[beats.Beat]
    each_s: float
    plan: mischief.Plan


async def _send(
    request: web.Request, response: web.StreamResponse, protocol: Protocol, paced: Paced
) -> None:
    plan = paced.plan
    loop = asyncio.get_running_loop()
    due = loop.time()
    try:
        for number, beat in enumerate(paced.beats):
            if number in {plan.cut, plan.reset, plan.stall, plan.error, plan.garbage}:
                await _misbehave(request, response, protocol, plan, number)
                if number != plan.garbage:
                    return
            due += beat.tokens * paced.each_s
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await response.write(beat.data)
        await response.write_eof()
    except (ConnectionError, asyncio.CancelledError):
        # The caller hung up: that is its right.
        return


async def _misbehave(
    request: web.Request,
    response: web.StreamResponse,
    protocol: Protocol,
    plan: mischief.Plan,
    number: int,
) -> None:
    """Do what the plan says happens before event `number`."""
    if number == plan.garbage:
        await response.write(GARBAGE)
    elif number == plan.error:
        await response.write(protocol.error_event(500))
        await response.write_eof()
    elif number == plan.stall:
        await asyncio.sleep(mischief.SECONDS_MAX)
    else:
        _hang_up(request, resets=number == plan.reset)


def _hang_up(request: web.Request, *, resets: bool) -> None:
    """Close the connection in the middle: with FIN, or with RST."""
    transport = request.transport
    if transport is None:
        return
    if resets:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()


async def _whole(
    request: web.Request, protocol: Protocol, value: dict[str, Any], plan: mischief.Plan
) -> web.StreamResponse:
    if plan.stall is not None:
        await asyncio.sleep(mischief.SECONDS_MAX)
    if plan.error is not None:
        return web.json_response(protocol.error(500), headers=LABELED)  # 200 with an error in it
    if plan.garbage is not None:
        return web.Response(body=GARBAGE, content_type="text/html", headers=LABELED)
    data = beats.compact(value).encode()
    if plan.cut is None and plan.reset is None:
        return web.Response(body=data, content_type="application/json", headers=LABELED)
    length = {"Content-Length": str(len(data)), "Content-Type": "application/json"}
    response = web.StreamResponse(headers={**length, **LABELED})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    _hang_up(request, resets=plan.reset is not None)
    return response


async def _models(_request: web.Request) -> web.Response:
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "demo"}
        for name in answers.PROFILES
    ]
    return web.json_response({"object": "list", "data": data}, headers=LABELED)


async def _about(_request: web.Request) -> web.Response:
    return web.Response(text=bananarouter.demo_vendor.__doc__ or "", headers=LABELED)
