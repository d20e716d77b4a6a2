"""Every recorded exchange of Responses, read and written again."""

import json

import pytest

from routing.conversation import FinishReason, Reasoning, Refusal, Role, Text, ToolCall
from routing.errors import Code, RelayError
from routing.surfaces import Surface
from routing.translators import folding, openai_responses
from tests.routing.readers.wire import case, cases
from tests.routing.translators.openai_responses.scene import (
    KEY,
    SEALS,
    answering,
    encode,
    read,
    stream,
    target,
    whole,
)

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
# What only OpenAI can run or holds; a model of another vendor cannot be asked for it.
NATIVE = {Code.UNSUPPORTED, Code.VENDOR_HANDLE}


def recorded():
    return [one for one in cases() if one.surface is Surface.RESPONSES and one.status == 200]


def document(one):
    """The whole answer, by code of this test's own."""
    if not one.is_sse:
        return json.loads(one.body)
    kinds = ("response.completed", "response.incomplete")
    return next(told["response"] for told in one.documents() if told["type"] in kinds)


def said(told):
    """Text, calls and end of an answer, by code of this test's own."""
    text, calls = "", []
    for item in told["output"]:
        if item["type"] == "message":
            text += "".join(part.get("text") or "" for part in item["content"])
        elif item["type"] in CALLS:
            calls.append((item["call_id"], item["name"], item[CALLS[item["type"]]]))
    return text, calls, told["status"]


def seen(answer):
    (choice,) = answer.choices
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    calls = [(p.id, p.name, p.arguments) for p in choice.parts if isinstance(p, ToolCall)]
    is_cut = choice.finish in (FinishReason.LENGTH, FinishReason.CONTENT_FILTER)
    return text, calls, "incomplete" if is_cut else "completed"


def without_seals(answer):
    """OpenAI encrypts the same reasoning anew each time that it tells it."""
    (choice,) = answer.choices
    return [
        (part.text, part.is_summary, part.id, part.seal is not None)
        if isinstance(part, Reasoning)
        else part
        for part in choice.parts
    ], choice.finish


def test_every_whole_answer_says_the_same_in_our_words_and_back():
    count = 0
    for one in recorded():
        told = document(one)
        if told["status"] in ("queued", "in_progress"):
            continue  # `background`, which is refused
        answer = openai_responses.decode_answer(told)
        assert seen(answer) == said(told), one.id
        written = whole(answer, answering(SEALS))
        assert said(written) == said(told), one.id
        count += 1
    assert count > 180


def test_every_stream_says_what_its_last_event_repeats():
    count = 0
    for one in recorded():
        if one.is_sse:
            events = read(one.body.decode())
            told = document(one)
            answer = folding.fold(events)
            assert without_seals(answer) == without_seals(openai_responses.decode_answer(told))
            assert seen(answer) == said(told), one.id
            found = stream(events, answering(SEALS))
            assert said(found[-1]["response"]) == said(told), one.id
            count += 1
    assert count > 50


def meaning(body):
    """The conversation of a request by code of this test's own: who says or calls what."""
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    found, instructions = [], [body.get("instructions") or ""]
    # A client's search for tools is a function where the tools are not OpenAI's.
    searches = {item.get("call_id") for item in items if item.get("name") == "tool_search"}
    for item in items:
        if item.get("type", "message") != "message":
            told = [] if item.get("call_id") in searches else [beside(item)]
            if found and told and told[0] and told[0][0] == found[-1][0] == "reasoning":
                found.pop()  # a search of OpenAI's own stood between: it has no follower here
            found += filter(None, told)
            continue
        content = item["content"]
        parts = [{"text": content}] if isinstance(content, str) else content
        texts = [part.get("text", part.get("image_url", "file")) for part in parts]
        role = item["role"].replace("developer", "system")
        if role == "system" and not found:
            instructions += texts
        else:
            found += [(role, text) for text in texts if text]
    return [text for text in instructions if text], found


def beside(item):
    """What stands beside messages; None for what only OpenAI reads."""
    kind = item["type"]
    if kind in CALLS:
        return (item["call_id"], item["name"], item[CALLS[kind]])
    if kind in ("function_call_output", "custom_tool_call_output"):
        output = item["output"]
        parts = [{"text": output}] if isinstance(output, str) else output
        return (item["call_id"], [part.get("text", "media") for part in parts])
    if kind == "reasoning" and item.get("encrypted_content"):
        return ("reasoning", item.get("id"), item["encrypted_content"])
    return None


def functions(body):
    return {
        tool["name"]: tool.get("parameters") or {"type": "object", "properties": {}}
        for tool in body.get("tools") or []
        if tool["type"] == "function"
    }


def written(one):
    """The request as a vendor of Responses gets it; None where it needs what is at OpenAI."""
    try:
        request = openai_responses.decode_request(one.request, seal_key=KEY)
        return encode(request, target(reasoning="effort", seal="openai-responses-v1"))[0]
    except RelayError as error:
        if error.code in NATIVE or set(one.request) & {"previous_response_id", "conversation"}:
            return None
        raise


def test_every_request_means_the_same_when_it_was_read_and_written():
    count = 0
    for one in cases():
        body = written(one) if one.surface is Surface.RESPONSES else None
        if body is None:
            continue
        instructions, found = meaning(body)
        wanted, conversation = meaning(one.request)
        assert "\n\n".join(wanted) == "\n\n".join(instructions), one.id
        assert found == conversation, one.id
        assert functions(one.request).items() <= functions(body).items(), one.id
        wish = (one.request.get("text") or {}).get("format") or {"type": "text"}
        if wish["type"] != "text":
            assert body["text"]["format"].get("schema") == wish.get("schema"), one.id
        if isinstance(one.request.get("tool_choice"), str) and functions(one.request):
            assert body["tool_choice"] == one.request["tool_choice"], one.id
        count += 1
    assert count > 180


@pytest.mark.parametrize(
    ("tail", "finish"),
    [
        ("340ef3779061", FinishReason.LENGTH),
        ("dd8cb122bf02", FinishReason.TOOL_CALLS),  # parallel calls, one delta each
        ("d3418efff30a", FinishReason.STOP),  # without sequence numbers
        ("037e30bb9d9c", FinishReason.STOP),  # xAI: bare ids
    ],
)
def test_reads_why_each_of_these_ended(tail, finish):
    one = case(tail)
    answer = (
        folding.fold(read(one.body.decode()))
        if one.is_sse
        else openai_responses.decode_answer(document(one))
    )
    assert answer.choices[0].finish is finish


def test_reads_the_thoughts_of_an_open_model():
    (choice,) = folding.fold(read(case("017b67fd6426").body.decode())).choices
    thought = choice.parts[0]
    assert isinstance(thought, Reasoning)
    assert thought.text.startswith("The user asks")
    assert not thought.is_summary


def test_citations_count_characters_of_the_text_that_they_stand_on():
    (choice,) = openai_responses.decode_answer(document(case("7dd2475da957"))).choices
    text = next(part for part in choice.parts if isinstance(part, Text) and part.citations)
    assert not text.text.isascii()
    for citation in text.citations:
        assert citation.url.startswith("http")
        assert 0 <= citation.start < citation.end <= len(text.text)


def test_a_custom_tool_with_a_grammar_comes_whole():
    one = case("0cbc38f4fa93")
    request = openai_responses.decode_request(one.request, seal_key=KEY)
    assert request.tools[0].grammar["syntax"] == "lark"
    (call,) = [
        part
        for part in openai_responses.decode_answer(document(one)).choices[0].parts
        if isinstance(part, ToolCall)
    ]
    assert (call.arguments, call.is_custom) == ("4 + 4", True)


@pytest.mark.parametrize("tail", ["380e4e33c5d4", "1d53b3a9029e"])
def test_results_keep_their_pictures_and_files(tail):
    request = openai_responses.decode_request(case(tail).request, seal_key=KEY)
    results = [part for turn in request.turns if turn.role is Role.TOOL for part in turn.parts]
    assert any(not isinstance(part, Text) for result in results for part in result.parts)


def test_a_refusal_is_never_taken_for_text():
    for one in recorded():
        told = document(one)
        refusals = [
            part["refusal"]
            for item in told["output"]
            for part in item.get("content") or []
            if part.get("type") == "refusal"
        ]
        (choice,) = openai_responses.decode_answer(told).choices
        assert [p.text for p in choice.parts if isinstance(p, Refusal)] == refusals
