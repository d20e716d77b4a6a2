import pytest

from routing.conversation import (
    Reasoning,
    Request,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)  # fmt: skip
from routing.events import ReasoningDelta, ReasoningEnd, TextDelta, ToolDelta, ToolStart
from routing.translators import keeping, names
from routing.translators.keeping import Keeper, Kept
from routing.vault import Vault

SEAL = Seal(format=SealFormat.ANTHROPIC, data="sig")
ON_CALL = Seal(format=SealFormat.GOOGLE, data="thought")
THOUGHT = Reasoning(text="hm", format=SealFormat.ANTHROPIC, seal=SEAL)


def loop(*parts):
    """A tool loop's next request, as a client that carries no seals sends it."""
    return Request(
        turns=(
            Turn(role=Role.USER, parts=(Text(text="q"),)),
            Turn(role=Role.ASSISTANT, parts=parts),
            Turn(role=Role.TOOL, parts=(ToolResult(call_id="c1", parts=(Text(text="r"),)),)),
        )
    )


CALL = ToolCall(id="c1", name="f", arguments="{}")


def test_gives_the_thought_back_before_the_call_that_it_led_to():
    vault = Vault()
    vault.keep(1, {"c1": Kept(reasoning=(THOUGHT,), seal=ON_CALL)}, now=0)
    done = vault.restore(1, loop(Text(text="I look"), CALL), now=10)
    assert done.turns[1].parts == (
        THOUGHT, Text(text="I look"), ToolCall(id="c1", name="f", arguments="{}", seal=ON_CALL),
    )  # fmt: skip
    assert done.turns[0] == loop().turns[0]


def test_never_gives_to_another_account():
    vault = Vault()
    vault.keep(1, {"c1": Kept(reasoning=(THOUGHT,))}, now=0)
    request = loop(CALL)
    assert vault.restore(2, request, now=1) == request


def test_leaves_a_turn_alone_whose_seals_came_back():
    vault = Vault()
    vault.keep(1, {"c1": Kept(reasoning=(THOUGHT,))}, now=0)
    own = Reasoning(text="own", seal=Seal(format=SealFormat.OPENAI, data="x"))
    request = loop(own, CALL)
    assert vault.restore(1, request, now=1) == request


def test_the_text_that_a_client_carried_without_its_seal_is_not_told_twice():
    vault = Vault()
    vault.keep(1, {"c1": Kept(reasoning=(THOUGHT,))}, now=0)
    done = vault.restore(1, loop(Reasoning(text="hm"), CALL), now=1)
    assert done.turns[1].parts == (THOUGHT, CALL)


def test_finds_a_call_whose_id_was_made_legal_for_the_client():
    vault = Vault()
    vault.keep(1, {"call:1/x": Kept(reasoning=(THOUGHT,))}, now=0)
    call = ToolCall(id=names.legal_id("call:1/x"), name="f", arguments="{}")
    assert vault.restore(1, loop(call), now=1).turns[1].parts == (THOUGHT, call)


@pytest.mark.parametrize(("age", "is_kept"), [(3_599, True), (3_600, False)])
def test_forgets_after_an_hour(age, is_kept):
    vault = Vault()
    vault.keep(1, {"c1": Kept(reasoning=(THOUGHT,))}, now=0)
    request = loop(CALL)
    assert (vault.restore(1, request, now=age) != request) is is_kept
    assert len(vault) == is_kept


def test_forgets_the_oldest_when_it_is_full():
    vault = Vault(chars_max=1_000)
    for n in range(10):
        vault.keep(1, {f"c{n}": Kept(reasoning=(THOUGHT,))}, now=n)
    assert 0 < len(vault) < 5
    request = loop(ToolCall(id="c0", name="f", arguments="{}"))
    assert vault.restore(1, request, now=11) == request


def keeper(*events):
    found = Keeper()
    for event in events:
        found.take(event)
    return found.kept()


def test_keeps_what_a_stream_sealed_by_the_ids_of_its_calls():
    kept = keeper(
        ReasoningDelta(text="h", format=SealFormat.ANTHROPIC),
        ReasoningDelta(text="m", format=SealFormat.ANTHROPIC),
        ReasoningEnd(seal=SEAL, format=SealFormat.ANTHROPIC),
        TextDelta(text="never kept"),
        ToolStart(call=0, id="a", name="f"),
        ToolDelta(call=0, arguments="{}"),
        ToolStart(call=1, id="b", name="g", seal=ON_CALL),
    )
    assert kept == {
        "a": Kept(reasoning=(THOUGHT,)),
        "b": Kept(reasoning=(THOUGHT,), seal=ON_CALL),
    }


@pytest.mark.parametrize("events", [
    [ReasoningDelta(text="x"), ReasoningEnd(), ToolStart(call=0, id="a", name="f")],
    [ReasoningDelta(text="x"), ReasoningEnd(seal=SEAL)],
    [ToolStart(call=0, id="a", name="f")],
    [ReasoningDelta(text="x" * (keeping.REASONING_CHARS_MAX + 1)), ReasoningEnd(seal=SEAL),
     ToolStart(call=0, id="a", name="f")],
], ids=["no seal", "no call", "no reasoning", "too long"])  # fmt: skip
def test_keeps_nothing_that_no_loop_needs(events):
    assert keeper(*events) == {}
