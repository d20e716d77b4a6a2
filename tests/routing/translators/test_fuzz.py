"""No bytes of a vendor and none of a client break a translation, whatever pair they meet."""

import contextlib
import json
import random
from functools import cache
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from routing import dialects
from routing.dialects.base import PathParts, Quirks
from routing.errors import RelayError
from routing.surfaces import Surface
from routing.translators import translator
from routing.translators.base import Target
from routing.translators.registry import VENDORS
from tests.routing.dialects import recordings
from tests.routing.readers import wire
from tests.routing.translators import grammars, mutations, outbound, passage, seed_requests, seeds
from tests.routing.translators.grammar_responses import responses
from tests.routing.translators.passage import CLIENTS, Passage

CHECKS = {**grammars.CHECKS, Surface.RESPONSES: responses}
SEED_BYTES_MAX = 8_000
# How often what a client gets is put through the official SDK's own types.
SDK_SHARE = 0.04
_EVENTS = {
    Surface.CHAT: TypeAdapter(ChatCompletionChunk),
    Surface.RESPONSES: TypeAdapter(ResponseStreamEvent),
    Surface.MESSAGES: TypeAdapter(RawMessageStreamEvent),
    Surface.GENERATE: TypeAdapter(GenerateContentResponse),
}
_WHOLES = {
    Surface.CHAT: TypeAdapter(ChatCompletion),
    Surface.COMPLETIONS: TypeAdapter(Completion),
    Surface.RESPONSES: TypeAdapter(Response),
    Surface.MESSAGES: TypeAdapter(Message),
    Surface.GENERATE: TypeAdapter(GenerateContentResponse),
}
VENDOR_QUIRKS = [
    Quirks(), Quirks(), Quirks(seal="xai-responses-v1"), Quirks(reasoning_outside=True),
    Quirks(audio_outside=True),
]  # fmt: skip
TARGET_QUIRKS = [
    Quirks(),
    Quirks(reasoning="effort", takes_sampling=False, output_limit_field="max_completion_tokens",
           forces_store_false=True, account_field="safety_identifier", system_role="developer"),
    Quirks(reasoning="budget", account_field="metadata.user_id", takes_cache_control=True),
    Quirks(reasoning="budget", takes_schema_with_tools=False, takes_json_schema_tools=False,
           budget_min=128, budget_max=4_000),
    Quirks(reasoning="adaptive", takes_system_turns=True, efforts="low medium high"),
    Quirks(reasoning="level", takes_audio=False, reasoning_stops=False, stops_max=1),
    Quirks(has_short_call_ids=True, takes_stream_options=False, takes_strict=False,
           takes_json_schema=False, takes_json_mode=False, reasoning_back_field="reasoning_content",
           seed_field="random_seed", takes_parallel_switch=False),
    Quirks(reasoning="openrouter", takes_reasoning_details=True, takes_custom_tools=True,
           takes_cache_key=True, takes_top_k=True, call_id_chars_max=40,
           seal="xai-responses-v1"),
    Quirks(reasoning="enable_thinking", takes_stop=False, takes_logprobs=False, seed_field=""),
]  # fmt: skip


@contextlib.contextmanager
def named(*what: object):
    """Say with a failure how to play it again."""
    try:
        yield
    except Exception as error:
        error.add_note(f"played: {what}")
        raise


@cache
def recorded_streams() -> dict[Surface, list[list[tuple[bytes, Any]]]]:
    found = {surface: seeds.streams(surface) for surface in VENDORS}
    for case in wire.cases():
        if case.surface in VENDORS and case.is_sse and len(case.body) <= SEED_BYTES_MAX:
            found[case.surface].append(mutations.events_of(case.body))
    return found


@cache
def recorded_wholes() -> dict[Surface, list[Any]]:
    found = {surface: seeds.wholes(surface) for surface in VENDORS}
    for case in wire.cases():
        if case.surface in VENDORS and not case.is_sse and len(case.body) <= SEED_BYTES_MAX:
            found[case.surface].append(json.loads(case.body))
    return found


def odd_stream(dice: random.Random) -> tuple[Surface, bytes, bool]:
    """Return a wire format, a broken stream of it, and whether it is one JSON array."""
    surface = dice.choice(list(VENDORS))
    pool = recorded_streams()[surface]
    events = dice.choice(pool)
    others = dice.choice(dice.choice(list(recorded_streams().values())) if dice.random() < 0.1
                         else pool)  # fmt: skip
    is_array = surface is Surface.GENERATE and dice.random() < 0.2
    broken = mutations.odd_array if is_array else mutations.odd_stream
    body = broken(events, dice, others)
    return surface, mutations.odd_bytes(body, dice) if dice.random() < 0.25 else body, is_array


def answering_for(client: Surface, dice: random.Random):
    is_platform = client in (Surface.CHAT, Surface.COMPLETIONS) and dice.random() < 0.3
    body = {} if dice.random() < 0.5 else dice.choice(seed_requests.client_bodies(client))
    return passage.answering(
        client,
        is_platform=is_platform,
        is_stream=True,
        wants_stream_usage=dice.random() < 0.7,
        is_array=client is Surface.GENERATE and dice.random() < 0.3,
        body=body,
    )


def check_stream(played: Passage, *, dice: random.Random) -> None:
    """Check all that a client got of a stream."""
    answering = played.answering
    client = answering.surface
    wants_usage = answering.is_platform or answering.wants_stream_usage
    found = CHECKS[client](played.data, is_finished=played.is_finished, wants_usage=wants_usage)
    if not played.is_finished:
        return
    is_counted = wants_usage or client not in (Surface.CHAT, Surface.COMPLETIONS)
    assert found.usages == is_counted
    if played.told:  # of a stream
        assert found.texts == passage.texts(played.told, client)
        if client is not Surface.COMPLETIONS and not answering.body.keys() & {"tools", "functions"}:
            wanted = passage.calls(played.told)
            assert sorted(name for name, _ in found.calls) == sorted(wanted), "a call is lost"
    if dice.random() < SDK_SHARE:
        for document in seeds.documents(played.data, client):
            if client is Surface.GENERATE:  # a vendor's own seal passes as broken as it is
                seeds.unsign(document)
            if is_known(document, client):
                _EVENTS[client].validate_python(document)


def is_known(document: dict[str, Any], client: Surface) -> bool:
    """Tell whether the SDK has a type for it: no pings, no custom tools in chat's streams."""
    if client is Surface.COMPLETIONS:  # whole ones only
        return False
    return document.get("type") != "ping" and "custom" not in str(document.get("choices"))


def play_stream(number: int) -> int:
    """Play one broken stream to every client; return how many cases that was."""
    dice = random.Random(number)
    surface, body, is_array = odd_stream(dice)
    quirks = dice.choice(VENDOR_QUIRKS)
    choices = dice.choice([1, 1, 1, 2])
    for client in CLIENTS:
        answering = answering_for(client, dice)

        def play(chunks, answering=answering):
            made = Passage(surface, answering, quirks=quirks, choices=choices, is_array=is_array)
            return made.stream(chunks)

        with named(number, surface, client):
            played = play([body])
            check_stream(played, dice=dice)
            again = play(mutations.cut(body, dice))
            assert again.data == played.data, "another cut, another answer"
    return len(CLIENTS)


@pytest.mark.proof(n=100_000)
def test_no_stream_breaks_a_translation(proof_count):
    wanted, played, number = proof_count(4_000, 100_000), 0, 0
    while played < wanted:
        played += play_stream(number)
        number += 1


def play_whole(number: int) -> int:
    """Play one broken whole answer to every client; return how many cases that was."""
    dice = random.Random(number)
    surface = dice.choice(list(VENDORS))
    pool = recorded_wholes()[surface]
    document = dice.choice(pool)
    for _ in range(dice.choice([1, 1, 2, 3])):
        document = mutations.odd_json(document, dice, [dice.choice(pool)])
    body = mutations.written(document)
    if dice.random() < 0.1:
        body = mutations.odd_bytes(body, dice)
    quirks = dice.choice(VENDOR_QUIRKS)
    for client in CLIENTS:
        answering = answering_for(client, dice)
        with named(number, surface, client):
            played = Passage(surface, answering, quirks=quirks, tool_names={"f": "g"})
            if not played.whole(body):
                continue
            told = grammars.strict(played.data)
            if dice.random() < SDK_SHARE * 5:
                if client is Surface.GENERATE:
                    seeds.unsign(told)
                _WHOLES[client].validate_python(told)
            streamed = Passage(surface, answering, quirks=quirks)
            assert streamed.whole(body)
            streamed.data = streamed.stream_whole()
            check_stream(streamed, dice=dice)
    return len(CLIENTS)


@pytest.mark.proof(n=60_000)
def test_no_whole_answer_breaks_a_translation(proof_count):
    wanted, played, number = proof_count(4_000, 60_000), 0, 0
    while played < wanted:
        played += play_whole(number)
        number += 1


# Requests


@cache
def recorded_requests() -> dict[Surface, list[tuple[Any, PathParts]]]:
    found = {surface: seed_requests.requests(surface) for surface in CLIENTS}
    for case, surface in recordings.in_scope():
        body = case["request"]["body"]
        if surface in found and isinstance(body, dict) and len(str(body)) <= SEED_BYTES_MAX:
            found[surface].append((body, recordings.path_parts(case)))
    return found


def odd_request(dice: random.Random) -> tuple[Surface, bytes, PathParts]:
    surface = dice.choice(CLIENTS)
    pool = recorded_requests()[surface]
    body, path = dice.choice(pool)
    for _ in range(dice.choice([0, 1, 1, 2, 4])):
        body = mutations.odd_json(body, dice, [dice.choice(pool)[0]])
    raw = mutations.written(body)
    if dice.random() < 0.1:
        raw = mutations.odd_bytes(raw, dice)
    return surface, raw, path


def decoded(surface: Surface, raw: bytes, path: PathParts):
    """Read a request as the relay does."""
    dialect = dialects.for_surface(surface)
    inbound = dialect.decode(surface=surface, raw=raw, headers={}, path=path)
    dialect.demand(inbound)
    return translator.decode_request(inbound, seal_key=passage.KEY)


def play_request(number: int) -> int:
    """Send one broken request to every wire format; return how many cases that was."""
    dice = random.Random(number)
    surface, raw, path = odd_request(dice)
    with named(number, surface):
        try:
            request = decoded(surface, raw, path)
        except RelayError as error:
            if error.status != 400:
                raise
            return 1
    for wire_format in VENDORS:
        target = Target(
            upstream_name="upstream-1",
            quirks=dice.choice(TARGET_QUIRKS),
            account_tag="tag-of-alice",
            output_limit=dice.choice([None, 1, 700, 5_000]),
            output_tokens_max=dice.choice([None, 8_192]),
            seal_key=passage.KEY,
        )
        with named(number, surface, wire_format, target):
            try:
                encoded = translator.encode_request(
                    request, client=surface, wire=wire_format, target=target
                )
            except RelayError as error:
                if error.status != 400:
                    raise
                continue
            outbound.check(encoded.outbound, wire=wire_format, target=target)
            again = translator.encode_request(
                request, client=surface, wire=wire_format, target=target
            )
            assert again == encoded, "the same request, other bytes"
    return len(VENDORS)


@pytest.mark.proof(n=60_000)
def test_no_request_breaks_a_translation(proof_count):
    wanted, played, number = proof_count(4_000, 60_000), 0, 0
    while played < wanted:
        played += play_request(number)
        number += 1
