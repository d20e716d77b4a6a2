import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import (
    Citation,
    FinishReason,
    Image,
    Reasoning,
    Refusal,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.events import (
    Finish,
    Logprobs,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import folding, openai_responses
from tests.routing.translators.openai_responses.scene import vendor

CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}


def added(item, index=0):
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item, index=0):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(kind, text, index=0, **more):
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": text, **more}


def completed(status="completed", output=(), **more):
    document = {"status": status, "output": list(output), **more}
    return {"type": f"response.{status}", "response": document}


def call(text="", call_id="c1", name="look"):
    return {
        "type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": text
    }  # fmt: skip


def parts(*events):
    (choice,) = folding.fold(vendor(*events)).choices
    return choice.parts


JUNK = st.sampled_from(
    [
        None, True, -1, 3, 10**30, 1.5, "", "a", [], [1], {}, {"type": 1}, {"type": []},
        {"type": "message"},
        {"type": "message", "content": [{"type": "output_text", "text": 5}, "x"]},
        {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
        {"type": "reasoning", "summary": "x", "content": [{"text": "a"}], "id": 4},
        {"type": "function_call", "arguments": {"a": 1}},
        {"type": "custom_tool_call", "input": None, "name": []},
        {"type": "image_generation_call", "result": "?"},
        {"type": "output_text", "annotations": [{"type": "url_citation"}], "text": "a"},
        {"output": [{"type": "function_call"}], "status": "completed"},
        {"status": "incomplete", "incomplete_details": [], "output": {}},
    ]
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*sorted(openai_responses.stream_decoder()._readers), "error"])},
    optional=dict.fromkeys(
        (
            "delta", "item", "part", "output_index", "response", "annotation", "logprobs",
            "summary_index", "text", "refusal",
        ),
        JUNK,
    ),
)  # fmt: skip


class TestText:
    def test_every_delta_is_one_at_once(self):
        decoder = openai_responses.stream_decoder()
        decoder.decode(json.dumps(CREATED).encode())
        (event,) = decoder.decode(json.dumps(delta("output_text", "Hé")).encode())
        assert event == TextDelta(text="Hé")

    def test_a_stream_starts_once(self):
        in_progress = {"type": "response.in_progress", "response": {}}
        found = vendor(CREATED, in_progress, CREATED, delta("output_text", "a"))
        assert found[0] == Start()
        assert found.count(Start()) == 1

    def test_a_stream_without_a_beginning_starts_with_its_first_text(self):
        assert vendor(delta("output_text", "a"))[:2] == [Start(), TextDelta(text="a")]

    def test_text_that_came_in_deltas_is_not_told_again(self):
        part = {"type": "output_text", "text": "ab", "annotations": []}
        assert parts(
            added(MESSAGE),
            delta("output_text", "a"),
            delta("output_text", "b"),
            {"type": "response.output_text.done", "output_index": 0, "text": "ab"},
            {"type": "response.content_part.done", "output_index": 0, "part": part},
            done({**MESSAGE, "content": [part]}),
            completed(output=[{**MESSAGE, "content": [part]}]),
        ) == (Text(text="ab"),)

    @pytest.mark.parametrize("from_where", ["text", "part", "item", "end"])
    def test_text_that_comes_without_deltas_is_told_once(self, from_where):
        part = {"type": "output_text", "text": "ab", "annotations": []}
        item = {**MESSAGE, "content": [part]}
        events = {
            "text": [{"type": "response.output_text.done", "output_index": 0, "text": "ab"}],
            "part": [{"type": "response.content_part.done", "output_index": 0, "part": part}],
            "item": [done(item)],
            "end": [],
        }
        beginning = [] if from_where == "end" else [added(MESSAGE)]
        found = parts(CREATED, *beginning, *events[from_where], completed(output=[item]))
        assert found == (Text(text="ab"),)

    def test_parts_of_a_message_stay_apart(self):
        part = {"type": "output_text", "text": "a"}
        end = {"type": "response.content_part.done", "output_index": 0, "part": part}
        found = parts(
            added(MESSAGE), delta("output_text", "a"), end, delta("output_text", "b"), end
        )
        assert found == (Text(text="a"), Text(text="b"))

    def test_sources_are_told_once_whether_as_events_or_in_the_part_alone(self):
        source = {
            "type": "url_citation",
            "url": "https://a.example",
            "title": "A",
            "start_index": 0,
            "end_index": 1,
        }
        event = {
            "type": "response.output_text.annotation.added",
            "output_index": 0,
            "annotation": source,
        }
        part = {"type": "output_text", "text": "a", "annotations": [source, source]}
        end = {"type": "response.content_part.done", "output_index": 0, "part": part}
        (text,) = parts(added(MESSAGE), delta("output_text", "a"), event, end)
        wanted = Citation(url="https://a.example", title="A", start=0, end=1, native=source)
        assert text.citations == (wanted, wanted)

    def test_a_citation_of_a_vendors_file_is_left_out(self):
        event = {
            "type": "response.output_text.annotation.added",
            "annotation": {"type": "file_citation", "file_id": "f"},
        }
        (text,) = parts(added(MESSAGE), delta("output_text", "a"), event)
        assert text.citations == ()

    def test_probabilities_follow_their_text(self):
        token = {"token": "a", "logprob": -0.1, "top_logprobs": []}
        found = vendor(added(MESSAGE), delta("output_text", "a", logprobs=[token]))
        assert found[1:3] == [TextDelta(text="a"), Logprobs(tokens=(token,))]

    def test_a_refusal_is_one(self):
        end = completed(output=[{**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}])
        found = vendor(added(MESSAGE), delta("refusal", "n"), delta("refusal", "o"), end)
        (choice,) = folding.fold(found).choices
        assert choice.parts == (Refusal(text="no"),)
        assert choice.finish is FinishReason.REFUSAL


class TestCalls:
    def test_arguments_may_be_split_and_calls_may_interleave(self):
        found = vendor(
            added(call(call_id="c1"), 0),
            added(call(call_id="c2"), 1),
            delta("function_call_arguments", '{"a"', 0),
            delta("function_call_arguments", "{}", 1),
            delta("function_call_arguments", ":1}", 0),
            done(call('{"a":1}', "c1"), 0),
            done(call("{}", "c2"), 1),
        )
        assert found[1:3] == [
            ToolStart(call=0, id="c1", name="look"),
            ToolStart(call=1, id="c2", name="look"),
        ]
        (choice,) = folding.fold(found).choices
        assert [part.arguments for part in choice.parts] == ['{"a":1}', "{}"]

    def test_arguments_that_come_whole_are_told_once(self):
        found = vendor(added(call()), done(call('{"a":1}')))
        assert found[2:] == [ToolDelta(call=0, arguments='{"a":1}'), ToolEnd(call=0)]

    def test_a_call_whose_beginning_was_not_told_is_told_at_its_end(self):
        assert parts(done(call("{}"))) == (ToolCall(id="c1", name="look", arguments="{}"),)

    def test_a_call_without_arguments_stays_empty(self):
        assert parts(added(call()), done(call(""))) == (
            ToolCall(id="c1", name="look", arguments=""),
        )

    def test_a_custom_call_is_marked(self):
        item = {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x y"}
        assert parts(
            added({**item, "input": ""}), delta("custom_tool_call_input", "x y"), done(item)
        ) == (ToolCall(id="c", name="p", arguments="x y", is_custom=True),)

    def test_a_call_that_the_stream_broke_off_is_ended(self):
        found = vendor(added(call()), delta("function_call_arguments", '{"a'))
        assert found[-1] == ToolEnd(call=0)
        assert not any(isinstance(event, Finish) for event in found)


class TestReasoning:
    ITEM = {"type": "reasoning", "id": "rs_1", "summary": []}
    SEAL = Seal(format=SealFormat.OPENAI, data="gAAA", id="rs_1")

    def test_a_sealed_item_may_hold_no_text(self):
        found = parts(added(self.ITEM), done({**self.ITEM, "encrypted_content": "gAAA"}))
        assert found == (Reasoning(format=SealFormat.OPENAI, seal=self.SEAL, id="rs_1"),)

    def test_an_item_without_text_and_seal_is_nothing(self):
        assert vendor(CREATED, added(self.ITEM), done(self.ITEM)) == [Start()]

    def test_parts_of_a_summary_are_one_text(self):
        found = parts(
            added(self.ITEM),
            delta("reasoning_summary_text", "a", summary_index=0),
            delta("reasoning_summary_text", "b", summary_index=0),
            delta("reasoning_summary_text", "c", summary_index=1),
            done({**self.ITEM, "encrypted_content": "gAAA"}),
        )
        assert found == (
            Reasoning(
                text="ab\n\nc",
                is_summary=True,
                format=SealFormat.OPENAI,
                seal=self.SEAL,
                id="rs_1",
            ),
        )

    def test_an_open_models_text_is_no_summary_and_nobodys(self):
        found = parts(added(self.ITEM), delta("reasoning_text", "hm"), done(self.ITEM))
        assert found == (Reasoning(text="hm", id="rs_1"),)

    def test_a_summary_that_comes_with_the_item_alone_is_told(self):
        item = {**self.ITEM, "summary": [{"type": "summary_text", "text": "s"}]}
        (part,) = parts(added(self.ITEM), done(item))
        assert part.text == "s"


class TestTheRest:
    def test_traces_of_the_vendors_tools_are_skipped(self):
        search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
        found = vendor(
            CREATED,
            added(search),
            {"type": "response.web_search_call.searching", "output_index": 0},
            {"type": "response.mcp_list_tools.completed", "output_index": 0},
            done(search),
        )
        assert found == [Start()]

    def test_a_picture_comes_when_it_is_whole(self):
        item = {"type": "image_generation_call", "result": "iVBORw0KGgo=", "id": "ig"}
        partial = {"type": "response.image_generation_call.partial_image", "partial_image_b64": "A"}
        assert parts(added(item), partial, done(item)) == (
            Image(mime="image/png", data="iVBORw0KGgo="),
        )

    @pytest.mark.parametrize(
        ("end", "reason", "native"),
        [
            (completed(), FinishReason.STOP, "completed"),
            (completed(output=[call()]), FinishReason.TOOL_CALLS, "completed"),
            (
                completed("incomplete", incomplete_details={"reason": "max_output_tokens"}),
                FinishReason.LENGTH,
                "max_output_tokens",
            ),
            (
                completed("incomplete", incomplete_details={"reason": "content_filter"}),
                FinishReason.CONTENT_FILTER,
                "content_filter",
            ),
            (completed("incomplete", incomplete_details=None), FinishReason.OTHER, "incomplete"),
        ],
    )
    def test_tells_why_it_ended(self, end, reason, native):
        assert vendor(CREATED, delta("output_text", "a"), end)[-1] == Finish(
            reason=reason, native=native
        )

    @pytest.mark.parametrize(
        "event",
        [{"type": "error", "message": "x"}, {"type": "response.failed", "response": {}}],
    )
    def test_an_error_is_its_readers_and_no_finish(self, event):
        assert vendor(CREATED, delta("output_text", "a"), event)[1:] == [
            TextDelta(text="a"),
            TextEnd(),
        ]

    @given(st.binary(max_size=200))
    def test_no_bytes_make_it_raise(self, data):
        decoder = openai_responses.stream_decoder()
        list(decoder.decode(data))
        list(decoder.end())

    @given(st.lists(EVENTS, max_size=8))
    def test_no_event_makes_it_raise(self, events):
        found = vendor(*events)
        assert sum(isinstance(event, Finish) for event in found) <= 1
        assert sum(isinstance(event, Start) for event in found) <= 1
        folding.fold(found)
