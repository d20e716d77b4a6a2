"""Short ways to put things through the translator of generateContent."""

import base64
import json
from typing import Any

from google.genai.types import GenerateContentResponse

from billing.usage import UnitClass, Usage
from routing import jsonedit
from routing.conversation import Answer, Request, Text, ToolCall
from routing.dialects.base import Quirks
from routing.events import Event
from routing.surfaces import Surface
from routing.translators import gemini_generate
from routing.translators.base import Answering, Bill, Encoded, Target
from routing.translators.folding import fold
from tests.routing.readers import wire

KEY = b"k" * 32
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 12).decode()
ANSWERING = Answering(
    surface=Surface.GENERATE,
    id="gen-" + "ab" * 16,
    model="google/gemini-3-flash",
    vendor="Google",
    created=1_790_000_000,
    body={},
    seal_key=KEY,
)
USAGE = Usage(quantities={UnitClass.INPUT: 7, UnitClass.OUTPUT: 5, UnitClass.REASONING: 3})
BILL = Bill(usage=USAGE, cost_nusd=1_234)


def asked(body: dict[str, Any] | None = None, **fields: Any) -> Request:
    """Decode a client's body; a smallest one with these fields when none is given."""
    body = body or {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **fields}
    return gemini_generate.decode_request(body, seal_key=KEY)


def encoded(request: Request, *, target: Target | None = None, **quirks: Any) -> Encoded:
    """Encode for a vendor of these quirks."""
    target = target or Target(
        upstream_name="gemini-x", quirks=Quirks(**{"reasoning": "level", **quirks}), seal_key=KEY
    )
    return gemini_generate.encode_request(request, target)


def sent(request: Request, **quirks: Any) -> dict[str, Any]:
    """Return the body that the vendor gets."""
    return json.loads(encoded(request, **quirks).outbound.body)


def decoded(*documents: Any) -> list[Event]:
    """Decode a stream of these documents."""
    decoder = gemini_generate.stream_decoder()
    events = [event for one in documents for event in decoder.decode(json.dumps(one).encode())]
    return [*events, *decoder.end()]


def chunk(*parts: Any, **candidate: Any) -> dict[str, Any]:
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {"candidates": [{**content, "index": 0, **candidate}], "responseId": "r1"}


def written(events: list[Event], *, is_array: bool = False, key: bytes = KEY) -> bytes:
    """Encode a stream of these events."""
    answering = Answering(
        **{name: getattr(ANSWERING, name) for name in _KEPT}, is_array=is_array, seal_key=key
    )
    encoder = gemini_generate.stream_encoder(answering)
    return b"".join(map(encoder.encode, events)) + encoder.finish(BILL)


_KEPT = ("surface", "id", "model", "vendor", "created", "body")


def documents(stream: bytes) -> list[dict[str, Any]]:
    """Return the chunks of a stream, each valid for the official SDK's strict types."""
    blocks = stream.split(b"\r\n\r\n")
    assert blocks.pop() == b""
    assert all(block.startswith(b"data: {") for block in blocks)
    found = [json.loads(block[6:]) for block in blocks]
    for one in found:
        GenerateContentResponse.model_validate(one)
    return found


def whole(answer: Answer) -> dict[str, Any]:
    """Return an answer as a client gets it, valid for the official SDK's strict types."""
    body = gemini_generate.encode_answer(answer, answering=ANSWERING, bill=BILL)
    GenerateContentResponse.model_validate_json(body)
    return json.loads(body)


def parts(document: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    return document["candidates"][index].get("content", {}).get("parts", [])


def recorded() -> list[wire.Case]:
    """All recorded exchanges of generateContent."""
    return [case for case in wire.cases() if case.surface is Surface.GENERATE]


def body_of(case: wire.Case) -> dict[str, Any]:
    return jsonedit.read(json.dumps(case.request).encode()).value


def heard(case: wire.Case) -> Answer:
    """Return the answer that the decoder makes of a recorded one."""
    if not case.is_stream:
        return gemini_generate.decode_answer(json.loads(case.body))
    return fold(decoded(*case.documents()))


def text_of(answer: Answer, index: int = 0) -> str:
    if not answer.choices:
        return ""
    return "".join(part.text for part in answer.choices[index].parts if isinstance(part, Text))


def calls_of(answer: Answer) -> list[tuple[str, Any]]:
    return [
        (part.name, json.loads(part.arguments))
        for choice in answer.choices
        for part in choice.parts
        if isinstance(part, ToolCall)
    ]
