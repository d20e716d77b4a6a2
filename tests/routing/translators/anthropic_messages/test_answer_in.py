from hypothesis import given

from routing.conversation import Answer, FinishReason, Reasoning, Refusal, Text, ToolCall
from routing.translators import anthropic_messages as messages
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.test_stream_in import JSON


def parts(*content, **fields):
    answer = messages.decode_answer({"content": list(content), "stop_reason": "end_turn"} | fields)
    return answer.choices[0].parts


def test_texts_stay_apart_where_the_vendor_parts_them():
    assert parts({"type": "text", "text": "a"}, {"type": "text", "text": "b"}) == (
        Text(text="a"), Text(text="b"),
    )  # fmt: skip


def test_empty_text_is_no_part():
    assert parts({"type": "text", "text": ""}, {"type": "thinking", "thinking": ""}) == ()


def test_thinking_keeps_its_signature_and_its_order():
    found = parts(
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "RXQ="},
        {"type": "thinking", "thinking": "", "signature": "b21pdHRlZA=="},
        {"type": "text", "text": "a"},
    )
    first, second, third, _ = found
    assert isinstance(first, Reasoning)
    assert (first.text, first.seal) == ("hm", making.claude_seal("c2ln"))
    assert (second.text, second.seal.is_redacted) == ("", True)
    assert (third.text, third.seal.data) == ("", "b21pdHRlZA==")


def test_a_calls_input_becomes_text_with_its_order():
    (call,) = parts({"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": "é"}})
    assert call == ToolCall(id="t", name="f", arguments='{"b":1,"a":"é"}')


def test_server_tools_are_left_out_and_text_stays():
    found = parts(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "a"},
    )
    assert found == (Text(text="a"),)


def test_a_refusals_explanation_is_kept():
    details = {"type": "refusal", "category": None, "explanation": "Not this."}
    assert parts(stop_reason="refusal", stop_details=details) == (Refusal(text="Not this."),)


def test_a_stop_sequence_and_the_native_reason_are_kept():
    answer = messages.decode_answer(
        {"content": [], "stop_reason": "stop_sequence", "stop_sequence": "END"}
    )
    (choice,) = answer.choices
    assert choice.finish is FinishReason.STOP
    assert (choice.native_finish, choice.stop_sequence) == ("stop_sequence", "END")


def test_an_answer_without_a_reason_has_no_finish():
    (choice,) = messages.decode_answer({"content": None, "stop_reason": None}).choices
    assert choice.finish is None


@given(JSON, JSON, JSON)
def test_no_document_makes_it_raise(content, block, reason):
    for told in (content, [block], [{"type": "text", "citations": block}],
                 [{"type": "tool_use", "input": block, "id": block}]):  # fmt: skip
        document = {"content": told, "stop_reason": reason, "stop_details": block}
        assert isinstance(messages.decode_answer(document), Answer)
