"""What holds for any request, any answer and any bytes."""

import json

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import jsonedit
from routing.conversation import (
    Answer,
    Choice,
    Citation,
    FinishReason,
    Image,
    Reasoning,
    Request,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.dialects.base import Quirks
from routing.errors import RelayError
from routing.translators import gemini_generate
from routing.translators.base import Target
from routing.translators.folding import fold, unfold
from routing.translators.gemini_generate.offsets import Offsets
from routing.translators.gemini_generate.schema_out import to_openapi
from tests.routing.translators.gemini_generate import play

EFFORT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NONEMPTY = WORDS.filter(bool)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
KEYS = st.sampled_from(
    [
        "contents", "role", "parts", "text", "thought", "thoughtSignature", "functionCall", "name",
        "args", "id", "function_call", "functionResponse", "response", "inlineData", "inline_data",
        "mimeType", "data", "fileData", "fileUri", "systemInstruction", "tools", "any_of", "enum",
        "functionDeclarations", "parameters", "type", "properties", "items", "nullable",
        "toolConfig", "functionCallingConfig", "mode", "generationConfig", "thinkingConfig",
        "thinkingBudget",
        "stopSequences", "responseSchema", "responseMimeType", "speechConfig", "googleSearch",
        "responseFormat", "$ref", "candidates", "content", "finishReason", "groundingMetadata",
        "groundingChunks", "groundingSupports", "segment", "endIndex", "groundingChunkIndices",
        "citationMetadata", "citations", "logprobsResult", "chosenCandidates", "index", "web",
        "uri",
    ]
)  # fmt: skip
VALUES = SCALARS | st.sampled_from(["user", "model", "ANY", "OBJECT", "STOP", "image/png", "AAAA"])
JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | WORDS, inner, max_size=5),
    max_leaves=30,
)
# Shapes that are nearly right reach further than any JSON does.
PARTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "text": WORDS | JSON,
            "thought": st.booleans(),
            "thoughtSignature": WORDS,
            "functionCall": st.fixed_dictionaries(
                {"name": NONEMPTY}, optional={"id": WORDS, "args": st.dictionaries(WORDS, JSON)}
            ),
            "functionResponse": st.fixed_dictionaries(
                {"name": WORDS}, optional={"id": WORDS, "response": st.dictionaries(WORDS, JSON)}
            ),
            "inlineData": st.fixed_dictionaries({"mimeType": WORDS, "data": WORDS}) | JSON,
        },
    ),
    max_size=4,
)
ROLES = st.sampled_from(["model", "user"])
BODIES = st.fixed_dictionaries(
    {
        "contents": st.lists(
            st.fixed_dictionaries({"parts": PARTS}, optional={"role": ROLES}),
            max_size=5,
        )
    },
    optional={
        "tools": st.lists(st.dictionaries(KEYS, JSON, max_size=3), max_size=3) | JSON,
        "generationConfig": st.dictionaries(KEYS, JSON, max_size=5) | JSON,
        "systemInstruction": JSON,
        "toolConfig": JSON,
    },
)  # fmt: skip


@EFFORT
@given(
    body=st.dictionaries(KEYS, JSON, max_size=6) | BODIES,
    level=st.sampled_from(["level", "budget"]),
)
def test_any_json_is_a_request_or_a_400(body, level):
    try:
        body = jsonedit.read(json.dumps(body).encode()).value
        request = gemini_generate.decode_request(body, seal_key=play.KEY)
        assert isinstance(request, Request)
        target = Target(
            upstream_name="m",
            quirks=Quirks(reasoning=level, takes_json_schema_tools=level == "level"),
        )
        made = gemini_generate.encode_request(request, target)
        again = gemini_generate.encode_request(request, target)
    except RelayError as error:
        status = error.status
    else:
        status = 200
        assert made.outbound.body == again.outbound.body
        assert b"br1." not in made.outbound.body
        json.loads(made.outbound.body)
    assert status in (200, 400)


@EFFORT
@given(
    documents=st.lists(JSON | st.dictionaries(KEYS, JSON), max_size=4), noise=st.binary(max_size=40)
)
def test_any_bytes_are_events_and_events_make_a_valid_stream(documents, noise):
    decoder = gemini_generate.stream_decoder()
    events = [*decoder.decode(noise)]
    for one in documents:
        events += decoder.decode(json.dumps(one).encode())
        events += decoder.decode(json.dumps({"candidates": [one]}).encode())
        part = json.dumps({"candidates": [{"content": {"parts": [one]}}]})
        events += decoder.decode(part.encode())
    events += decoder.end()
    fold(events)
    assert play.written(events, is_array=True).endswith(b"]")


SEALS = st.builds(Seal, format=st.just(SealFormat.GOOGLE), data=st.sampled_from(["QUJD", "RUZH"]))
MAYBE = st.none() | SEALS
ARGUMENTS = st.dictionaries(WORDS, st.integers() | WORDS, max_size=3).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
)
CALLS = st.builds(ToolCall, id=NONEMPTY, name=NONEMPTY, arguments=ARGUMENTS, seal=MAYBE)
PICTURES = st.builds(Image, mime=st.just("image/png"), data=st.just(play.PNG), seal=MAYBE)
THOUGHTS = st.builds(
    Reasoning, text=NONEMPTY, format=st.just(SealFormat.GOOGLE), seal=MAYBE
) | st.builds(Reasoning, format=st.just(SealFormat.GOOGLE), seal=SEALS)


@st.composite
def texts(draw):
    """Draw a text whose sources have spans: Google's answers have no others that tell where."""
    text = draw(NONEMPTY)
    citations = []
    for url in draw(st.lists(st.sampled_from(["https://a.test", "https://b.test"]), unique=True)):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        citations.append(Citation(url=url, title=draw(WORDS), start=start, end=end))
    return Text(
        text=text, citations=tuple(sorted(citations, key=lambda c: c.url)), seal=draw(MAYBE)
    )


@st.composite
def choices(draw):
    parts = draw(st.lists(texts() | CALLS | PICTURES | THOUGHTS, max_size=6))
    kept = []
    for part in parts:  # Google's format joins thoughts that nothing parts
        latest = kept[-1] if kept else None
        if isinstance(part, Reasoning) and isinstance(latest, Reasoning) and latest.seal is None:
            continue
        kept.append(part)
    has_calls = any(isinstance(part, ToolCall) for part in kept)
    finish = FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP
    return Choice(parts=tuple(kept), finish=finish, native_finish="STOP")


def sorted_sources(answer):
    """Sources of one text have no order in Google's format."""

    def mended(part):
        if not isinstance(part, Text):
            return part
        told = sorted(part.citations, key=lambda c: (c.url, c.title, c.start, c.end))
        return msgspec.structs.replace(part, citations=tuple(told))

    return [(tuple(map(mended, c.parts)), c.finish, c.native_finish) for c in answer.choices]


@EFFORT
@given(answer=st.builds(Answer, choices=st.lists(choices(), min_size=1, max_size=2).map(tuple)))
def test_an_answer_comes_back_as_it_was(answer):
    assert sorted_sources(gemini_generate.decode_answer(play.whole(answer))) == sorted_sources(
        answer
    )


@EFFORT
@given(answer=st.builds(Answer, choices=st.lists(choices(), min_size=1, max_size=2).map(tuple)))
def test_a_stream_says_what_the_whole_answer_says(answer):
    stream = play.documents(play.written(unfold(answer)))
    told = fold(play.decoded(*stream))
    assert [play.text_of(told, n) for n in range(len(told.choices))] == [
        play.text_of(answer, n) for n in range(len(answer.choices))
    ]
    assert play.calls_of(told) == play.calls_of(answer)
    seals = [[p.seal for p in c.parts if getattr(p, "seal", None)] for c in told.choices]
    assert seals == [[p.seal for p in c.parts if getattr(p, "seal", None)] for c in answer.choices]
    assert [c.finish for c in told.choices] == [c.finish for c in answer.choices]


@EFFORT
@given(pieces=st.lists(WORDS, max_size=8), at=st.integers(0, 80))
def test_offsets_go_there_and_back(pieces, at):
    offsets, text = Offsets(), "".join(pieces)
    for piece in pieces:
        offsets.add(piece)
    if at > len(text):
        assert offsets.byte_of(at) is None
        return
    byte = len(text[:at].encode())
    assert offsets.byte_of(at) == byte
    assert offsets.char_of(byte) == at
    assert offsets.char_of(len(text.encode()) + 1) is None


ALLOWED = {
    "type", "format", "title", "description", "nullable", "default", "enum", "items", "properties",
    "required", "anyOf",
}  # fmt: skip
SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "null", ["integer", "null"]])}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array"]),
            "properties": st.dictionaries(WORDS, inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, max_size=3),
            "oneOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=3),
            "additionalProperties": st.booleans() | inner,
            "const": SCALARS,
            "enum": st.lists(SCALARS, max_size=3),
            "required": st.lists(WORDS, max_size=2),
            "$ref": st.sampled_from(["#", "#/properties/a", "#/x"]),
            "minimum": st.integers(),
        },
    ),
    max_leaves=12,
)


@EFFORT
@given(schema=SCHEMAS | JSON)
def test_any_schema_becomes_words_that_google_takes(schema):
    found, _ = to_openapi(
        schema if isinstance(schema, dict) else {"properties": {"a": schema}}, "p"
    )
    stack = [found]
    while stack:
        node = stack.pop()
        assert node.keys() <= ALLOWED
        assert all(type(value) is str for value in node.get("enum", []))
        stack += [*node.get("properties", {}).values(), *node.get("anyOf", [])]
        stack += [node["items"]] if "items" in node else []
