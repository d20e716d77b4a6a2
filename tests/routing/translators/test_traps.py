"""Known traps in vendors' answers, for every client that may meet them; docs/traps.md lists all."""

import json
from typing import Any

import pytest

from billing.usage import UnitClass
from routing.dialects.base import Quirks
from routing.readers.base import Flag
from routing.surfaces import Surface
from tests.routing.translators import passage, seeds
from tests.routing.translators.grammar_responses import responses
from tests.routing.translators.grammars import CHECKS, Gathered
from tests.routing.translators.passage import CLIENTS, Passage

CHAT, RESPONSES, MESSAGES, GENERATE = (
    Surface.CHAT,
    Surface.RESPONSES,
    Surface.MESSAGES,
    Surface.GENERATE,
)
CALLING = (CHAT, RESPONSES, MESSAGES, GENERATE)
every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
every_caller = pytest.mark.parametrize("client", CALLING, ids=lambda client: client.name)


def framed(*documents: Any) -> bytes:
    """Write events as their vendor does; a text is its own data."""
    blocks = []
    for one in documents:
        kind = one.get("type") if isinstance(one, dict) else None
        data = json.dumps(one) if isinstance(one, dict) else one
        blocks.append((f"event: {kind}\n" if kind else "") + f"data: {data}\n\n")
    return "".join(blocks).encode()


def played(wire: Surface, client: Surface, stream: bytes, **options: Any) -> Passage:
    choices = options.pop("choices", 1)
    quirks = options.pop("quirks", Quirks())
    answering = passage.answering(client, is_stream=True, **options)
    return Passage(wire, answering, choices=choices, quirks=quirks).stream([stream])


def gathered(made: Passage) -> Gathered:
    """Return what the client has of a stream that ended well, checked by its grammar."""
    client = made.answering.surface
    check = responses if client is RESPONSES else CHECKS[client]
    assert made.is_finished
    return check(made.data, is_finished=True)


def last(made: Passage) -> Any:
    return seeds.documents(made.data, made.answering.surface)[-1]


def finish_of(made: Passage) -> Any:
    """Return the word by which the client learns why the answer ended."""
    client, found = made.answering.surface, seeds.documents(made.data, made.answering.surface)
    if client is MESSAGES:
        return found[-2]["delta"]["stop_reason"]
    if client is RESPONSES:
        response = found[-1]["response"]
        return (response["incomplete_details"] or {}).get("reason") or response["status"]
    if client is GENERATE:
        return found[-1]["candidates"][0]["finishReason"]
    return next(c["finish_reason"] for x in found for c in x["choices"] if c["finish_reason"])


def usage_of(made: Passage) -> tuple[int, int]:
    """Return all of the prompt and all of the output, as the client counts them."""
    told, client = last(made), made.answering.surface
    if client is MESSAGES:
        usage = seeds.documents(made.data, client)[-2]["usage"]
        caches = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
        return usage["input_tokens"] + caches, usage["output_tokens"]
    if client is GENERATE:
        usage = told["usageMetadata"]
        prompt = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
        return prompt, usage["totalTokenCount"] - prompt
    usage = told["response"]["usage"] if client is RESPONSES else told["usage"]
    if client is RESPONSES:
        return usage["input_tokens"], usage["output_tokens"]
    return usage["prompt_tokens"], usage["completion_tokens"]


# Pieces of streams


def chunk(delta: Any = None, finish: Any = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **fields}


def piece(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": head.pop("name")} if "name" in head else {})
    return chunk({"tool_calls": [{"index": index, **head, "function": function}]})


COUNTED = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
DONE = "[DONE]"


def message(*middle: dict[str, Any], stop: str = "end_turn", start: Any = None, end: Any = None,
            **delta: Any) -> list[dict[str, Any]]:  # fmt: skip
    usage = start if start is not None else {"input_tokens": 10, "output_tokens": 1}
    return [
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": usage}},
        *middle,
        {"type": "message_delta", "delta": {"stop_reason": stop, **delta},
         "usage": end or {"output_tokens": 4}},
        {"type": "message_stop"},
    ]  # fmt: skip


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def said(text: str = "ok") -> list[dict[str, Any]]:
    return block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": text})


def candidate(*parts: Any, finish: Any = None, **fields: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"index": 0}
    if parts:
        told["content"] = {"role": "model", "parts": list(parts)}
    if finish:
        told["finishReason"] = finish
    return {"candidates": [told], **fields}


METADATA = {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14}


def completed(*items: Any, status: str = "completed", **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    response = {"id": "r", "status": status, "output": list(items), "usage": usage, **fields}
    return {"type": f"response.{status}", "response": response}


def item(index: int, told: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": told}


WORDS = {"type": "message", "id": "msg_1", "role": "assistant",
         "content": [{"type": "output_text", "text": "ok", "annotations": []}]}  # fmt: skip
# The same short answer of every wire format.
SHORT = {
    CHAT: [chunk({"content": "ok"}), chunk(finish="stop"), {"choices": [], "usage": COUNTED}, DONE],
    MESSAGES: message(*said()),
    GENERATE: [candidate({"text": "ok"}, finish="STOP", usageMetadata=METADATA)],
    RESPONSES: [item(0, WORDS), completed(WORDS)],
}
pairs = pytest.mark.parametrize(
    ("wire", "client"), [(wire, client) for wire in SHORT for client in CLIENTS],
    ids=lambda surface: surface.name,
)  # fmt: skip

# Calls

INTERLEAVED = [
    piece(0, "", id="call_a", type="function", name="f"),
    piece(1, '{"b"', id="call_b", type="function", name="g"),
    piece(0, '{"a":'),
    piece(1, ":2}"),
    piece(0, "1}"),
    chunk(finish="tool_calls"),
    {"choices": [], "usage": COUNTED},
    DONE,
]


@every_caller
def test_parallel_calls_that_interleave_arrive_whole(client):
    found = gathered(played(CHAT, client, framed(*INTERLEAVED)))
    assert {name: json.loads(text) for name, text in found.calls} == {"f": {"a": 1}, "g": {"b": 2}}


EMPTY = {
    CHAT: [piece(0, "", id="a", name="f"), chunk(finish="tool_calls"), DONE],
    MESSAGES: message(*block(0, {"type": "tool_use", "id": "a", "name": "f", "input": {}}),
                      stop="tool_use"),
    GENERATE: [candidate({"functionCall": {"name": "f"}}, finish="STOP")],
    RESPONSES: [item(0, {"type": "function_call", "id": "fc", "call_id": "a", "name": "f",
                         "arguments": ""}), completed()],
}  # fmt: skip


@pytest.mark.parametrize("wire", EMPTY, ids=lambda wire: wire.name)
@every_caller
def test_a_call_without_arguments_is_one_of_an_empty_object(wire, client):
    found = gathered(played(wire, client, framed(*EMPTY[wire])))
    ((name, text),) = found.calls
    assert name == "f"
    # Anthropic's own streams, and OpenAI's of Responses, say nothing for nothing.
    assert json.loads(text or "{}") == {}
    assert text or client in (MESSAGES, RESPONSES)


@every_caller
@pytest.mark.parametrize("wire", EMPTY, ids=lambda wire: wire.name)
def test_a_call_makes_the_finish_whatever_the_vendor_calls_it(wire, client):
    """Google says STOP, Responses completed, many chat vendors stop."""
    documents = EMPTY[wire]
    if wire is CHAT:
        documents = [documents[0], chunk(finish="stop"), DONE]
    wanted = {CHAT: "tool_calls", RESPONSES: "completed", MESSAGES: "tool_use", GENERATE: "STOP"}
    assert finish_of(played(wire, client, framed(*documents))) == wanted[client]


# Ends

FINISHES = {
    (CHAT, "stop"): ("stop", "completed", "end_turn", "STOP"),
    (CHAT, "length"): ("length", "max_output_tokens", "max_tokens", "MAX_TOKENS"),
    (CHAT, "content_filter"): ("content_filter", "content_filter", "refusal", "SAFETY"),
    (CHAT, "eos"): ("stop", "completed", "end_turn", "STOP"),
    (MESSAGES, "end_turn"): ("stop", "completed", "end_turn", "STOP"),
    (MESSAGES, "stop_sequence"): ("stop", "completed", "stop_sequence", "STOP"),
    (MESSAGES, "max_tokens"): ("length", "max_output_tokens", "max_tokens", "MAX_TOKENS"),
    (MESSAGES, "model_context_window_exceeded"): (
        "length", "max_output_tokens", "model_context_window_exceeded", "MAX_TOKENS"),
    (MESSAGES, "pause_turn"): ("stop", "completed", "pause_turn", "STOP"),
    (MESSAGES, "compaction"): ("stop", "completed", "pause_turn", "STOP"),
    (MESSAGES, "refusal"): ("content_filter", "completed", "refusal", "SAFETY"),
    (GENERATE, "STOP"): ("stop", "completed", "end_turn", "STOP"),
    (GENERATE, "MAX_TOKENS"): ("length", "max_output_tokens", "max_tokens", "MAX_TOKENS"),
    (GENERATE, "SAFETY"): ("content_filter", "content_filter", "refusal", "SAFETY"),
    (GENERATE, "RECITATION"): ("content_filter", "content_filter", "refusal", "RECITATION"),
    (RESPONSES, "completed"): ("stop", "completed", "end_turn", "STOP"),
    (RESPONSES, "max_output_tokens"): ("length", "max_output_tokens", "max_tokens", "MAX_TOKENS"),
    (RESPONSES, "content_filter"): ("content_filter", "content_filter", "refusal", "SAFETY"),
}  # fmt: skip


def ending(wire: Surface, reason: str) -> list[Any]:
    if wire is CHAT:
        return [chunk({"content": "ok"}), chunk(finish=reason), DONE]
    if wire is MESSAGES:
        return message(
            *said(), stop=reason, stop_sequence="X" * (reason == "stop_sequence") or None
        )
    if wire is GENERATE:
        return [candidate({"text": "ok"}, finish=reason, usageMetadata=METADATA)]
    if reason == "completed":
        return [item(0, WORDS), completed(WORDS)]
    details = {"incomplete_details": {"reason": reason}}
    return [item(0, WORDS), completed(WORDS, status="incomplete", **details)]


@every_caller
@pytest.mark.parametrize(("wire", "reason"), FINISHES, ids=str)
def test_every_reason_of_the_end_has_its_word(wire, reason, client):
    made = played(wire, client, framed(*ending(wire, reason)))
    assert gathered(made).texts == {0: "ok"}
    assert finish_of(made) == FINISHES[wire, reason][CALLING.index(client)]


def test_the_stop_sequence_that_was_hit_is_told():
    made = played(MESSAGES, MESSAGES, framed(*ending(MESSAGES, "stop_sequence")))
    assert seeds.documents(made.data, MESSAGES)[-2]["delta"]["stop_sequence"] == "X"


LATE = {
    CHAT: {"error": {"message": "late", "code": 500}},
    MESSAGES: {"type": "error", "error": {"type": "overloaded_error", "message": "late"}},
    GENERATE: {"error": {"code": 500, "message": "late", "status": "INTERNAL"}},
}


@every_client
@pytest.mark.parametrize("wire", LATE, ids=lambda wire: wire.name)
def test_an_error_after_the_finish_changes_nothing(wire, client):
    short = [one for one in SHORT[wire] if one not in (DONE, {"type": "message_stop"})]
    made = played(wire, client, framed(*short, LATE[wire]))
    assert gathered(made).texts == {0: "ok"}
    assert b"late" not in made.data
    assert made.reader.flags >= {Flag.LATE_ERROR}


@every_client
def test_a_finish_without_its_mark_is_whole(client):
    made = played(CHAT, client, framed(*SHORT[CHAT][:-1]))
    assert gathered(made).texts == {0: "ok"}


@every_client
@pytest.mark.parametrize("wire", SHORT, ids=lambda wire: wire.name)
def test_an_answer_without_its_finish_is_none(wire, client):
    cut = {CHAT: SHORT[CHAT][:1], MESSAGES: SHORT[MESSAGES][:-2], RESPONSES: SHORT[RESPONSES][:1],
           GENERATE: [candidate({"text": "ok"})]}  # fmt: skip
    made = played(wire, client, framed(*cut[wire]))
    assert made.is_failed
    check = responses if client is RESPONSES else CHECKS[client]
    check(made.data, is_finished=False)


# Framing


@pairs
def test_the_framing_of_events_changes_nothing(wire, client):
    plain = framed(*SHORT[wire])
    wanted = played(wire, client, plain)
    assert gathered(wanted).texts == {0: "ok"}
    variants = [
        plain.replace(b"\n", b"\r\n"),
        plain.replace(b"\n", b"\r"),
        plain.replace(b"data: ", b"data:").replace(b"event: ", b"event:"),
        b": OPENROUTER PROCESSING\n\n" + plain.replace(b"\n\n", b"\n\n\n: more\n\nid: 7\n\n"),
        b"\xef\xbb\xbf" + plain,
        plain.replace(b', "', b',\ndata: "'),
    ]
    for variant in variants:
        assert played(wire, client, variant).data == wanted.data


@pairs
def test_a_character_and_an_event_may_be_cut_anywhere(wire, client):
    text = "é漢🍌" * 40
    body = framed(*SHORT[wire]).replace(b'"ok"', json.dumps(text, ensure_ascii=False).encode())
    wanted = played(wire, client, body)
    assert gathered(wanted).texts == {0: text}
    for size in (1, 2, 3, 5, 64):
        made = Passage(wire, passage.answering(client, is_stream=True))
        made.stream(body[at : at + size] for at in range(0, len(body), size))
        assert made.data == wanted.data


@every_client
def test_husks_of_vendors_are_no_content(client):
    """No role, null content, fields that nobody knows (recorded from a dozen vendors)."""
    husk = {"content": None, "role": None, "refusal": None, "tool_calls": None, "audio": None,
            "function_call": None, "name": "x", "channel": "final", "reasoning": None}  # fmt: skip
    body = framed(
        {"id": "", "model": "", "choices": [], "prompt_filter_results": []},
        chunk(husk, finish="", x_groq={"id": 1}, system_fingerprint=None, p="pad"),
        chunk({"content": "ok", "tool_calls": []}, obfuscation="xx"),
        chunk({"content": ""}, finish="stop", time_info={"a": [1]}),
        {"choices": [], "usage": COUNTED, "service_tier": None},
        DONE,
    )
    made = played(CHAT, client, body)
    assert gathered(made).texts == {0: "ok"}
    assert usage_of(made) == (10, 4)


# Usage

HALF = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
TEXT, END = chunk({"content": "ok"}), chunk(finish="stop")
USAGES = {
    "in a chunk of its own": [TEXT, END, {"choices": [], "usage": COUNTED}, DONE],
    "beside the finish": [TEXT, {**END, "usage": COUNTED}, DONE],
    "beside the last text": [{**chunk({"content": "ok"}, "stop"), "usage": COUNTED}, DONE],
    "in two chunks": [TEXT, {**END, "usage": HALF}, {"choices": [], "usage": COUNTED}, DONE],
    "in every chunk": [{**TEXT, "usage": HALF}, {**END, "usage": COUNTED}, DONE],
    "null until the end": [{**TEXT, "usage": None}, {**END, "usage": COUNTED}, DONE],
    "with a second finish": [TEXT, {**END, "usage": HALF}, {**END, "usage": COUNTED}, DONE],
    "of Groq": [TEXT, {**END, "x_groq": {"usage": COUNTED}}, DONE],
}


@every_client
@pytest.mark.parametrize("place", USAGES)
def test_the_last_usage_counts_wherever_it_stands(place, client):
    made = played(CHAT, client, framed(*USAGES[place]))
    assert gathered(made).texts == {0: "ok"}
    assert gathered(made).usages == 1
    assert usage_of(made) == (10, 4)


@every_client
def test_an_answer_without_usage_is_whole(client):
    """What it costs is estimated by those who meter."""
    made = played(CHAT, client, framed(TEXT, END, DONE))
    assert made.reader.usage is None
    assert gathered(made).usages == 1


@every_client
@pytest.mark.parametrize("end", [{"input_tokens": 10, "output_tokens": 4}, {"output_tokens": 4}])
def test_what_anthropic_counts_at_the_end_replaces_the_start(end, client):
    """The start may say 0/0, or the input alone; the last word is cumulative."""
    start = {"input_tokens": 0 if "input_tokens" in end else 10, "output_tokens": 0}
    made = played(MESSAGES, client, framed(*message(*said(), start=start, end=end)))
    assert usage_of(made) == (10, 4)
    if client is MESSAGES:
        begun = seeds.documents(made.data, client)
        assert [one["type"] for one in begun].count("message_start") == 1
        assert begun[0]["message"]["usage"]["input_tokens"] > 0  # our estimate


CACHED = {
    CHAT: ([TEXT, {**END, "usage": {**COUNTED, "prompt_tokens_details": {"cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 3}}}, DONE], Quirks()),
    MESSAGES: (message(*said(), start={"input_tokens": 4, "cache_read_input_tokens": 6},
                       end={"output_tokens": 4, "output_tokens_details": {"thinking_tokens": 3}}),
               Quirks()),
    GENERATE: ([candidate({"text": "ok"}, finish="STOP", usageMetadata={
        "promptTokenCount": 10, "cachedContentTokenCount": 6, "candidatesTokenCount": 1,
        "thoughtsTokenCount": 3, "totalTokenCount": 14})], Quirks()),
    RESPONSES: ([item(0, WORDS), completed(WORDS, usage={
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 6}, "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 14})], Quirks()),
    "xAI": ([TEXT, {**END, "usage": {
        "prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 3}}}, DONE],
        Quirks(reasoning_outside=True)),
}  # fmt: skip


@every_client
@pytest.mark.parametrize("vendor", CACHED, ids=str)
def test_cached_and_reasoning_tokens_are_counted_once(vendor, client):
    """Some count them inside of the total, some beside it."""
    documents, quirks = CACHED[vendor]
    wire = CHAT if vendor == "xAI" else vendor
    made = played(wire, client, framed(*documents), quirks=quirks)
    assert made.reader.usage.quantities == {
        UnitClass.INPUT: 4, UnitClass.CACHE_READ: 6, UnitClass.OUTPUT: 1, UnitClass.REASONING: 3,
    }  # fmt: skip
    assert usage_of(made) == (10, 4)


@every_client
def test_geminis_prompt_of_tools_and_its_modalities_are_counted_once(client):
    usage = {
        "promptTokenCount": 10, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 4,
        "totalTokenCount": 21,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7},
                                {"modality": "AUDIO", "tokenCount": 3}],
    }  # fmt: skip
    body = framed(candidate({"text": "ok"}, finish="STOP", usageMetadata=usage))
    made = played(GENERATE, client, body)
    assert made.reader.usage.quantities == {
        UnitClass.INPUT: 7, UnitClass.AUDIO_INPUT: 3, UnitClass.TOOL_PROMPT: 7, UnitClass.OUTPUT: 4,
    }  # fmt: skip
    assert usage_of(made) == (17, 4)


# Several choices, probabilities, filters


@every_client
def test_of_several_choices_as_many_are_told_as_there_are_words_for(client):
    def at(index, told):
        return {"choices": [{**told["choices"][0], "index": index}]}

    other = chunk({"content": "two"})
    body = framed(TEXT, at(1, other), END, at(1, chunk(finish="length")), DONE)
    found = gathered(played(CHAT, client, body, choices=2))
    alone = client in (RESPONSES, MESSAGES)
    assert found.texts == ({0: "ok"} if alone else {0: "ok", 1: "two"})


@pytest.mark.parametrize("client", [CHAT, RESPONSES, GENERATE, Surface.COMPLETIONS],
                         ids=lambda client: client.name)  # fmt: skip
def test_probabilities_are_told_to_those_who_have_a_word(client):
    score = {"token": "ok", "logprob": -0.25, "bytes": [111, 107], "top_logprobs": []}
    scored = chunk({"content": "ok"})
    scored["choices"][0]["logprobs"] = {"content": [score]}
    made = played(CHAT, client, framed(scored, END, DONE), body={"top_logprobs": 1})
    assert gathered(made).texts == {0: "ok"}
    assert b"-0.25" in made.data


@every_client
@pytest.mark.parametrize("answer", [
    {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 10}},
    candidate(finish="SAFETY", usageMetadata=METADATA),
    {"candidates": [], "promptFeedback": {"blockReason": "OTHER"}},
], ids=["blocked prompt", "no content", "no candidates"])  # fmt: skip
def test_geminis_filters_end_an_answer_without_content(answer, client):
    made = played(GENERATE, client, framed(answer))
    assert gathered(made).texts == {}
    wanted = {RESPONSES: "content_filter", MESSAGES: "refusal"}
    found = finish_of(made)
    assert found == wanted.get(client, "content_filter") or client is GENERATE
    assert client is not GENERATE or found in ("SAFETY", "OTHER")
