"""generationConfig in our words (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from routing.conversation import AudioOut, OutputFormat, ReasoningWish, Sampling
from routing.dialects import fields
from routing.errors import Code
from routing.translators.effort import EFFORTS
from routing.translators.gemini_generate import schema_in, spelling

_WHERE: Final = "generationConfig."
_KNOWN: Final = frozenset(
    {
        *("temperature", "topP", "topK", "seed", "stopSequences", "candidateCount"),
        *("presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs"),
        *("maxOutputTokens", "responseModalities", "speechConfig", "thinkingConfig"),
        *("responseMimeType", "responseSchema", "responseJsonSchema", "responseFormat"),
        "mediaResolution",
    }
)


def read(config: Mapping[str, Any], dropped: dict[str, None]) -> dict[str, Any]:
    """Return fields of a `conversation.Request`; notes what it has no word for.

    Raises: RelayError (400) naming the field.
    """
    for key, value in config.items():
        if spelling.camel(key) not in _KNOWN and value not in (None, "", [], {}, False):
            dropped[_WHERE + spelling.safe(key)] = None
    modalities = _modalities(config)
    return {
        "sampling": _sampling(config),
        "output_tokens_max": spelling.integer(config, "maxOutputTokens", _WHERE),
        "output_format": _format(config, dropped),
        "reasoning": _reasoning(config),
        "modalities": modalities,
        "audio_out": _audio(config, modalities, dropped),
    }


def _sampling(config: Mapping[str, Any]) -> Sampling:
    return Sampling(
        temperature=spelling.number(config, "temperature", _WHERE),
        top_p=spelling.number(config, "topP", _WHERE),
        top_k=spelling.integer(config, "topK", _WHERE),
        presence_penalty=spelling.number(config, "presencePenalty", _WHERE),
        frequency_penalty=spelling.number(config, "frequencyPenalty", _WHERE),
        seed=spelling.integer(config, "seed", _WHERE, at_least=-(2**31)),
        stop=spelling.texts(config, "stopSequences", _WHERE),
        choices=spelling.integer(config, "candidateCount", _WHERE, at_least=1) or 1,
        has_logprobs=spelling.flag(config, "responseLogprobs", _WHERE) or False,
        top_logprobs=spelling.integer(config, "logprobs", _WHERE),
    )


def _reasoning(config: Mapping[str, Any]) -> ReasoningWish:
    where = f"{_WHERE}thinkingConfig."
    told = spelling.mapping(config, "thinkingConfig", _WHERE)
    level = spelling.text(told, "thinkingLevel", where).lower()
    if level == "thinking_level_unspecified":
        level = ""
    if level and level not in EFFORTS:
        fields.refuse(
            Code.INVALID_VALUE,
            f"`{where}thinkingLevel` must be minimal, low, medium or high. Change the level.",
            f"{where}thinkingLevel",
        )
    return ReasoningWish(
        effort=level,
        budget=spelling.integer(told, "thinkingBudget", where, at_least=-1),
        shows=spelling.flag(told, "includeThoughts", where),
    )


def _format(config: Mapping[str, Any], dropped: dict[str, None]) -> OutputFormat | None:
    mime, schema = _response_format(config, dropped)
    mime = mime or spelling.text(config, "responseMimeType", _WHERE)
    if schema is None:
        schema = _schema(config)
    if mime not in ("", "text/plain", "application/json"):
        fields.refuse(
            Code.UNSUPPORTED,
            f"`{_WHERE}responseMimeType` can be text/plain or application/json for this model: "
            "its vendor has no other. Change the type, or choose a model of Google.",
            f"{_WHERE}responseMimeType",
        )
    if schema is None and mime != "application/json":
        return None
    return OutputFormat(schema=schema)


def _schema(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = spelling.get(config, "responseJsonSchema", _WHERE)
    if found is not None:
        return fields.entry(found, f"{_WHERE}responseJsonSchema")
    found = spelling.get(config, "responseSchema", _WHERE)
    if found is None:
        return None
    where = f"{_WHERE}responseSchema"
    return schema_in.from_openapi(fields.entry(found, where), where)


def _response_format(
    config: Mapping[str, Any], dropped: dict[str, None]
) -> tuple[str, Mapping[str, Any] | None]:
    """Read the newer `responseFormat`: one object or several, each for a kind of output."""
    told = spelling.get(config, "responseFormat", _WHERE)
    where = f"{_WHERE}responseFormat"
    rows = (
        [told] if type(told) is dict else fields.array({"responseFormat": told}, "responseFormat")
    )
    mime, schema = "", None
    for row in rows:
        for kind, value in fields.entry(row, where).items():
            if kind != "text":
                dropped[f"{where}.{spelling.safe(kind)}"] = None
                continue
            text = fields.entry(value, f"{where}.text")
            mime = spelling.text(text, "mimeType", f"{where}.text.").lower() or mime
            schema = fields.mapping(text, "schema", f"{where}.text.") or schema
    return mime, schema


def _modalities(config: Mapping[str, Any]) -> tuple[str, ...]:
    told = tuple(word.lower() for word in spelling.texts(config, "responseModalities", _WHERE))
    return () if set(told) <= {"text", "modality_unspecified"} else told


def _audio(
    config: Mapping[str, Any], modalities: tuple[str, ...], dropped: dict[str, None]
) -> AudioOut | None:
    where = f"{_WHERE}speechConfig."
    told = spelling.mapping(config, "speechConfig", _WHERE)
    for key, value in told.items():
        if value is not None and spelling.camel(key) != "voiceConfig":
            dropped[f"{where}{spelling.safe(key)}"] = None
    voice = spelling.mapping(told, "voiceConfig", where)
    built = spelling.mapping(voice, "prebuiltVoiceConfig", f"{where}voiceConfig.")
    name = spelling.text(built, "voiceName", f"{where}voiceConfig.prebuiltVoiceConfig.")
    name = name or spelling.text(voice, "voice", f"{where}voiceConfig.")
    if not told and "audio" not in modalities:
        return None
    return AudioOut(voice=name, format="pcm16")  # Gemini's sound is bare samples
