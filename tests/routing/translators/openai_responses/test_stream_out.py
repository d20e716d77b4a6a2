import json

import pytest

from routing import seals
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
from routing.errors import Code, RelayError
from routing.events import (
    AudioDelta,
    Cited,
    Finish,
    Logprobs,
    MediaOut,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import openai_responses
from routing.translators.openai_responses.stream_out import REFUSED
from tests.routing.translators.openai_responses.scene import (
    HEX,
    ID,
    KEY,
    SEALS,
    answer,
    answering,
    documents,
    kinds,
    stream,
    whole,
)

STOP = Finish(reason=FinishReason.STOP)
FOREIGN = Seal(format=SealFormat.ANTHROPIC, data="sig")


def output(*events, at=None):
    return stream(list(events), at)[-1]["response"]["output"]


def calls(*pieces, name="look", **more):
    start = ToolStart(call=0, id="c1", name=name, **more)
    return [start, *(ToolDelta(call=0, arguments=piece) for piece in pieces), ToolEnd(call=0)]


class TestGrammar:
    def test_text_has_every_event_in_its_place(self):
        found = stream([Start(), TextDelta(text="a"), TextDelta(text="b"), STOP])
        assert kinds(found) == [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
        assert [one["delta"] for one in found if "delta" in one] == ["a", "b"]
        assert found[6]["text"] == "ab"

    def test_every_text_leaves_at_once_and_nothing_ends_before_the_settlement(self):
        encoder = openai_responses.stream_encoder(answering())
        assert b'"delta":"Hi"' in encoder.encode(TextDelta(text="Hi"))
        assert b'"delta":"hm"' in encoder.encode(ReasoningDelta(text="hm"))
        said = encoder.encode(STOP)
        assert b"response.completed" not in said

    def test_a_change_of_kind_closes_an_item_and_opens_the_next(self):
        found = stream(
            [
                ReasoningDelta(text="hm"),
                ReasoningEnd(),
                TextDelta(text="so"),
                TextEnd(),
                *calls("{}"),
                TextDelta(text="then"),
                STOP,
            ]
        )
        done = [one for one in found if one["type"] == "response.output_item.done"]
        assert [one["output_index"] for one in done] == [0, 1, 2, 3]
        assert [one["item"]["type"] for one in done] == [
            "reasoning", "message", "function_call", "message"
        ]  # fmt: skip
        assert found[-1]["response"]["output"] == [one["item"] for one in done]

    def test_calls_may_interleave(self):
        items = output(
            ToolStart(call=0, id="c1", name="a"),
            ToolStart(call=1, id="c2", name="b"),
            ToolDelta(call=1, arguments='{"x"'),
            ToolDelta(call=0, arguments="{}"),
            ToolDelta(call=1, arguments=":1}"),
            ToolEnd(call=1),
            ToolEnd(call=0),
            Finish(reason=FinishReason.TOOL_CALLS),
        )
        assert [(item["name"], item["arguments"]) for item in items] == [
            ("a", "{}"),
            ("b", '{"x":1}'),
        ]

    def test_a_stream_that_nobody_started_or_finished_is_whole(self):
        assert kinds(stream([]))[-1] == "completed"
        (item,) = output(ToolStart(call=0, id="c", name="a"), ToolDelta(call=0, arguments="{}"))
        assert item["status"] == "completed"

    def test_ids_are_of_the_generation(self):
        found = stream([TextDelta(text="a"), STOP])
        assert found[0]["response"]["id"] == f"resp_{HEX}"
        assert found[-1]["response"]["output"][0]["id"] == f"msg_{HEX}0000"
        assert stream([], answering(is_platform=True))[0]["response"]["id"] == ID

    def test_texts_are_joined_and_their_sources_moved_along(self):
        source = Citation(url="https://a.example", title="A", start=0, end=2)
        (item,) = output(
            TextDelta(text="ab"),
            TextEnd(),
            TextDelta(text="cd"),
            Cited(citation=source),
            TextEnd(),
            STOP,
        )
        (part,) = item["content"]
        assert part["text"] == "abcd"
        (found,) = part["annotations"]
        assert (found["start_index"], found["end_index"]) == (2, 4)

    def test_a_source_without_a_span_stands_on_the_whole_text(self):
        (item,) = output(
            Cited(citation=Citation(url="https://a.example", cited_text="x")),
            TextDelta(text="abc"),
            TextEnd(),
            TextDelta(text="d"),
            STOP,
        )
        (found,) = item["content"][0]["annotations"]
        assert (found["start_index"], found["end_index"]) == (0, 3)

    def test_other_choices_are_not_told(self):
        assert output(TextDelta(text="x", choice=1)) == []

    def test_what_is_said_in_sound_is_text(self):
        (item,) = output(AudioDelta(data="AAAA", transcript="hello"), STOP)
        assert item["content"][0]["text"] == "hello"

    def test_a_picture_is_an_item(self):
        (item,) = output(MediaOut(image=Image(mime="image/png", data="AAAA")), STOP)
        assert (item["type"], item["result"]) == ("image_generation_call", "AAAA")

    def test_probabilities_are_told_where_they_were_asked_for(self):
        token = {"token": "a", "logprob": -0.1, "bytes": None, "top_logprobs": []}
        events = [TextDelta(text="a"), Logprobs(tokens=(token,)), STOP]
        at = answering({"include": ["message.output_text.logprobs"], "top_logprobs": 1})
        found = stream(events, at)
        (part,) = found[-1]["response"]["output"][0]["content"]
        assert part["logprobs"] == [
            {"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": []}
        ]
        (part,) = output(*events)[0]["content"]
        assert part["logprobs"] == []

    def test_probabilities_of_a_whole_answer_open_no_message_of_their_own(self):
        token = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}
        at = answering({"include": ["message.output_text.logprobs"]})
        told = answer(Reasoning(text="hm"), Text(text="a"), logprobs=(token,))
        reasoning, message = whole(told, at)["output"]
        assert reasoning["type"] == "reasoning"
        assert message["content"][0]["logprobs"] == [token]


class TestCalls:
    def test_arguments_are_the_vendors_own_text(self):
        (item,) = output(*calls('{ "n": 1', "2345678901234567890123 }"))
        assert item["arguments"] == '{ "n": 12345678901234567890123 }'

    def test_a_tool_in_a_namespace_has_its_own_name_again(self):
        tool = {"type": "function", "name": "look"}
        body = {
            "tools": [{"type": "namespace", "name": "git", "description": "d", "tools": [tool]}]
        }
        (item,) = output(*calls("{}", name="git__look"), at=answering(body))
        assert (item["name"], item["namespace"]) == ("look", "git")

    def test_a_custom_tools_text_comes_out_of_its_function(self):
        body = {"tools": [{"type": "custom", "name": "patch"}]}
        found = stream(calls('{"in', 'put": "*** Be', 'gin\\n', '"}', name="patch"),
                       answering(body))  # fmt: skip
        deltas = [
            one["delta"] for one in found if one["type"] == "response.custom_tool_call_input.delta"
        ]
        assert deltas == ["*** Be", "gin\n"]
        (item,) = found[-1]["response"]["output"]
        assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin\n")

    def test_a_custom_call_of_the_vendor_stays_one(self):
        (item,) = output(*calls("x y", is_custom=True))
        assert (item["type"], item["input"]) == ("custom_tool_call", "x y")

    def test_a_local_shell_gets_its_own_item(self):
        body = {"tools": [{"type": "local_shell"}]}
        text = '{"command":["ls","-l"],"timeout_ms":5}'
        (item,) = output(*calls(text, name="local_shell"), at=answering(body))
        assert item["type"] == "local_shell_call"
        assert item["call_id"] == "c1"
        assert item["action"] == {
            "type": "exec",
            "command": ["ls", "-l"],
            "env": {},
            "timeout_ms": 5,
        }

    @pytest.mark.parametrize(
        ("tool", "text", "kind", "field", "value"),
        [
            ("shell", '{"commands":["a"]}', "shell_call", "action", {"commands": ["a"]}),
            (
                "apply_patch",
                '{"type":"delete_file","path":"a"}',
                "apply_patch_call",
                "operation",
                {"type": "delete_file", "path": "a", "diff": ""},
            ),
            (
                "tool_search",
                '{"n":123456789012345678901234567890}',
                "tool_search_call",
                "arguments",
                {"n": 123456789012345678901234567890},
            ),
        ],
    )
    def test_every_tool_that_openai_names_gets_its_own_item(self, tool, text, kind, field, value):
        body = {"tools": [{"type": tool, "execution": "client"}]}
        (item,) = output(*calls(text, name=tool), at=answering(body))
        assert (item["type"], item[field]) == (kind, value)

    def test_arguments_that_do_not_fit_are_a_plain_functions(self):
        body = {"tools": [{"type": "local_shell"}]}
        (item,) = output(*calls('{"command":"ls"}', name="local_shell"), at=answering(body))
        assert (item["type"], item["arguments"]) == ("function_call", '{"command":"ls"}')


class TestReasoning:
    def test_every_vendors_reasoning_is_a_summary(self):
        found = stream([ReasoningDelta(text="a"), ReasoningDelta(text="b"), ReasoningEnd(), STOP])
        assert kinds(found)[2:9] == [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
        ]
        (item,) = found[-1]["response"]["output"]
        assert item["summary"] == [{"type": "summary_text", "text": "ab"}]

    def test_a_foreign_seal_travels_in_an_envelope_where_the_client_asked(self):
        events = [ReasoningDelta(text="a", format=SealFormat.ANTHROPIC), ReasoningEnd(seal=FOREIGN)]
        (item,) = output(*events, at=answering(SEALS))
        assert seals.unwrap(item["encrypted_content"], key=KEY) == FOREIGN
        assert "encrypted_content" not in output(*events)[0]

    def test_a_seal_alone_is_nothing_where_nobody_asked(self):
        assert output(ReasoningEnd(seal=FOREIGN)) == []
        assert len(output(ReasoningEnd(seal=FOREIGN), at=answering(SEALS))) == 1

    def test_openais_seal_stays_bare_under_the_id_that_it_was_given(self):
        seal = Seal(format=SealFormat.OPENAI, data="gAAA", id="rs_9")
        told = {"format": SealFormat.OPENAI, "id": "rs_9"}
        (item,) = output(
            ReasoningDelta(text="a", is_summary=True, **told),
            ReasoningEnd(seal=seal, **told),
            at=answering(SEALS),
        )
        assert (item["id"], item["encrypted_content"]) == ("rs_9", "gAAA")

    def test_openais_seal_is_wrapped_where_its_id_came_too_late(self):
        # OpenAI refuses a blob under another id than its own.
        seal = Seal(format=SealFormat.OPENAI, data="gAAA", id="rs_9")
        (item,) = output(
            ReasoningDelta(text="a", format=SealFormat.OPENAI),
            ReasoningEnd(seal=seal, format=SealFormat.OPENAI),
            at=answering(SEALS),
        )
        assert item["id"] != "rs_9"
        assert seals.unwrap(item["encrypted_content"], key=KEY) == seal

    def test_xais_seal_is_wrapped_since_nothing_else_would_tell_whose_it_is(self):
        seal = Seal(format=SealFormat.XAI, data="x", id="rs_9")
        (item,) = output(ReasoningEnd(seal=seal, format=SealFormat.XAI), at=answering(SEALS))
        assert seals.unwrap(item["encrypted_content"], key=KEY) == seal

    def test_a_seal_on_a_call_stands_before_it_and_names_it(self):
        seal = Seal(format=SealFormat.GOOGLE, data="t")
        first, second = output(*calls("{}", seal=seal), at=answering(SEALS))
        assert (first["type"], second["type"]) == ("reasoning", "function_call")
        assert seals.unwrap(first["encrypted_content"], key=KEY).id == "c1"

    def test_a_seal_on_a_text_stands_after_it_and_splits_nothing(self):
        seal = Seal(format=SealFormat.GOOGLE, data="t")
        events = [TextDelta(text="a"), SealDelta(seal=seal), TextDelta(text="b"), STOP]
        first, second = output(*events, at=answering(SEALS))
        assert first["content"][0]["text"] == "ab"
        assert second["type"] == "reasoning"


class TestEnds:
    @pytest.mark.parametrize(
        ("reason", "status", "details"),
        [
            (FinishReason.STOP, "completed", None),
            (FinishReason.TOOL_CALLS, "completed", None),
            (FinishReason.PAUSE, "completed", None),
            (FinishReason.OTHER, "completed", None),
            (FinishReason.LENGTH, "incomplete", {"reason": "max_output_tokens"}),
            (FinishReason.CONTENT_FILTER, "incomplete", {"reason": "content_filter"}),
        ],
    )
    def test_tells_why_it_ended(self, reason, status, details):
        latest = stream([TextDelta(text="a"), Finish(reason=reason)])[-1]
        assert latest["type"] == f"response.{status}"
        assert latest["response"]["status"] == status
        assert latest["response"]["incomplete_details"] == details
        assert latest["response"]["output"][0]["status"] == status

    def test_an_error_is_a_failure(self):
        latest = stream([TextDelta(text="a"), Finish(reason=FinishReason.ERROR)])[-1]
        assert latest["type"] == "response.failed"
        assert latest["response"]["error"]["code"] == "server_error"

    def test_a_refusal_without_words_gets_some(self):
        (item,) = output(Finish(reason=FinishReason.REFUSAL))
        assert item["content"] == [{"type": "refusal", "refusal": REFUSED}]
        (item,) = output(RefusalDelta(text="no"), Finish(reason=FinishReason.REFUSAL))
        assert item["content"] == [{"type": "refusal", "refusal": "no"}]

    def test_the_first_of_two_ends_counts(self):
        found = stream([Finish(reason=FinishReason.LENGTH), STOP])
        assert found[-1]["type"] == "response.incomplete"

    def test_an_error_after_the_start_is_a_failed_response(self):
        encoder = openai_responses.stream_encoder(answering())
        raw = encoder.encode(TextDelta(text="a"))
        error = RelayError(code=Code.RATE_LIMITED, message="Slow down.")
        latest = documents(raw + encoder.fail(error))[-1]
        assert latest["type"] == "response.failed"
        assert latest["response"]["status"] == "failed"
        assert latest["response"]["error"] == {
            "code": "rate_limit_exceeded",
            "message": "Slow down.",
        }
        assert latest["response"]["usage"] is None

    def test_an_error_after_the_finish_is_one_too(self):
        encoder = openai_responses.stream_encoder(answering())
        raw = encoder.encode(TextDelta(text="a")) + encoder.encode(STOP)
        error = RelayError(code=Code.INTERNAL, message="Gone.")
        assert documents(raw + encoder.fail(error))[-1]["type"] == "response.failed"

    def test_an_error_before_the_start_is_an_error_event(self):
        error = RelayError(code=Code.INTERNAL, message="Gone.")
        encoder = openai_responses.stream_encoder(answering())
        assert kinds(documents(encoder.fail(error))) == ["error"]


class TestTheObject:
    def test_echoes_the_request(self):
        tool = {"type": "function", "name": "look", "parameters": {}, "strict": None}
        body = {
            "instructions": "Be kind.",
            "tools": [tool],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "temperature": 0.2,
            "top_p": 0.9,
            "max_output_tokens": 99,
            "text": {"format": {"type": "json_object"}, "verbosity": "low"},
            "reasoning": {"effort": "high", "summary": "auto"},
            "metadata": {"a": "b"},
            "user": "u",
            "prompt_cache_key": "k",
            "truncation": "auto",
        }
        found = whole(answer(Text(text="a")), answering(body))
        assert {name: found[name] for name in body} == body
        assert found["store"] is False
        assert found["model"] == "acme/large"

    def test_has_openais_defaults_where_nothing_was_said(self):
        found = whole(answer(Text(text="a")))
        assert found["parallel_tool_calls"] is True
        assert (found["tool_choice"], found["tools"]) == ("auto", [])
        assert (found["temperature"], found["top_p"]) == (1.0, 1.0)
        assert found["text"]["format"] == {"type": "text"}
        assert found["service_tier"] == "default"

    def test_tells_usage_and_cost(self):
        usage = whole(answer(Text(text="a")))["usage"]
        assert usage == {
            "input_tokens": 2750,
            "input_tokens_details": {"cached_tokens": 2048, "cache_write_tokens": 3},
            "output_tokens": 638,
            "output_tokens_details": {"reasoning_tokens": 576},
            "total_tokens": 3388,
            "cost": 0.000317,
        }

    def test_the_platforms_envelope_tells_more(self):
        found = whole(answer(Text(text="a")), answering(is_platform=True))
        assert found["id"] == ID
        assert found["provider"] == "Acme"
        assert found["usage"]["cost_details"]["upstream_inference_cost"] is None

    def test_a_whole_answer_is_what_a_stream_ends_with(self):
        parts = (
            Reasoning(text="hm"),
            Text(text="so"),
            ToolCall(id="c", name="look", arguments="{}"),
            Refusal(text="no"),
        )
        found = whole(answer(*parts))
        events = [
            ReasoningDelta(text="h"),
            ReasoningDelta(text="m"),
            ReasoningEnd(),
            TextDelta(text="s"),
            TextDelta(text="o"),
            *calls("{", "}", name="look")[:-1],
            ToolEnd(call=0),
            RefusalDelta(text="no"),
            STOP,
        ]
        events[5] = ToolStart(call=0, id="c", name="look")
        assert json.dumps(stream(events)[-1]["response"]) == json.dumps(found)


def test_a_call_without_an_id_gets_one():
    """Google's endpoint for chat completions gives none (recorded 2026)."""
    events = [ToolStart(call=0, id="", name="f"), ToolEnd(call=0)]
    first, second = (
        [one["item"]["call_id"] for one in stream(events) if "item" in one] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == 1
    assert first[0].startswith("call_")
