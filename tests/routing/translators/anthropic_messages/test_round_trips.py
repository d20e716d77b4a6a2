"""What goes out in this wire format and comes back is the same, but for what it cannot hold."""

import json
import string

from hypothesis import given
from hypothesis import strategies as st

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
from routing.translators import anthropic_messages as messages
from routing.translators.folding import fold, unfold
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import KEY, answering, bill

WORDS = st.text(min_size=1, max_size=12)
LEGAL = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20).map(
    lambda text: f"c{text}"
)
OBJECTS = st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.text(max_size=5), max_size=3)
ARGUMENTS = OBJECTS.map(lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False))
OWN = st.builds(Seal, format=st.just(SealFormat.ANTHROPIC), data=WORDS)
REDACTED = st.builds(
    Seal, format=st.just(SealFormat.ANTHROPIC), data=WORDS, is_redacted=st.just(True)
)
FOREIGN = st.builds(
    Seal,
    format=st.sampled_from([SealFormat.OPENAI, SealFormat.XAI, SealFormat.UNKNOWN]),
    data=WORDS,
    id=st.text(max_size=8),
)
# All sealed: on text without a seal a late one would be put on it (rule 9 of the design's streams).
THOUGHTS = st.builds(
    Reasoning, text=WORDS, format=st.just(SealFormat.ANTHROPIC), seal=OWN
) | st.builds(Reasoning, format=st.just(SealFormat.ANTHROPIC), seal=OWN | REDACTED)
CALLS = st.builds(ToolCall, id=LEGAL, name=LEGAL, arguments=ARGUMENTS)
TEXTS = st.builds(Text, text=WORDS)


@st.composite
def answers(draw, *, thoughts=THOUGHTS):
    """Answers that this format can hold: one choice, no pictures, reasons with a word here."""
    parts = tuple(draw(st.lists(TEXTS | thoughts | CALLS, max_size=6)))
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    reasons = [FinishReason.LENGTH, FinishReason.REFUSAL, FinishReason.PAUSE]
    reasons.append(FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP)
    choice = Choice(parts=parts, finish=draw(st.sampled_from(reasons)))
    return Answer(choices=(choice,))


def plain(answer):
    """Return the answer without the vendor's own word for its end."""
    (choice,) = answer.choices
    return choice.parts, choice.finish


@given(answers())
def test_a_whole_answer_comes_back(answer):
    raw = messages.encode_answer(answer, answering=answering(), bill=bill())
    assert plain(messages.decode_answer(json.loads(raw))) == plain(answer)


@given(answers())
def test_a_stream_comes_back(answer):
    stream = making.stream_of(unfold(answer))
    assert plain(fold(making.decode_stream(stream))) == plain(answer)


@given(answers())
def test_a_stream_and_a_whole_answer_hold_the_same_blocks(answer):
    whole = making.written(answer)["content"]
    streamed = making.blocks(making.stream_of(unfold(answer)))
    for block in streamed:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block.pop("json", "{}"))
    assert streamed == whole


@given(answers(thoughts=THOUGHTS | st.builds(
    lambda text, seal: Reasoning(text=text, format=seal.format, seal=seal), st.text(max_size=9),
    FOREIGN,
)))  # fmt: skip
def test_an_echoed_answer_comes_back_with_every_seal(answer):
    content = making.written(answer)["content"]
    turns = making.decoded(messages=[{"role": "assistant", "content": content}]).turns
    assert turns[0].role is Role.ASSISTANT
    found = list(turns[0].parts)
    wanted = answer.choices[0].parts
    assert [type(part) for part in found] == [type(part) for part in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        if isinstance(theirs, Reasoning):
            assert (ours.text, ours.seal) == (theirs.text, theirs.seal)
        else:
            assert ours == theirs


@given(st.lists(st.tuples(WORDS, LEGAL, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_geminis_seals_come_back_to_the_very_part(told):
    parts = []
    for number, (words, name, on_text, on_call) in enumerate(told):
        seal = making.google_seal(f"c2lnbmF0dXJl{number}")
        parts.append(Text(text=words, seal=seal if on_text else None))
        call_id = f"functions.{name}:{number}"
        parts.append(ToolCall(id=call_id, name=name, arguments="{}",
                              seal=seal if on_call else None))  # fmt: skip
    parts.append(Text(text="", seal=making.google_seal("ZW1wdHk=")))
    answer = Answer(choices=(Choice(parts=tuple(parts)),))
    whole = making.written(answer)["content"]
    streamed = making.blocks(making.stream_of(unfold(answer)))
    for block in streamed:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block.pop("json"))
    for content in (whole, streamed):
        (turn,) = making.decoded(messages=[{"role": "assistant", "content": content}]).turns
        assert list(turn.parts) == parts


def test_geminis_seal_on_thinking_before_a_call_comes_back_to_the_call():
    call = making.call("functions.f:0", seal=making.google_seal())
    parts = (Reasoning(text="hm", format=SealFormat.GOOGLE), call)
    content = making.blocks(making.stream_of(unfold(Answer(choices=(Choice(parts=parts),)))))
    assert [block["type"] for block in content] == ["thinking", "tool_use"]
    content[1]["input"] = json.loads(content[1].pop("json"))
    (turn,) = making.decoded(messages=[{"role": "assistant", "content": content}]).turns
    assert turn.parts == parts


def test_an_echo_under_another_account_brings_no_foreign_seal():
    part = Reasoning(text="hm", format=SealFormat.OPENAI, seal=making.openai_seal())
    raw = messages.encode_answer(
        Answer(choices=(Choice(parts=(part,)),)), answering=answering(seal_key=b"x"), bill=bill()
    )
    (turn,) = making.decoded(
        messages=[{"role": "assistant", "content": json.loads(raw)["content"]}]
    ).turns
    assert KEY != b"x"
    assert turn.parts == (Reasoning(text="hm"),)
