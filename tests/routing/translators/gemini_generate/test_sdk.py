"""What Google's official SDK makes of our streams and answers, over its own client."""

import json

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from routing.conversation import (
    Answer,
    Choice,
    FinishReason,
    Reasoning,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.errors import Code, RelayError
from routing.events import (
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    Start,
    TextDelta,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import gemini_generate
from tests.routing.translators.gemini_generate.play import ANSWERING, BILL, KEY, written

SEAL = Seal(format=SealFormat.ANTHROPIC, data="ErUB+x/==")
EVENTS = [
    Start(),
    ReasoningDelta(text="I think"),
    ReasoningEnd(seal=SEAL, format=SealFormat.ANTHROPIC),
    TextDelta(text="Let"),
    TextDelta(text=" me"),
    ToolStart(call=0, id="toolu_1", name="f"),
    ToolDelta(call=0, arguments='{"a":1}'),
    ToolEnd(call=0),
    Finish(reason=FinishReason.TOOL_CALLS),
]


@pytest.fixture
def serve():
    """Return a client whose every request is answered with these bytes, and its requests."""

    def made(body: bytes):
        seen: list[dict] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            seen.append(json.loads(request.content))
            kind = "text/event-stream" if not body.startswith(b"{") else "application/json"
            return httpx2.Response(200, content=body, headers={"content-type": kind})

        client = httpx2.Client(transport=httpx2.MockTransport(answer))
        options = types.HttpOptions(base_url="http://x.test", httpx_client=client)
        return genai.Client(api_key="k", http_options=options), seen

    return made


def test_adds_a_stream_up(serve):
    client, _ = serve(written(EVENTS))
    chunks = list(client.models.generate_content_stream(model="m", contents="Hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Let me"
    calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    assert [(call.id, call.name, call.args) for call in calls] == [("toolu_1", "f", {"a": 1})]
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count == 15
    assert all(chunk.usage_metadata is None for chunk in chunks[:-1])


def test_reads_a_whole_answer(serve):
    answer = Answer(choices=(Choice(parts=(Text(text="Hi"),), finish=FinishReason.LENGTH),))
    client, _ = serve(gemini_generate.encode_answer(answer, answering=ANSWERING, bill=BILL))
    told = client.models.generate_content(model="m", contents="Hi")
    assert told.text == "Hi"
    assert told.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert told.response_id == "ab" * 16


@pytest.mark.parametrize("is_stream", [True, False])
def test_sends_foreign_reasoning_back_through_a_chat(serve, is_stream):
    call = ToolCall(id="toolu_1", name="f", arguments='{"a":1}')
    reasoning = Reasoning(text="I think", format=SealFormat.ANTHROPIC, seal=SEAL)
    parts = (reasoning, Text(text="Let me"), call)
    answer = Answer(choices=(Choice(parts=parts, finish=FinishReason.TOOL_CALLS),))
    whole = gemini_generate.encode_answer(answer, answering=ANSWERING, bill=BILL)
    client, seen = serve(written(EVENTS) if is_stream else whole)
    chat = client.chats.create(model="m")
    result = types.Part.from_function_response(name="f", response={"ok": True})
    result.function_response.id = "toolu_1"
    if is_stream:
        list(chat.send_message_stream("Hi"))
        list(chat.send_message_stream([result]))
    else:
        chat.send_message("Hi")
        chat.send_message([result])
    turns = gemini_generate.decode_request(seen[1], seal_key=KEY).turns
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert turns[1].parts == parts
    assert turns[2].parts[0].call_id == "toolu_1"


def test_raises_the_error_that_ends_a_stream(serve):
    encoder = gemini_generate.stream_encoder(ANSWERING)
    data = encoder.encode(TextDelta(text="a"))
    data += encoder.fail(RelayError(code=Code.UPSTREAM_OVERLOADED, message="busy"))
    client, _ = serve(data)
    with pytest.raises(errors.APIError, match="busy"):
        list(client.models.generate_content_stream(model="m", contents="Hi"))


def test_skips_the_empty_lines_that_keep_a_stream_alive(serve):
    first, rest = written(EVENTS).split(b"\r\n\r\n", 1)
    client, _ = serve(b"\r\n" + first + b"\r\n\r\n\r\n\r\n" + rest)
    chunks = list(client.models.generate_content_stream(model="m", contents="Hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Let me"


@pytest.mark.parametrize(
    "data",
    [
        b": cost_usd=0.1\r\n\r\n" + written(EVENTS),
        written(EVENTS)[:-2] + b": cost_usd=0.1\r\n\r\n",
    ],
)
def test_cannot_take_a_comment_so_that_none_may_tell_the_cost(serve, data):
    client, _ = serve(data)
    with pytest.raises(errors.UnknownApiResponseError):
        list(client.models.generate_content_stream(model="m", contents="Hi"))
    assert b"\n:" not in written(EVENTS)
