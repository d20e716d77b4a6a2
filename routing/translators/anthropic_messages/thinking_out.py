"""Writes how much to think, in Anthropic's words (pure)."""

from typing import Any, Final

from routing.conversation import ReasoningWish, Request
from routing.translators import effort
from routing.translators.anthropic_messages import tools_out
from routing.translators.base import Target
from routing.translators.drops import Drops

_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_BUDGET_MIN: Final = 1024  # of the vendor (schema of 2026)
_SEALED: Final = frozenset({"thinking", "redacted_thinking"})


def write(body: dict[str, Any], request: Request, *, target: Target, drops: Drops) -> bool:
    """Put the wish into the body; tell whether the model thinks."""
    wish, quirks = request.reasoning, target.quirks
    if wish.is_on is False or wish.effort == "none" or wish.budget == 0:
        return _stop(body, target, drops)
    if not (wish.effort or wish.is_on or wish.budget is not None):
        return False
    if not quirks.reasoning:
        drops.drop("reasoning")
        return False
    if tools_out.forces(request) or _lacks_seal(body["messages"]):
        drops.drop("reasoning")  # such a request is refused with thinking on
        return False
    if quirks.reasoning == "adaptive":
        return _adapt(body, wish, target)
    return _budget(body, wish, target, drops)


def _stop(body: dict[str, Any], target: Target, drops: Drops) -> bool:
    """Switch thinking off; models with budgets do not think unless told to."""
    if target.quirks.reasoning == "adaptive":
        if not target.quirks.reasoning_stops:
            drops.drop("reasoning")
        else:
            body["thinking"] = {"type": "disabled"}
    return False


def _lacks_seal(messages: list[dict[str, Any]]) -> bool:
    """Tell whether the conversation goes on from an assistant's turn that cannot go on thinking.

    With thinking on, the turn of the latest calls must begin with its thinking (row 1.4 of the
    design), and an answer that is begun already cannot be continued ([mem], 2026-11).
    """
    latest = next((one for one in reversed(messages) if one["role"] != "system"), messages[-1])
    if latest["role"] == "assistant":
        return True
    if not any(block["type"] == "tool_result" for block in latest["content"]):
        return False
    calling = next((one for one in reversed(messages) if one["role"] == "assistant"), None)
    return calling is not None and calling["content"][0]["type"] not in _SEALED


def _adapt(body: dict[str, Any], wish: ReasoningWish, target: Target) -> bool:
    thinking: dict[str, Any] = {"type": "adaptive"}
    if wish.shows is not None:
        thinking["display"] = "summarized" if wish.shows else "omitted"
    body["thinking"] = thinking
    word = wish.effort
    if not word and wish.budget is not None and wish.budget > 0:
        limit, shares = body["max_tokens"], target.effort_shares
        word = effort.effort_of(wish.budget, limit=limit, shares=shares)
    if word:
        known = target.quirks.efforts.split() or _EFFORTS
        if found := effort.nearest(word, known):
            body["output_config"] = {"effort": found}
    return True


def _budget(body: dict[str, Any], wish: ReasoningWish, target: Target, drops: Drops) -> bool:
    limit, quirks = body["max_tokens"], target.quirks
    least = max(_BUDGET_MIN, quirks.budget_min)
    if limit <= least:
        drops.drop("reasoning")
        return False
    budget = wish.budget
    if budget is None or budget < 0:
        budget = effort.budget_of(wish.effort, limit=limit, shares=target.effort_shares)
    if budget >= limit:  # leave room for the answer
        budget = effort.budget_of("max", limit=limit, shares=target.effort_shares)
    if quirks.budget_max:
        budget = min(budget, quirks.budget_max)
    budget = min(max(budget, least), limit - 1)
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if wish.shows is False:
        body["thinking"]["display"] = "omitted"
    return True
