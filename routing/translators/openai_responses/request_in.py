"""A client's Responses request in our words (pure)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from routing.conversation import OutputFormat, ReasoningWish, Request, Sampling, Text
from routing.dialects import content, fields
from routing.translators.effort import EFFORTS
from routing.translators.openai_responses import tools_in
from routing.translators.openai_responses.items_in import History

ENCRYPTED: Final = "reasoning.encrypted_content"
LOGPROBS: Final = "message.output_text.logprobs"
_SUMMARIES: Final = ("auto", "concise", "detailed")
# Fields that are read here, answered by us, or are the relay's own business.
_KNOWN: Final = frozenset(
    {
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tool_calls",
        "max_output_tokens",
        "text",
        "reasoning",
        "include",
        "stream",
        "stream_options",
        "store",
        "background",
        "temperature",
        "top_p",
        "top_logprobs",
        "top_k",
        "min_p",
        "top_a",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "stop",
        "service_tier",
        "prompt_cache_key",
        "user",
        "safety_identifier",
        "truncation",
        "modalities",
        # of OpenRouter's envelope, and of Codex
        "provider",
        "models",
        "route",
        "plugins",
        "session_id",
        "trace",
        "debug",
        "client_metadata",
    }
)
_NAME: Final = re.compile(r"[A-Za-z][\w.-]{0,63}")
_UNKNOWN_MAX: Final = 16


def decode_request(body: Mapping[str, Any], *, seal_key: bytes) -> Request:
    """Read a request. Raises: RelayError (400) naming the field."""
    offered = tools_in.read(body)
    choice = tools_in.choice(body, offered)
    history = History(offered, seal_key=seal_key)
    history.read(body.get("input"))
    instructions = fields.text(body, "instructions")
    first = (Text(text=instructions),) if instructions else ()
    include = _include(body)
    text = fields.mapping(body, "text")
    dropped = [*offered.dropped, *history.dropped, *_dropped(body, include)]
    return Request(
        instructions=(*first, *history.instructions),
        turns=history.turns(),
        tools=tuple(offered.tools.values()),
        web_search=offered.web_search,
        tool_choice=choice,
        is_parallel=_flag(body, "parallel_tool_calls"),
        output_format=_output_format(text),
        reasoning=_reasoning(body),
        sampling=_sampling(body, include),
        output_tokens_max=fields.integer(body, "max_output_tokens"),
        service_tier=_tier(body),
        modalities=_modalities(body, offered),
        verbosity=fields.choice(text, "verbosity", ("low", "medium", "high"), "text.") or "",
        cache_key=fields.text(body, "prompt_cache_key") or "",
        is_stream=fields.flag(body, "stream"),
        requires_all=fields.mapping(body, "provider").get("require_parameters") is True,
        dropped=tuple(dict.fromkeys(dropped)),
    )


def _flag(body: Mapping[str, Any], name: str) -> bool | None:
    return None if body.get(name) is None else fields.flag(body, name)


def _include(body: Mapping[str, Any]) -> list[str]:
    given = fields.array(body, "include")
    for index, word in enumerate(given):
        if type(word) is not str:
            fields.refuse_type(word, "a string", f"include[{index}]")
    return given


def _output_format(text: dict[str, Any]) -> OutputFormat | None:
    form = fields.mapping(text, "format", "text.")
    known = ("text", "json_object", "json_schema")
    kind = fields.choice(form, "type", known, "text.format.")
    if kind == "json_object":
        return OutputFormat()
    if kind != "json_schema":
        return None
    schema = form.get("schema")
    if schema is None:
        fields.refuse_missing("text.format.schema", "the schema of the answer")
    return OutputFormat(
        schema=fields.mapping(form, "schema", "text.format."),
        name=fields.text(form, "name", "text.format.") or "",
        description=fields.text(form, "description", "text.format.") or "",
        is_strict=_flag(form, "strict"),
    )


def _reasoning(body: Mapping[str, Any]) -> ReasoningWish:
    given = fields.mapping(body, "reasoning")
    summary = fields.choice(given, "summary", _SUMMARIES, "reasoning.")
    summary = summary or fields.choice(given, "generate_summary", _SUMMARIES, "reasoning.")
    return ReasoningWish(
        effort=fields.choice(given, "effort", EFFORTS, "reasoning.") or "",
        budget=fields.integer(given, "max_tokens", prefix="reasoning."),
        is_on=_flag(given, "enabled"),
        shows=True if summary else None,
        summary=summary or "",
    )


def _sampling(body: Mapping[str, Any], include: list[str]) -> Sampling:
    top_logprobs = fields.integer(body, "top_logprobs")
    return Sampling(
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        # The words below are OpenRouter's, not OpenAI's.
        top_k=fields.integer(body, "top_k"),
        min_p=fields.number(body, "min_p"),
        top_a=fields.number(body, "top_a"),
        frequency_penalty=fields.number(body, "frequency_penalty"),
        presence_penalty=fields.number(body, "presence_penalty"),
        repetition_penalty=fields.number(body, "repetition_penalty"),
        seed=fields.integer(body, "seed"),
        stop=_stop(body),
        has_logprobs=LOGPROBS in include or bool(top_logprobs),
        top_logprobs=top_logprobs,
    )


def _stop(body: Mapping[str, Any]) -> tuple[str, ...]:
    given = body.get("stop")
    if type(given) is str:
        return (given,)
    words = fields.array(body, "stop")
    for index, word in enumerate(words):
        if type(word) is not str:
            fields.refuse_type(word, "a string", f"stop[{index}]")
    return tuple(words)


def _tier(body: Mapping[str, Any]) -> str:
    given = fields.text(body, "service_tier")
    return "" if not given or given == "auto" else content.service_tier(given)


def _modalities(body: Mapping[str, Any], offered: tools_in.Offered) -> tuple[str, ...]:
    given = fields.array(body, "modalities")
    for index, word in enumerate(given):
        if type(word) is not str:
            fields.refuse_type(word, "a string", f"modalities[{index}]")
    return tuple(given) or (("text", "image") if offered.makes_images else ())


def _dropped(body: Mapping[str, Any], include: list[str]) -> Iterator[str]:
    """Name what no other vendor has a word for."""
    if any(word not in (ENCRYPTED, LOGPROBS) for word in include):
        yield "include"
    if body.get("truncation") not in (None, "disabled"):
        yield "truncation"
    reasoning = fields.mapping(body, "reasoning")
    for name, usual in (("context", "auto"), ("mode", "standard")):
        if reasoning.get(name) not in (None, usual):
            yield f"reasoning.{name}"
    unknown = (name for name, value in body.items() if name not in _KNOWN and _says(value))
    for _, name in zip(range(_UNKNOWN_MAX), unknown, strict=False):
        if type(name) is str and _NAME.fullmatch(name):
            yield name


def _says(value: Any) -> bool:
    """Tell whether a field holds something, so that leaving it out is worth a word."""
    return value is not None and value is not False and value not in ("", [], {})
