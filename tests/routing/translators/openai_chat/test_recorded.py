"""Every recorded chat completion through this translator, against a plain reading of it."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from routing.conversation import (
    Answer,
    Choice,
    FinishReason,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from routing.surfaces import Surface
from routing.translators import folding, openai_chat
from tests.routing.readers import wire
from tests.routing.translators.openai_chat.samples import (
    BILL,
    KEY,
    answering,
    decoded,
    documents,
    encoded,
    streamed,
)

_WHOLE = TypeAdapter(ChatCompletion)
_CHUNK = TypeAdapter(ChatCompletionChunk)
# Refused before translation: a file stored at the vendor.
_HANDLES = {"9912cdfa3caf"}


def _cases() -> list[wire.Case]:
    found = [case for case in wire.cases() if case.surface is Surface.CHAT]
    assert len(found) > 300
    return found


def _answers() -> list[wire.Case]:
    return [case for case in _cases() if case.status == 200 and b'"error"' not in case.body]


def _answer(case: wire.Case) -> Answer:
    if not case.is_sse:
        return openai_chat.decode_answer(json.loads(case.body))
    return folding.fold(decoded(*_events(case)))


def _events(case: wire.Case) -> list[bytes]:
    rows = case.body.decode().splitlines()
    return [row[5:].strip().encode() for row in rows if row.startswith("data:")]


class _Plain:
    """What a case says, read in the simplest way that could be right."""

    def __init__(self, case: wire.Case) -> None:
        self.text: dict[int, str] = {}
        self.thoughts: dict[int, str] = {}
        self.arguments: dict[int, str] = {}
        self.names: dict[int, list[str]] = {}
        self.finish: dict[int, str] = {}
        for document in case.documents():
            for choice in document.get("choices") or []:
                index = choice.get("index", 0)
                self._take(index, choice.get("message") or choice.get("delta") or {})
                self.finish.setdefault(index, choice.get("finish_reason") or "")
                self.finish[index] = self.finish[index] or choice.get("finish_reason") or ""

    def _take(self, index: int, message: dict[str, Any]) -> None:
        content = message.get("content") or ""
        if isinstance(content, list):
            text = "".join(part.get("text", "") for part in content)
            pieces = [piece["text"] for part in content for piece in part.get("thinking", [])]
            self._add(self.thoughts, index, "".join(pieces))
        else:
            text = content
        self._add(self.text, index, text)
        thought = message.get("reasoning_content") or message.get("reasoning") or ""
        self._add(self.thoughts, index, thought)
        for call in message.get("tool_calls") or []:
            function = call["function"]
            self._add(self.arguments, index, function.get("arguments") or "")
            if function.get("name"):
                self.names.setdefault(index, []).append(function["name"])

    @staticmethod
    def _add(places: dict[int, str], index: int, text: str) -> None:
        places[index] = places.get(index, "") + text


def _told(choice: Choice, kind: type) -> list[Any]:
    return [part for part in choice.parts if isinstance(part, kind)]


def test_every_recorded_answer_says_the_same_after_decoding():
    count = 0
    for case in _answers():
        plain, answer = _Plain(case), _answer(case)
        assert len(answer.choices) == len(plain.finish), case.id
        for index, choice in enumerate(answer.choices):
            where = f"{case.id} {index}"
            text = "".join(part.text for part in _told(choice, Text))
            thoughts = "".join(part.text for part in _told(choice, Reasoning))
            calls = _told(choice, ToolCall)
            assert text == plain.text.get(index, ""), where
            assert thoughts == plain.thoughts.get(index, ""), where
            assert [call.name for call in calls] == plain.names.get(index, []), where
            joined = "".join(call.arguments for call in calls)
            assert joined == plain.arguments.get(index, ""), where
            assert choice.finish is _expected(plain.finish[index], has_calls=bool(calls)), where
        count += 1
    print(f"recorded chat answers decoded: {count}")  # noqa: T201 - a line of the proof
    assert count > 300


def _expected(native: str, *, has_calls: bool) -> FinishReason:
    if has_calls and native in ("stop", "", "tool_calls"):
        return FinishReason.TOOL_CALLS
    return {"": FinishReason.STOP, "stop": FinishReason.STOP, "length": FinishReason.LENGTH}[native]


def test_every_recorded_answer_leaves_as_the_sdk_reads_it():
    for case in _answers():
        answer = _answer(case)
        body = openai_chat.encode_answer(answer, answering=answering(case.request), bill=BILL)
        _WHOLE.validate_python(json.loads(body))
        for chunk in documents(streamed(folding.unfold(answer), body=case.request)):
            _CHUNK.validate_python(chunk)


def test_every_recorded_answer_survives_the_way_out_and_back():
    for case in _answers():
        answer = _answer(case)
        platform = answering(case.request, is_platform=True)
        whole = openai_chat.encode_answer(answer, answering=platform, bill=BILL)
        assert _core(openai_chat.decode_answer(json.loads(whole))) == _core(answer), case.id
        stream = streamed(folding.unfold(answer), body=case.request, is_platform=True)
        again = folding.fold(decoded(*documents(stream)))
        assert _core(again) == _core(answer), case.id


def _core(answer: Answer) -> list[Any]:
    """What this wire format holds of an answer, in its own order."""
    return [
        (
            "".join(part.text for part in _told(choice, Text)),
            [(part.text, part.is_summary, part.seal) for part in _told(choice, Reasoning)],
            [(call.name, call.arguments or "{}", call.seal) for call in _told(choice, ToolCall)],
            choice.finish,
            choice.logprobs,
        )
        for choice in answer.choices
    ]


def test_every_recorded_request_means_the_same_at_another_vendor_of_its_format():
    count = 0
    for case in _cases():
        if case.id.rpartition(".")[2] in _HANDLES:
            continue
        made = json.loads(
            encoded(case.request, takes_cache_control=True, takes_top_k=True).outbound.body
        )
        assert _texts(made) == _texts(case.request), case.id
        assert _calls(made) == _calls(case.request), case.id
        assert _tools(made) == _tools(case.request), case.id
        wanted = case.request.get("tool_choice") if case.request.get("tools") else None
        if wanted == "any":
            wanted = "required"
        if isinstance(wanted, dict):
            wanted = {"type": "function", **wanted}
        assert made.get("tool_choice") == wanted, case.id
        form = case.request.get("response_format")
        assert made.get("response_format") == (None if form == {"type": "text"} else form), case.id
        assert made.get("seed") == case.request.get("seed", case.request.get("random_seed"))
        for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
            assert made.get(name) == case.request.get(name), (case.id, name)
        count += 1
    print(f"recorded chat requests translated: {count}")  # noqa: T201 - a line of the proof
    assert count > 300


def _texts(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Who says what, leading instructions joined, pictures and files by their address."""
    found: list[tuple[str, str]] = []
    for message in body["messages"]:
        role = {"developer": "system"}.get(message["role"], message["role"])
        content = message.get("content") or ""
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        said = "".join(_part(part) for part in parts)
        if role == "system" and found and found[-1][0] == "system" and len(found) == 1:
            found[-1] = (role, f"{found[-1][1]}\n\n{said}")
        else:
            found.append((role, said))
    # What a tool gave beside text follows in a user's message.
    if any(role == "tool" and "data:image" in said for role, said in found):
        return []
    return [] if any("Output of" in said for _, said in found) else found


def _part(part: dict[str, Any]) -> str:
    kind = part["type"]
    if kind == "image_url":
        image = part["image_url"]
        return str(image if isinstance(image, str) else image["url"])
    if kind == "input_audio":
        return str(part["input_audio"]["data"])
    if kind == "file":
        return str(part["file"]["file_data"])
    if kind == "document_url":
        return str(part["document_url"])
    return str(part.get("text", ""))


def _calls(body: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for message in body["messages"]:
        for call in message.get("tool_calls") or []:
            arguments = json.loads(call["function"]["arguments"] or "{}")
            found.append((call["id"], call["function"]["name"], arguments))
        if message["role"] == "tool":
            found.append(message["tool_call_id"])
    return found


def _tools(body: dict[str, Any]) -> list[Any]:
    return [
        (
            tool["function"]["name"],
            tool["function"].get("description") or "",
            tool["function"].get("parameters") or {"type": "object", "properties": {}},
            tool["function"].get("strict"),
        )
        for tool in body.get("tools") or []
    ]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("0d50f0fbdbf0", FinishReason.TOOL_CALLS),  # `stop`, an empty id, no index
        ("b1650d851b66", FinishReason.TOOL_CALLS),  # `stop` after a call, no index
        ("954649ca7c56", FinishReason.TOOL_CALLS),  # `stop` to a named choice
        ("3f36cf396b46", FinishReason.STOP),  # a blank reason
        ("071b0749fd2a", FinishReason.STOP),  # told twice
    ],
)
def test_a_recorded_departure_ends_in_our_words(tail: str, expected: FinishReason):
    assert _answer(wire.case(tail)).choices[0].finish is expected


def test_two_recorded_choices_end_both():
    answer = _answer(wire.case("ad455da6a9f2"))
    assert [choice.finish is not None for choice in answer.choices] == [True, True]
    assert all(_told(choice, Text) for choice in answer.choices)


def test_recorded_tool_results_with_pictures_put_these_behind_all_results():
    case = wire.case("c6b9c23df934")
    request = openai_chat.decode_request(case.request, seal_key=KEY)
    results = [turn for turn in request.turns if turn.role is Role.TOOL]
    assert results
    assert all(isinstance(part, ToolResult) for turn in results for part in turn.parts)
    messages = json.loads(encoded(case.request).outbound.body)["messages"]
    roles = [message["role"] for message in messages]
    last_result = max(index for index, role in enumerate(roles) if role == "tool")
    assert all(
        isinstance(message["content"], str) for message in messages if message["role"] == "tool"
    )
    kinds = [part["type"] for part in messages[last_result + 1]["content"]]
    assert kinds[:2] == ["text", "image_url"]


def test_recorded_perplexity_sources_are_citations_of_the_text():
    choice = _answer(wire.case("7a4a78b9be9f")).choices[0]
    (text,) = _told(choice, Text)
    assert len(text.citations) >= 8
    assert all(citation.url.startswith("https://") for citation in text.citations)


def test_recorded_sound_comes_with_its_words():
    case = wire.case("8a86477353be")
    (sound,) = _answer(case).choices[0].parts
    assert (sound.id, sound.data) == ("audio_abc123", "QUJDRA==")
    body = openai_chat.encode_answer(_answer(case), answering=answering(), bill=BILL)
    message = json.loads(body)["choices"][0]["message"]
    assert message["audio"]["transcript"] == "Hello! How can I help you today?"
    assert message["content"] is None


def test_a_recorded_error_after_the_finish_leaves_the_finish_alone():
    (choice,) = _answer(wire.case("baa5970a1b35")).choices
    assert choice.finish is FinishReason.LENGTH
    assert [part.text for part in choice.parts if isinstance(part, Reasoning)] == [
        "We need to respond to a greeting. The user"
    ]
