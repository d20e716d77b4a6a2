"""What holds for every answer and every body, not for chosen ones alone."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conversation import (
    Choice,
    Citation,
    FinishReason,
    Image,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.errors import RelayError
from routing.translators import folding, openai_responses
from tests.routing.translators.openai_responses.scene import (
    KEY,
    SEALS,
    answer,
    answering,
    decode,
    encode,
    read,
    stream,
    target,
    whole,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"\A[a-z][a-z0-9_]{0,8}\Z")
SEALS_OF_OTHERS = st.builds(
    Seal, format=st.sampled_from([SealFormat.ANTHROPIC, SealFormat.GOOGLE]), data=WORDS
)


@st.composite
def openai_thoughts(draw):
    item_id = "rs_" + draw(NAMES)
    seal = Seal(format=SealFormat.OPENAI, data=draw(WORDS), id=item_id)
    text = draw(WORDS | st.just(""))
    return Reasoning(
        text=text, is_summary=bool(text), format=SealFormat.OPENAI, seal=seal, id=item_id
    )


@st.composite
def texts(draw):
    text = draw(WORDS)
    spans = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    return Text(
        text=text,
        citations=tuple(
            Citation(url="https://a.example", title=draw(WORDS), start=min(span), end=max(span))
            for span in spans
        ),
    )


PARTS = st.one_of(
    texts(),
    openai_thoughts(),
    st.builds(Refusal, text=WORDS),
    st.builds(
        ToolCall, id=NAMES, name=NAMES, arguments=st.just("") | WORDS, is_custom=st.booleans()
    ),
    st.just(Image(mime="image/png", data="iVBORw0KGgo=")),
)


def is_kept_apart(first: Part, second: Part) -> bool:
    """Neighbouring texts are joined, neighbouring refusals too; one id names one item."""
    return type(first) is not type(second) or isinstance(first, (ToolCall, Image))


@st.composite
def answers(draw):
    found: list[Part] = []
    for part in draw(st.lists(PARTS, max_size=6)):
        is_new = not isinstance(part, Reasoning) or part.id not in {
            one.id for one in found if isinstance(one, Reasoning)
        }
        if is_new and (not found or is_kept_apart(found[-1], part)):
            found.append(part)
    if any(isinstance(part, ToolCall) for part in found):
        reason = FinishReason.TOOL_CALLS
    elif any(isinstance(part, Refusal) for part in found):
        reason = FinishReason.REFUSAL
    else:
        reason = FinishReason.STOP
    reason = draw(st.sampled_from([reason, FinishReason.LENGTH, FinishReason.CONTENT_FILTER]))
    return answer(*found, finish=reason)


def plain(choice: Choice) -> tuple[list[Part], FinishReason | None]:
    """What a client sees of an answer: without the native forms that only we keep."""
    parts: list[Part] = []
    for part in choice.parts:
        if isinstance(part, Text):
            bare = tuple(
                Citation(url=one.url, title=one.title, start=one.start, end=one.end)
                for one in part.citations
            )
            parts.append(Text(text=part.text, citations=bare))
        else:
            parts.append(part)
    return parts, choice.finish


@given(answers())
@settings(deadline=None, max_examples=50)
def test_an_answer_that_was_written_is_read_as_the_same(told):
    document = whole(told, answering(SEALS))
    (found,) = openai_responses.decode_answer(document).choices
    assert plain(found) == plain(told.choices[0])


@given(answers())
@settings(deadline=None, max_examples=50)
def test_a_stream_that_was_written_is_read_as_the_same(told):
    documents = stream(folding.unfold(told), answering(SEALS))
    body = "".join(f"data: {json.dumps(document)}\n\n" for document in documents)
    (found,) = folding.fold(read(body)).choices
    assert plain(found) == plain(told.choices[0])
    assert plain(openai_responses.decode_answer(documents[-1]["response"]).choices[0]) == plain(
        told.choices[0]
    )


SEALED = st.one_of(
    texts(),
    st.builds(Reasoning, text=WORDS, seal=SEALS_OF_OTHERS),
    st.builds(
        ToolCall,
        id=NAMES,
        name=NAMES,
        arguments=st.just("{}"),
        seal=st.none() | st.builds(Seal, format=st.just(SealFormat.GOOGLE), data=WORDS),
    ),
)


@given(st.lists(SEALED, max_size=5, unique_by=lambda part: getattr(part, "id", None) or id(part)))
@settings(deadline=None, max_examples=50)
def test_what_a_client_echoes_brings_every_foreign_seal_back(parts):
    items = whole(answer(*parts), answering(SEALS))["output"]
    request = decode({"input": [{"role": "user", "content": "hi"}, *items]})
    found = [part for turn in request.turns for part in turn.parts]
    sealed = [part.seal for part in parts if getattr(part, "seal", None) is not None]
    assert [part.seal for part in found if getattr(part, "seal", None) is not None] == sealed
    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [part for part in found if isinstance(part, ToolCall)] == calls


BODY = {
    "instructions": "Be kind.",
    "input": [
        {"role": "developer", "content": "So."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_file", "file_data": "aGk=", "filename": "a"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "s"}],
            "encrypted_content": "gAAA",
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "x"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "y"},
        {"type": "local_shell_call", "call_id": "c3", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "c3", "output": "z"},
        {"type": "image_generation_call", "result": "AAAA"},
        {"type": "tool_search_output", "execution": "client", "call_id": "c4", "tools": []},
    ],
    "tools": [
        {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True},
        {"type": "custom", "name": "patch",
         "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        {"type": "local_shell"},
        {"type": "web_search", "user_location": {"type": "approximate"}, "filters": {}},
        {"type": "tool_search", "execution": "client", "parameters": {}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto",
                    "tools": [{"type": "function", "name": "look"}]},
    "text": {"format": {"type": "json_schema", "name": "a", "schema": {}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "stop": ["x"],
    "metadata": {"a": "b"},
    "provider": {"require_parameters": False},
    "temperature": 1,
    "top_logprobs": 2,
    "max_output_tokens": 9,
    "modalities": ["text"],
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            found += places(value[index], (*path, index))
    return found


PLACES = places(BODY)
JUNK = st.sampled_from(
    [None, True, False, -1, 0, 2**40, 1.5, "", "x", "data:,", [], [[]], [1], [{}], {}, {"type": []}]
)


def test_the_body_that_is_changed_is_read_whole():
    request = decode(BODY)
    assert [turn.role for turn in request.turns].count(Role.TOOL) == 3
    assert len(request.tools) == 5


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3))
@settings(deadline=None, max_examples=50)
def test_every_body_is_read_or_refused(changes):
    body = copy.deepcopy(BODY)
    for path, junk in changes:
        place: Any = body
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = junk
        except (TypeError, KeyError, IndexError):
            continue
    refusal = refusal_of(body)
    assert refusal is None or (refusal.status == 400 and refusal.param)


@given(st.dictionaries(st.sampled_from([*BODY, "model", "stream"]), JUNK))
def test_every_junk_is_read_or_refused(body):
    refusal = refusal_of(body)
    assert refusal is None or (refusal.status == 400 and refusal.param)


def refusal_of(body: dict[str, Any]) -> RelayError | None:
    """Read a body and write it for a vendor; what is neither must be refused."""
    try:
        encode(openai_responses.decode_request(body, seal_key=KEY), target(reasoning="effort"))
    except RelayError as error:
        return error
    return None


def test_every_place_is_tried():
    assert 100 < len(PLACES) == len(set(PLACES))
