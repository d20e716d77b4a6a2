"""OpenAI's audio: speech, transcriptions and translations, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from billing.usage import UnitClass
from routing import audio_length, jsonedit
from routing.dialects import fields, openai, openai_forms
from routing.dialects.base import Content, Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import service_tier
from routing.errors import Code
from routing.surfaces import Surface

_PATHS: Final[Mapping[Surface, str]] = {
    Surface.SPEECH: "audio/speech",
    Surface.TRANSCRIPTIONS: "audio/transcriptions",
    Surface.TRANSLATIONS: "audio/translations",
}
# Speech. OpenAI writes 1,250 tokens for a minute (its price for a minute over that for a token
# [mem, 2026-11]), so 21 a second; nobody takes a second for a character, unless told to be slow.
TOKENS_PER_CHARACTER_MAX: Final = 25
SPEECH_TOKENS_MIN: Final = 2_000  # pauses, sighs, and what instructions may add
SPEED_MIN, SPEED_MAX = 0.25, 4  # OpenAI's schema
# Transcriptions. OpenAI reads 10 tokens a second, 17 by the price of a minute, Voxtral 12.5.
HEARD_TOKENS_PER_S_MAX: Final = 50
WRITTEN_TOKENS_PER_S_MAX: Final = 50
WRITTEN_TOKENS_MIN: Final = 1_000
# Groq bills 10 s at least (its price page [mem, 2026-11]), others round up to a second.
BILLED_MS_MIN: Final = 10_000
REFERENCE_MS_MAX: Final = 10_000  # of known speakers: 2 to 10 s each (OpenAI's schema)
REFERENCES_MAX: Final = 4  # likewise


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a request about sound. Raises: RelayError (400) naming the wrong field."""
    del path  # the body says it all
    if surface is Surface.SPEECH:
        return _speech(raw, headers)
    document, form = openai_forms.read(raw, headers)
    body = document.value
    model = fields.model(body)
    found = openai_forms.files(form, "file")
    openai_forms.refuse_fields(body, read_elsewhere=())
    if form is None or not found:
        fields.refuse_missing("file", "the sound, as a file of the form")
    length = audio_length.of(form.content(found[0]))
    return Inbound(
        surface=surface,
        model=model,
        is_stream=fields.flag(body, "stream"),
        document=document,
        content=Content(measures={UnitClass.AUDIO_DURATION: length.ms}, heard_ms_max=length.ms_max),
        headers=openai_forms.headers_of(form, headers),
        form=form,
        answer_format=fields.text(body, "response_format") or "json",
        is_drained=True,
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use. Raises: RelayError (400)."""
    tier = service_tier(inbound.body.get("service_tier"))
    prompt_bytes = openai_forms.text_bytes(inbound)
    if inbound.surface is Surface.SPEECH:
        speed = inbound.body.get("speed") or 1
        spoken = _characters_max(inbound.body)
        return Demand(
            prompt_bytes=prompt_bytes,
            output_tokens=SPEECH_TOKENS_MIN
            + int(spoken * TOKENS_PER_CHARACTER_MAX / min(speed, 1)),
            measures={UnitClass.CHARACTERS: spoken},
            has_limit=False,
            service_tier=tier,
        )
    heard_ms = inbound.content.heard_ms_max + BILLED_MS_MIN + REFERENCES_MAX * REFERENCE_MS_MAX
    heard_s = heard_ms // 1_000 + 1
    return Demand(
        prompt_bytes=prompt_bytes,
        media_tokens=heard_s * HEARD_TOKENS_PER_S_MAX,
        output_tokens=WRITTEN_TOKENS_MIN + heard_s * WRITTEN_TOKENS_PER_S_MAX,
        measures={UnitClass.AUDIO_DURATION: heard_ms},
        has_limit=False,
        service_tier=tier,
    )


def encode(
    inbound: Inbound,
    *,
    upstream_name: str,
    quirks: Quirks,
    account_tag: str,
    output_limit: int | None,
) -> Outbound:
    """Make the vendor's request: the model's name is the only edit."""
    del account_tag, output_limit  # no field for either in this dialect
    return openai_forms.outbound(inbound, _PATHS[inbound.surface], upstream_name, quirks)


def _speech(raw: bytes, headers: Mapping[str, str]) -> Inbound:
    document = jsonedit.read(raw)
    body = document.value
    model = fields.model(body)
    text = fields.text(body, "input")
    if not text:
        fields.refuse_missing("input", "the text to speak")
    fields.text(body, "instructions")
    if type(body.get("voice")) is dict:  # a voice made by the owner of the credential
        fields.refuse_set(body["voice"], ("id", "name"), "voice.")
    _check_speed(body.get("speed"))
    openai_forms.refuse_fields(body, read_elsewhere=("voice",))
    return Inbound(
        surface=Surface.SPEECH,
        model=model,
        is_stream=fields.text(body, "stream_format") == "sse",
        document=document,
        content=Content(measures={UnitClass.CHARACTERS: len(text)}),
        headers=openai.forwarded_headers(headers),
        answer_format=fields.text(body, "response_format") or "mp3",
        is_drained=True,
    )


def _check_speed(speed: Any) -> None:
    if speed is None:
        return
    if type(speed) not in (int, float):
        fields.refuse_type(speed, "a number", "speed")
    if not SPEED_MIN <= speed <= SPEED_MAX:
        fields.refuse(
            Code.INVALID_VALUE,
            f"`speed` must be between {SPEED_MIN} and {SPEED_MAX}. Change the number.",
            "speed",
        )


def _characters_max(body: Mapping[str, Any]) -> int:
    """Count as the vendor that counts most: in units of UTF-16, instructions included."""
    texts = (body.get("input") or "", body.get("instructions") or "")
    return sum(len(text.encode("utf-16-le", "surrogatepass")) // 2 for text in texts)
