"""What chat completions and the legacy completions ask for in the same words (pure)."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from routing.conversation import ReasoningWish, Sampling
from routing.dialects import fields
from routing.dialects.content import service_tier
from routing.dialects.openai_chat import CHOICES_MAX
from routing.errors import Code
from routing.translators.effort import EFFORTS

_LIMIT_FIELDS: Final = ("max_completion_tokens", "max_tokens")
# What `thinking.type` says, at Z.AI, Kimi, DeepSeek and Anthropic's compatible endpoint (2026).
_THINKING: Final[Mapping[str, bool]] = {
    "enabled": True,
    "adaptive": True,
    "auto": True,
    "disabled": False,
}


def sampling(body: Mapping[str, Any], *, logprobs: int | None, has_logprobs: bool) -> Sampling:
    """Read how tokens shall be drawn. Raises: RelayError (400) naming the field."""
    return Sampling(
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        top_k=fields.integer(body, "top_k", at_least=-1),
        min_p=fields.number(body, "min_p"),
        top_a=fields.number(body, "top_a"),
        frequency_penalty=fields.number(body, "frequency_penalty"),
        presence_penalty=fields.number(body, "presence_penalty"),
        repetition_penalty=fields.number(body, "repetition_penalty"),
        seed=_seed(body),
        logit_bias=fields.mapping(body, "logit_bias") or None,
        has_logprobs=has_logprobs,
        top_logprobs=logprobs,
        stop=_stops(body.get("stop")),
        choices=_choices(body),
    )


def output_tokens_max(body: Mapping[str, Any]) -> int | None:
    """Read the output limit; of two, the higher one, as admission holds money for it."""
    limits = [fields.integer(body, name) for name in _LIMIT_FIELDS]
    return max((limit for limit in limits if limit is not None), default=None)


def tier(body: Mapping[str, Any]) -> str:
    """Read the service tier; "" when the request names none."""
    value = body.get("service_tier")
    return "" if value is None else service_tier(value)


def reasoning(body: Mapping[str, Any]) -> ReasoningWish:
    """Read how much to think, in the words of OpenAI, OpenRouter, Z.AI and Qwen."""
    wish = fields.mapping(body, "reasoning")
    thinking = fields.mapping(body, "thinking")
    return ReasoningWish(
        effort=_effort(wish, "reasoning.effort") or _effort(body, "reasoning_effort"),
        budget=_budget(body, wish, thinking),
        is_on=_is_on(body, wish, thinking),
        shows=_shows(body, wish),
        summary=fields.text(wish, "summary", "reasoning.") or "",
    )


def _effort(body: Mapping[str, Any], param: str) -> str:
    effort = fields.text(body, param.rpartition(".")[2], param.rpartition(".")[0])
    if effort in (None, "default"):  # Groq's word for not saying
        return ""
    if effort not in EFFORTS:
        refuse_value(param, ", ".join(EFFORTS))
    return effort


def _budget(
    body: Mapping[str, Any], wish: Mapping[str, Any], thinking: Mapping[str, Any]
) -> int | None:
    for owner, name, prefix in (
        (wish, "max_tokens", "reasoning."),
        (thinking, "budget_tokens", "thinking."),
        (body, "thinking_budget", ""),  # Qwen
    ):
        budget = fields.integer(owner, name, at_least=-1, prefix=prefix)
        if budget is not None:
            return budget
    return None


def _is_on(
    body: Mapping[str, Any], wish: Mapping[str, Any], thinking: Mapping[str, Any]
) -> bool | None:
    if wish.get("enabled") is not None:
        return _flag(wish, "enabled", "reasoning.enabled")
    kind = fields.text(thinking, "type", "thinking.")
    if kind is not None:
        if kind not in _THINKING:
            refuse_value("thinking.type", ", ".join(_THINKING))
        return _THINKING[kind]
    if body.get("enable_thinking") is not None:
        return _flag(body, "enable_thinking", "enable_thinking")
    return None


def _shows(body: Mapping[str, Any], wish: Mapping[str, Any]) -> bool | None:
    if wish.get("exclude") is not None:
        return not _flag(wish, "exclude", "reasoning.exclude")
    if body.get("include_reasoning") is not None:  # OpenRouter's older word
        return _flag(body, "include_reasoning", "include_reasoning")
    # OpenRouter shows what a model thinks unless told otherwise (its documentation, 2026-08).
    return True if wish else None


def _flag(body: Mapping[str, Any], name: str, param: str) -> bool:
    if type(body[name]) is not bool:
        fields.refuse_type(body[name], "true or false", param)
    return body[name] is True


def _seed(body: Mapping[str, Any]) -> int | None:
    for name in ("seed", "random_seed"):  # the second is Mistral's
        value = body.get(name)
        if value is None:
            continue
        if type(value) is not int:
            fields.refuse_type(value, "an integer", name)
        return value
    return None


def _stops(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if type(value) is str else value
    if type(stops) is not list:
        fields.refuse_type(value, "a string or an array of strings", "stop")
    for index, stop in enumerate(stops):
        if type(stop) is not str:
            fields.refuse_type(stop, "a string", f"stop[{index}]")
    return tuple(stops)


def _choices(body: Mapping[str, Any]) -> int:
    choices = fields.integer(body, "n", at_least=1) or 1
    if choices > CHOICES_MAX:
        fields.refuse_range("n", CHOICES_MAX)
    return choices


def refuse_value(param: str, allowed: str) -> NoReturn:
    """Raise a 400: the field must be one of these words."""
    fields.refuse(
        Code.INVALID_VALUE,
        f"`{param}` is none of the known values: {allowed}. Change it to one of them.",
        param,
    )
