"""A client's completion as a conversation of one turn (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import Request, Role, Text, Turn
from routing.dialects import fields
from routing.errors import Code
from routing.readers.answer import mapping
from routing.translators import openai_options

_LOGPROBS_MAX: Final = 20  # of chat completions, which answer here
# Fields that only ever meant the route, or nothing that a chat model could tell.
_NAMED: Final = ("metadata", "session_id", "trace")


def decode_request(body: Mapping[str, Any], *, seal_key: bytes) -> Request:
    """Read a request. Raises: RelayError (400) naming the field."""
    del seal_key  # a prompt holds no seals
    _refuse_unlike_chat(body)
    logprobs = fields.integer(body, "logprobs")
    if logprobs is not None and logprobs > _LOGPROBS_MAX:
        fields.refuse_range("logprobs", _LOGPROBS_MAX)
    return Request(
        turns=(Turn(role=Role.USER, parts=(Text(text=_prompt(body)),)),),
        reasoning=openai_options.reasoning(body),
        sampling=openai_options.sampling(
            body, has_logprobs=logprobs is not None, logprobs=logprobs or None
        ),
        output_tokens_max=openai_options.output_tokens_max(body),
        service_tier=openai_options.tier(body),
        cache_key=fields.text(body, "prompt_cache_key") or "",
        is_stream=fields.flag(body, "stream"),
        requires_all=mapping(body.get("provider")).get("require_parameters") is True,
        dropped=tuple(name for name in _NAMED if body.get(name) not in (None, {}, "")),
    )


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt")
    if type(prompt) is list and len(prompt) == 1 and type(prompt[0]) is str:
        prompt = prompt[0]
    if prompt is None:
        fields.refuse_missing("prompt", "the text to complete")
    if type(prompt) is list:
        _refuse_list(prompt)
    if type(prompt) is not str:
        fields.refuse_type(prompt, "a string", "prompt")
    return prompt


def _refuse_list(prompt: list[Any]) -> None:
    if any(type(item) is int or type(item) is list for item in prompt):
        fields.refuse(
            Code.UNSUPPORTED,
            "`prompt` holds numbers of tokens, which mean something to one model only. Send the "
            "text itself, as a string.",
            "prompt",
        )
    fields.refuse(
        Code.UNSUPPORTED,
        f"`prompt` holds {len(prompt)} prompts, but a chat model answers one at a time here. Send "
        "one request for each, with a string as its prompt.",
        "prompt",
    )


def _refuse_unlike_chat(body: Mapping[str, Any]) -> None:
    """Refuse what only a model that continues a text can do."""
    if fields.text(body, "suffix"):
        _refuse("suffix", "a text that goes on after the answer")
    if fields.flag(body, "echo"):
        _refuse("echo", "the prompt as a part of the answer")
    best_of = fields.integer(body, "best_of")
    if best_of is not None and best_of > (fields.integer(body, "n") or 1):
        _refuse("best_of", "the best of several answers")


def _refuse(name: str, what: str) -> None:
    fields.refuse(
        Code.UNSUPPORTED,
        f"`{name}` asks for {what}, but a chat model answers here, which cannot do that. Remove "
        "the field, or choose a model with completions of its own.",
        name,
    )
