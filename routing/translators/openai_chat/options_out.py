"""How a request wants its answer, as the fields that a vendor takes (pure)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from routing.conversation import OutputFormat, ReasoningWish, Request, Sampling
from routing.dialects.base import Quirks
from routing.translators.base import Target
from routing.translators.drops import Drops
from routing.translators.effort import budget_of, effort_of, nearest

# What a budget is measured by when nobody set a limit of the output.
_LIMIT_ASSUMED: Final = 32_000
_PENALTIES: Final = ("frequency_penalty", "presence_penalty")
_PICKS: Final = ("top_k", "min_p", "top_a", "repetition_penalty")


def sampling(request: Request, quirks: Quirks, drops: Drops) -> dict[str, Any]:
    """Write how tokens are drawn."""
    wish = request.sampling
    written: dict[str, Any] = {}
    for name in ("temperature", "top_p", *_PENALTIES, "logit_bias"):
        _put(written, drops, name, getattr(wish, name), is_taken=quirks.takes_sampling)
    for name in _PICKS:
        is_taken = quirks.takes_sampling and quirks.takes_top_k
        _put(written, drops, name, getattr(wish, name), is_taken=is_taken)
    if wish.seed is not None and not quirks.seed_field:
        drops.drop("seed")
    elif wish.seed is not None:
        written[quirks.seed_field] = wish.seed
    _put_logprobs(written, wish, quirks, drops)
    _put_stops(written, wish, quirks, drops)
    if wish.choices > 1:
        written["n"] = wish.choices
    return written


def _put(written: dict[str, Any], drops: Drops, name: str, value: Any, *, is_taken: bool) -> None:
    if value is None:
        return
    if is_taken:
        written[name] = value
    else:
        drops.drop(name)


def _put_logprobs(written: dict[str, Any], wish: Sampling, quirks: Quirks, drops: Drops) -> None:
    if not wish.has_logprobs:
        return
    if not quirks.takes_logprobs:
        drops.drop("logprobs")
        return
    written["logprobs"] = True
    if wish.top_logprobs is not None:
        written["top_logprobs"] = wish.top_logprobs


def _put_stops(written: dict[str, Any], wish: Sampling, quirks: Quirks, drops: Drops) -> None:
    if not wish.stop:
        return
    if not quirks.takes_stop:
        drops.drop("stop")
        return
    if len(wish.stop) > quirks.stops_max:
        drops.refuse("stop")
    written["stop"] = list(wish.stop)


def output_limit(request: Request, target: Target) -> dict[str, Any]:
    """Write the output limit: what the hold covers, and never more than the client's own."""
    limits = [limit for limit in (request.output_tokens_max, target.output_limit) if limit]
    return {target.quirks.output_limit_field: min(limits)} if limits else {}


def output_format(wanted: OutputFormat | None, quirks: Quirks, drops: Drops) -> tuple[Any, str]:
    """Return `response_format` (None: none), and an instruction that helps where it is weak."""
    if wanted is None:
        return None, ""
    if wanted.schema is not None and quirks.takes_json_schema:
        schema: dict[str, Any] = {"name": wanted.name or "response", "schema": wanted.schema}
        if wanted.description:
            schema["description"] = wanted.description
        if wanted.is_strict is not None and quirks.takes_strict:
            schema["strict"] = wanted.is_strict
        else:
            drops.drop_if("response_format.json_schema.strict", given=wanted.is_strict)
        return {"type": "json_schema", "json_schema": schema}, ""
    hint = "Answer with a JSON object and nothing else."
    if wanted.schema is not None:
        drops.drop("response_format.json_schema")
        schema_text = orjson.dumps(wanted.schema).decode()
        hint = f"Answer with JSON of this JSON Schema and nothing else:\n{schema_text}"
    elif not quirks.takes_json_mode:
        drops.drop("response_format")
    if quirks.takes_json_mode:
        return {"type": "json_object"}, hint if wanted.schema is not None else ""
    return None, hint


def reasoning(request: Request, target: Target, drops: Drops) -> dict[str, Any]:
    """Write how much to think, in the words that the model knows."""
    wish, quirks = request.reasoning, target.quirks
    if not wish.effort and wish.budget is None and wish.is_on is None:
        return _shown(wish) if quirks.reasoning == "openrouter" else {}
    write = _STYLES.get(quirks.reasoning)
    if write is None:
        if not _is_off(wish):  # what cannot think is off anyway
            drops.drop("reasoning_effort")
        return {}
    return write(wish, _limit(request, target), target, drops)


def _limit(request: Request, target: Target) -> int:
    return (
        target.output_limit
        or request.output_tokens_max
        or target.output_tokens_max
        or _LIMIT_ASSUMED
    )


def _is_off(wish: ReasoningWish) -> bool:
    if wish.effort:
        return wish.effort == "none"
    if wish.budget is not None:
        return wish.budget == 0
    return wish.is_on is False


def _effort(wish: ReasoningWish, limit: int, target: Target) -> str:
    """Return the effort that is meant; "": the model's own."""
    if wish.effort:
        return wish.effort
    if wish.budget is not None and wish.budget >= 0:
        return effort_of(wish.budget, limit=limit, shares=target.effort_shares)
    return "none" if wish.is_on is False else ""


def _by_effort(wish: ReasoningWish, limit: int, target: Target, drops: Drops) -> dict[str, Any]:
    wanted = _effort(wish, limit, target)
    if not wanted:
        return {}
    known = [
        word
        for word in target.quirks.efforts.split()
        if word != "none" or target.quirks.reasoning_stops
    ]
    found = nearest(wanted, known)
    if wanted == "none" and not target.quirks.reasoning_stops and found == "none":
        found = ""
    if not found:
        drops.drop("reasoning_effort")
        return {}
    return {"reasoning_effort": found}


def _by_openrouter(
    wish: ReasoningWish,
    limit: int,
    target: Target,  # noqa: ARG001 - of the table
    drops: Drops,  # noqa: ARG001 - of the table
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if wish.effort:
        told["effort"] = wish.effort
    elif wish.budget is not None and wish.budget > 0:
        told["max_tokens"] = min(wish.budget, limit)
    elif wish.budget is not None or wish.is_on is not None:
        told["enabled"] = not _is_off(wish)
    return {"reasoning": {**told, **_shown(wish).get("reasoning", {})}}


def _shown(wish: ReasoningWish) -> dict[str, Any]:
    return {} if wish.shows is None else {"reasoning": {"exclude": not wish.shows}}


def _by_thinking(wish: ReasoningWish, limit: int, target: Target, drops: Drops) -> dict[str, Any]:
    """Write `thinking.type`: on or off, and no word for how much."""
    if _is_off(wish):
        return _off({"thinking": {"type": "disabled"}}, target, drops)
    if wish.effort or (wish.budget or 0) > 0:
        drops.drop("reasoning_effort")
    del limit
    return {"thinking": {"type": "enabled"}}


def _by_budget(wish: ReasoningWish, limit: int, target: Target, drops: Drops) -> dict[str, Any]:
    """Write `thinking` with a budget: Anthropic's own chat completions."""
    if _is_off(wish):
        return _off({"thinking": {"type": "disabled"}}, target, drops)
    budget = wish.budget if wish.budget is not None and wish.budget > 0 else None
    if budget is None:
        budget = budget_of(wish.effort or "medium", limit=limit, shares=target.effort_shares)
    budget = min(budget, target.quirks.budget_max or limit - 1, limit - 1)
    if budget < target.quirks.budget_min:
        drops.drop("reasoning_effort")
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _by_switch(wish: ReasoningWish, limit: int, target: Target, drops: Drops) -> dict[str, Any]:
    """Write Qwen's `enable_thinking`, with its budget where one is meant."""
    if _is_off(wish):
        return _off({"enable_thinking": False}, target, drops)
    budget = wish.budget
    if budget is None and wish.effort:
        budget = budget_of(wish.effort, limit=limit, shares=target.effort_shares)
    if budget is None or budget <= 0:
        return {"enable_thinking": True}
    return {"enable_thinking": True, "thinking_budget": min(budget, limit)}


def _off(written: dict[str, Any], target: Target, drops: Drops) -> dict[str, Any]:
    if target.quirks.reasoning_stops:
        return written
    drops.drop("reasoning_effort")
    return {}


_Style = Callable[[ReasoningWish, int, Target, Drops], dict[str, Any]]
_STYLES: Final[Mapping[str, _Style]] = {
    "effort": _by_effort,
    "level": _by_effort,
    "openrouter": _by_openrouter,
    "thinking": _by_thinking,
    "enable_thinking": _by_switch,
    "budget": _by_budget,
    "adaptive": _by_budget,
}
