import pytest

from routing.conversation import Cache, Role, Text, ToolResult, Turn
from routing.errors import Code
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import (
    asking,
    assistant,
    body_of,
    call,
    encoded,
    refusal,
    result,
    results,
    system,
    user,
)


def sent(*turns, **quirks):
    return body_of(asking(*turns), **quirks)["messages"]


def shape(*turns, **quirks):
    return [
        (one["role"], [block["type"] for block in one["content"]]) for one in sent(*turns, **quirks)
    ]


def test_turns_of_one_role_in_a_row_are_merged():
    assert shape(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
        ("user", ["text", "text"]), ("assistant", ["text", "text"]), ("user", ["text"]),
    ]  # fmt: skip


def test_results_come_first_in_their_turn():
    found = shape(user("a"), assistant(call("c1"), call("c2")), user("wait"),
                  results(result("c2")), user("then"), results(result("c1")))  # fmt: skip
    assert found[2] == ("user", ["tool_result", "tool_result", "text", "text"])


def test_a_missing_result_is_refused_by_its_call():
    for rest in ((), (user("b"),), (user("b"), assistant("c"))):
        request = asking(user("a"), assistant(call("c1"), call("c2")), results(result("c1")), *rest)
        error = refusal(encoded, request)
        assert (error.code, error.param) == (Code.INVALID_VALUE, "messages")
        assert "`c2`" in error.message


@pytest.mark.parametrize("turns", [
    (user("a"), results(result("c9"))),
    (user("a"), assistant(call("c1")), results(result("c1"), result("c1"))),
    (user("a"), assistant(call("c1")), results(result("c1")), assistant("b"),
     results(result("c1"))),
])  # fmt: skip
def test_a_result_without_its_call_is_refused(turns):
    assert "has no call" in refusal(encoded, asking(*turns)).message


def test_ids_are_legal_unique_and_the_same_on_both_sides():
    found = sent(user("a"), assistant(call("functions.f:0"), call(""), call("")),
                 results(result("functions.f:0"), result("", "1"), result("", "2")),
                 assistant(call("")), results(result("", "3")))  # fmt: skip
    uses = [block["id"] for one in found for block in one["content"] if block["type"] == "tool_use"]
    given = [block["tool_use_id"] for one in found for block in one["content"]
             if block["type"] == "tool_result"]  # fmt: skip
    assert uses == given
    assert len(set(uses)) == 4
    assert all(set(one) <= set("abcdefghijklmnopqrstuvwxyz234567x_01") for one in uses)


def test_empty_texts_are_dropped_and_so_is_a_turn_without_any():
    assert shape(user("a", "", " \n"), assistant(""), user("b")) == [("user", ["text", "text"])]


def test_a_place_is_held_where_the_vendor_wants_a_turn():
    assert shape(assistant("a"), user("b"))[0] == ("user", ["text"])
    assert shape(user("")) == [("user", ["text"])]
    assert shape(user("a"), assistant("b"), user(""))[2] == ("user", ["text"])


def test_a_begun_answer_stays_the_last_turn_without_its_space():
    found = sent(user("a"), assistant("Sure: \n"))
    assert found[-1] == {"role": "assistant", "content": [{"type": "text", "text": "Sure:"}]}


def test_system_turns_become_marked_text_in_their_place():
    found = sent(user("a"), system("Be brief."), user("b"))
    assert [block["text"] for block in found[0]["content"]] == [
        "a", "<system-message>Be brief.</system-message>", "b",
    ]  # fmt: skip


def test_system_turns_stay_where_the_model_takes_them():
    found = shape(user("a"), system("Be brief."), user("b"), takes_system_turns=True)
    assert [role for role, _ in found] == ["user", "system", "user"]
    between = shape(user("a"), assistant(call()), system("x"), results(result()),
                    takes_system_turns=True)  # fmt: skip
    assert between[2] == ("user", ["tool_result", "text"])


def test_the_same_beginning_gives_the_same_bytes():
    turns = [user("a"), assistant("hm", call()), results(result()), assistant("done"), user("b")]
    short = making.encoded(asking(*turns[:3])).outbound.body
    again = making.encoded(asking(*turns[:3])).outbound.body
    whole = making.encoded(asking(*turns)).outbound.body
    assert short == again
    assert whole.startswith(short[: short.index(b'"tool_result"')])


def test_a_result_keeps_its_pictures_its_error_and_its_mark():
    picture = making.Text(text="see")
    told = ToolResult(call_id="c1", parts=(picture,), is_error=True, cache=Cache(ttl="1h"))
    block = sent(user("a"), assistant(call()), results(told))[2]["content"][0]
    assert block == {
        "type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "see"}],
        "is_error": True, "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }  # fmt: skip


def test_an_empty_result_is_told_and_an_empty_error_says_so():
    first, second = sent(
        user("a"), assistant(call("c1"), call("c2")),
        results(ToolResult(call_id="c1"), ToolResult(call_id="c2", is_error=True)),
    )[2]["content"]  # fmt: skip
    assert "content" not in first
    assert second["content"] == [{"type": "text", "text": "error"}]


def test_the_name_of_a_speaker_is_dropped_and_named():
    request = asking(Turn(role=Role.USER, parts=(Text(text="a"),), name="bob"))
    assert encoded(request).dropped == ("name",)
