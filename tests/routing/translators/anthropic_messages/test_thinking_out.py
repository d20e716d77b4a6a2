import pytest

from routing.conversation import (
    Reasoning,
    ReasoningWish,
    Sampling,
    SealFormat,
    Tool,
    ToolChoice,
)
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import (
    asking,
    assistant,
    body_of,
    call,
    encoded,
    result,
    results,
    user,
)

ON = ReasoningWish(is_on=True)


def told(kind, wish, *, limit=10_000, **quirks):
    request = asking(reasoning=wish, output_tokens_max=limit)
    body = body_of(request, reasoning=kind, **quirks)
    return (
        body.get("thinking"),
        body.get("output_config"),
        encoded(request, reasoning=kind, **quirks).dropped,
    )


def budget(tokens):
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("wish", "limit", "thinking"),
    [
        (ReasoningWish(), 10_000, None),
        (ReasoningWish(effort="none"), 10_000, None),
        (ReasoningWish(is_on=False), 10_000, None),
        (ReasoningWish(budget=0), 10_000, None),
        (ReasoningWish(effort="medium"), 10_000, budget(5_000)),
        (ReasoningWish(effort="max"), 10_000, budget(9_500)),
        (ReasoningWish(effort="minimal"), 4_000, budget(1_024)),
        (ReasoningWish(budget=3_000), 10_000, budget(3_000)),
        (ReasoningWish(budget=500), 10_000, budget(1_024)),
        (ReasoningWish(budget=50_000), 10_000, budget(9_500)),
        (ReasoningWish(budget=-1), 10_000, budget(5_000)),
        (ON, 1_025, budget(1_024)),
    ],
)
def test_a_budget_fits_inside_the_limit(wish, limit, thinking):
    assert told("budget", wish, limit=limit) == (thinking, None, ())


def test_a_limit_too_small_to_think_drops_the_wish():
    assert told("budget", ON, limit=1_024) == (None, None, ("reasoning",))


def test_a_budget_keeps_to_the_models_bounds():
    wish = ReasoningWish(effort="max")
    assert told("budget", wish, budget_max=2_000)[0] == budget(2_000)
    assert told("budget", ReasoningWish(budget=1_500), budget_min=3_000)[0] == budget(3_000)


def test_the_limit_is_never_raised_for_a_budget():
    request = asking(reasoning=ReasoningWish(budget=8_000), output_tokens_max=2_000)
    body = body_of(request, reasoning="budget")
    assert body["max_tokens"] == 2_000
    assert 1_024 <= body["thinking"]["budget_tokens"] < 2_000


@pytest.mark.parametrize(
    ("wish", "thinking", "config"),
    [
        (ReasoningWish(effort="minimal"), {"type": "adaptive"}, {"effort": "low"}),
        (ReasoningWish(effort="xhigh", shows=True),
         {"type": "adaptive", "display": "summarized"}, {"effort": "xhigh"}),
        (ReasoningWish(budget=5_500, shows=False),
         {"type": "adaptive", "display": "omitted"}, {"effort": "medium"}),
        (ReasoningWish(budget=-1), {"type": "adaptive"}, None),
        (ON, {"type": "adaptive"}, None),
        (ReasoningWish(effort="none"), {"type": "disabled"}, None),
        (ReasoningWish(), None, None),
    ],
)  # fmt: skip
def test_adaptive_models_are_told_an_effort(wish, thinking, config):
    assert told("adaptive", wish) == (thinking, config, ())


def test_an_effort_that_the_model_lacks_is_the_nearest_below():
    assert told("adaptive", ReasoningWish(effort="max"), efforts="low high")[1] == {
        "effort": "high"
    }


def test_thinking_that_cannot_stop_is_named():
    assert told("adaptive", ReasoningWish(effort="none"), reasoning_stops=False) == (
        None, None, ("reasoning",),
    )  # fmt: skip


def test_a_model_that_cannot_be_told_drops_the_wish():
    assert told("", ON) == (None, None, ("reasoning",))
    assert told("", ReasoningWish(effort="none")) == (None, None, ())


@pytest.mark.parametrize("kind", ["budget", "adaptive"])
@pytest.mark.parametrize("choice", [ToolChoice(mode="required"),
                                    ToolChoice(mode="required", names=("f",))])  # fmt: skip
def test_a_forced_tool_wins_over_thinking(kind, choice):
    request = asking(reasoning=ON, tools=(Tool(name="f"),), tool_choice=choice,
                     output_tokens_max=9_000)  # fmt: skip
    body = body_of(request, reasoning=kind)
    assert "thinking" not in body
    assert body["tool_choice"]["type"] in ("any", "tool")
    assert encoded(request, reasoning=kind).dropped == ("reasoning",)


def loop(*parts):
    return asking(user("a"), assistant(*parts, call()), results(result()), reasoning=ON,
                  output_tokens_max=9_000)  # fmt: skip


def test_a_tool_loop_without_its_seal_goes_on_without_thinking():
    request = loop(Reasoning(text="hm", format=SealFormat.OPENAI, seal=making.openai_seal()))
    assert "thinking" not in body_of(request, reasoning="budget")
    assert encoded(request, reasoning="budget").dropped == ("reasoning",)


def test_a_tool_loop_with_its_seal_goes_on_thinking():
    sealed = Reasoning(text="hm", format=SealFormat.ANTHROPIC, seal=making.claude_seal())
    body = body_of(loop(sealed), reasoning="budget")
    assert body["thinking"] == budget(4_500)
    assert body["messages"][1]["content"][0]["signature"] == making.claude_seal().data


def test_a_begun_answer_is_kept_and_the_thinking_dropped():
    request = asking(user("a"), assistant("Sure"), reasoning=ON, output_tokens_max=9_000)
    body = body_of(request, reasoning="budget")
    assert "thinking" not in body
    assert body["messages"][-1]["content"][0]["text"] == "Sure"


def test_sampling_that_thinking_forbids_is_dropped_and_named():
    sampling = Sampling(temperature=0.3, top_k=5, top_p=0.5)
    request = asking(reasoning=ON, sampling=sampling, output_tokens_max=9_000)
    body = body_of(request, reasoning="budget")
    assert not {"temperature", "top_k", "top_p"} & set(body)
    assert encoded(request, reasoning="budget").dropped == ("temperature", "top_k", "top_p")
    plain = asking(reasoning=ON, sampling=Sampling(temperature=1, top_p=0.95),
                   output_tokens_max=9_000)  # fmt: skip
    assert body_of(plain, reasoning="budget")["top_p"] == 0.95
    assert encoded(plain, reasoning="budget").dropped == ()
