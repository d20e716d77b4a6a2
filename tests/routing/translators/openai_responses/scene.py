"""Requests, answers and streams as the tests of this translator use them."""

import json
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from billing.usage import UnitClass, Usage
from routing import conversation, sse
from routing.dialects.base import Quirks
from routing.events import Event
from routing.surfaces import Surface
from routing.translators import openai_responses
from routing.translators.base import Answering, Bill, Encoded, Target

KEY = b"the key of one account"
HEX = "0123456789abcdef" * 2
ID = f"gen-{HEX}"
SEALS = {"include": ["reasoning.encrypted_content"]}
BILL = Bill(
    usage=Usage(
        quantities={
            UnitClass.INPUT: 699,
            UnitClass.CACHE_READ: 2048,
            UnitClass.CACHE_WRITE_5M: 3,
            UnitClass.OUTPUT: 62,
            UnitClass.REASONING: 576,
        }
    ),
    cost_nusd=317_000,
)

_response = TypeAdapter(Response)
_event = TypeAdapter(ResponseStreamEvent)


def answering(body: dict[str, Any] | None = None, **more: Any) -> Answering:
    told = {"model": "acme/large", "vendor": "Acme", "created": 1_790_000_000, "seal_key": KEY}
    return Answering(surface=Surface.RESPONSES, id=ID, body=body or {}, **{**told, **more})


def target(*, output_limit: int | None = None, **quirks: Any) -> Target:
    return Target(
        upstream_name="gpt-x",
        quirks=Quirks(**quirks),
        account_tag="tag-of-alice",
        output_limit=output_limit,
        seal_key=KEY,
    )


def decode(body: dict[str, Any]) -> conversation.Request:
    return openai_responses.decode_request({"model": "m", "input": "hi", **body}, seal_key=KEY)


def encode(
    request: conversation.Request, at: Target | None = None
) -> tuple[dict[str, Any], Encoded]:
    encoded = openai_responses.encode_request(request, at or target())
    return json.loads(encoded.outbound.body), encoded


def documents(raw: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each must be one that the SDK knows, numbered from 0."""
    found = []
    for event in sse.Splitter().feed(raw):
        document = json.loads(sse.data_of(event))
        assert event.startswith(b"event: " + document["type"].encode() + b"\n")
        _event.validate_python(document)
        found.append(document)
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    return found


def stream(events: list[Event], at: Answering | None = None) -> list[dict[str, Any]]:
    """What a client gets for these events, to the end."""
    encoder = openai_responses.stream_encoder(at or answering())
    raw = b"".join(encoder.encode(event) for event in events)
    return documents(raw + encoder.finish(BILL))


def whole(answer: conversation.Answer, at: Answering | None = None) -> dict[str, Any]:
    """A whole answer, which must be one that the SDK knows."""
    raw = openai_responses.encode_answer(answer, answering=at or answering(), bill=BILL)
    document = json.loads(raw)
    _response.validate_python(document)
    return document


def answer(*parts: conversation.Part, **choice: Any) -> conversation.Answer:
    told = {"finish": conversation.FinishReason.STOP, **choice}
    return conversation.Answer(choices=(conversation.Choice(parts=parts, **told),))


def read(body: str) -> list[Event]:
    """What a vendor's recorded or hand-made stream says in our words."""
    decoder = openai_responses.stream_decoder()
    found: list[Event] = []
    for event in sse.Splitter().feed(body.encode() + b"\n\n"):
        if data := sse.data_of(event):
            found += decoder.decode(data)
    found += decoder.end()
    return found


def vendor(*events: dict[str, Any]) -> list[Event]:
    """What a vendor's events say in our words."""
    return read("".join(f"data: {json.dumps(event)}\n\n" for event in events))


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("response.") for one in found]
