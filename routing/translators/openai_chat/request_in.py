"""A client's chat completion in our own vocabulary (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import AudioOut, Request
from routing.dialects import fields
from routing.readers.answer import mapping
from routing.translators import openai_options
from routing.translators.openai_chat import messages_in, tools_in
from routing.translators.openai_chat.parts_in import cache_mark

# What the request holds in words of ours, or what is decided here and never told to a vendor.
_KNOWN: Final = frozenset(
    {
        "audio", "cache_control", "enable_thinking", "frequency_penalty", "function_call",
        "functions", "include_reasoning", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "min_p", "modalities", "model", "n", "parallel_tool_calls",
        "plugins", "presence_penalty", "prompt_cache_key", "random_seed", "reasoning",
        "reasoning_effort", "repetition_penalty", "response_format", "safety_identifier", "seed",
        "service_tier", "stop", "store", "stream", "stream_options", "temperature", "thinking",
        "thinking_budget", "tool_choice", "tools", "top_a", "top_k", "top_logprobs", "top_p",
        "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
# What another wire format has no word for, and a client may miss in the answer. Any other
# unknown field is left out in silence there, as OpenRouter does.
_NAMED: Final = (
    "prediction",
    "metadata",
    "moderation",
    "image_config",
    "transforms",
    "session_id",
    "trace",
)


def decode_request(body: Mapping[str, Any], *, seal_key: bytes) -> Request:
    """Read a request. Raises: RelayError (400) naming the field."""
    messages = fields.array(body, "messages")
    if not messages:
        fields.refuse_missing("messages", "at least one message")
    instructions, turns = messages_in.conversation(messages, seal_key=seal_key)
    has_functions = bool(fields.array(body, "functions"))
    sound = fields.mapping(body, "audio")
    return Request(
        instructions=instructions,
        turns=turns,
        tools=tools_in.tools(body),
        web_search=tools_in.web_search(body),
        tool_choice=tools_in.tool_choice(body),
        # The old form of an answer holds one call only.
        is_parallel=False if has_functions else _switch(body, "parallel_tool_calls"),
        output_format=tools_in.output_format(body),
        reasoning=openai_options.reasoning(body),
        sampling=openai_options.sampling(
            body,
            has_logprobs=fields.flag(body, "logprobs"),
            logprobs=fields.integer(body, "top_logprobs"),
        ),
        output_tokens_max=openai_options.output_tokens_max(body),
        service_tier=openai_options.tier(body),
        modalities=_words(body, "modalities"),
        audio_out=_audio_out(sound) if sound else None,
        verbosity=fields.text(body, "verbosity") or "",
        cache_key=fields.text(body, "prompt_cache_key") or "",
        cache=cache_mark(body),
        is_stream=fields.flag(body, "stream"),
        requires_all=mapping(body.get("provider")).get("require_parameters") is True,
        dropped=_dropped(body),
        native=_native(body),
    )


def _switch(body: Mapping[str, Any], name: str) -> bool | None:
    return None if body.get(name) is None else fields.flag(body, name)


def _words(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    words = fields.array(body, name)
    for index, value in enumerate(words):
        if type(value) is not str:
            fields.refuse_type(value, "a string", f"{name}[{index}]")
    return tuple(words)


def _audio_out(sound: Mapping[str, Any]) -> AudioOut:
    return AudioOut(
        voice=fields.text(sound, "voice", "audio.") or "",
        format=fields.text(sound, "format", "audio.") or "",
    )


def _dropped(body: Mapping[str, Any]) -> tuple[str, ...]:
    named = [name for name in _NAMED if body.get(name) not in (None, {}, [], "")]
    others = [
        plugin for plugin in fields.array(body, "plugins") if mapping(plugin).get("id") != "web"
    ]
    return (*named, *(("plugins",) if others else ()))


def _native(body: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]] | None:
    rest = {name: value for name, value in body.items() if name not in _KNOWN}
    return {"openai_chat": rest} if rest else None
