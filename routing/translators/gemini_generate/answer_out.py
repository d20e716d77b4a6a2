"""An answer for a Gemini client, and what its stream shares with it (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from routing.conversation import (
    Answer,
    Audio,
    Choice,
    FinishReason,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.readers.gemini_generate import FINISHES
from routing.translators.base import Answering, Bill
from routing.translators.gemini_generate import signatures, usage, writing
from routing.translators.gemini_generate.citations_out import Grounding
from routing.translators.gemini_generate.writing import Json, dump

_FINISHES: Final[Mapping[FinishReason, str]] = {
    FinishReason.STOP: "STOP",
    FinishReason.TOOL_CALLS: "STOP",
    FinishReason.PAUSE: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.CONTENT_FILTER: "SAFETY",
    FinishReason.REFUSAL: "SAFETY",
    FinishReason.ERROR: "MALFORMED_RESPONSE",
    FinishReason.OTHER: "OTHER",
}
# What OpenAI calls pcm16; it is what Gemini answers with, too.
SOUND: Final = "audio/L16;codec=pcm;rate=24000"


def encode_answer(answer: Answer, *, answering: Answering, bill: Bill) -> bytes:
    """Write a whole answer. Nothing but Google's fields: the cost is told in headers."""
    choices = answer.choices or (Choice(finish=FinishReason.STOP),)
    key = answering.seal_key
    return dump(
        {
            "candidates": [_candidate(choice, n, key) for n, choice in enumerate(choices)],
            "usageMetadata": usage.metadata(bill.usage),
            "modelVersion": answering.model,
            "responseId": answering.hex,
        }
    )


def finish_word(reason: FinishReason, native: str) -> str:
    """Return Google's word for an end: the vendor's own where it is one of Google's."""
    return native if FINISHES.get(native) is reason else _FINISHES[reason]


def signed(part: Json, seal: Seal | None, key: bytes) -> Json:
    """Return the part with a seal on it."""
    return part if seal is None else {**part, "thoughtSignature": signatures.write(seal, key=key)}


def named(seal: Seal, reasoning_id: str) -> Seal:
    """Return the seal with the id of its reasoning, which some vendors want back."""
    return seal if seal.id or not reasoning_id else msgspec.structs.replace(seal, id=reasoning_id)


def call_part(call_id: str, name: str, text: str, *, is_custom: bool) -> Json:
    """Write a whole call."""
    told: Json = {"name": name, "args": writing.args(text, is_custom=is_custom)}
    return {"functionCall": {"id": call_id, **told} if call_id else told}


def image_part(image: Image) -> Json:
    """Write a picture."""
    if image.data:
        return {"inlineData": {"mimeType": image.mime or "image/png", "data": image.data}}
    mime = {"mimeType": image.mime} if image.mime else {}
    return {"fileData": {**mime, "fileUri": image.url}}


def logprobs_result(tokens: Sequence[Mapping[str, Any]]) -> Json:
    """Write probabilities from OpenAI's form."""
    return {
        "chosenCandidates": [_token(token) for token in tokens],
        "topCandidates": [
            {"candidates": [_token(one) for one in token.get("top_logprobs") or ()]}
            for token in tokens
        ],
    }


def _token(told: Mapping[str, Any]) -> Json:
    return {"token": told.get("token") or "", "logProbability": told.get("logprob") or 0.0}


def _candidate(choice: Choice, number: int, key: bytes) -> Json:
    parts = list(_parts(choice.parts, key))
    content: Json = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    reason = choice.finish or FinishReason.STOP
    told: Json = {
        "content": content,
        "finishReason": finish_word(reason, choice.native_finish),
        "index": number,
    }
    grounding = _grounding(choice)
    if grounding is not None:
        told["groundingMetadata"] = grounding
    if choice.logprobs:
        told["logprobsResult"] = logprobs_result(choice.logprobs)
    return told


def _grounding(choice: Choice) -> Json | None:
    if not any(isinstance(part, Text) and part.citations for part in choice.parts):
        return None
    grounding, pieces = Grounding(), []
    for part in choice.parts:
        if not isinstance(part, (Text, Refusal)):
            continue
        grounding.text(part.text)
        pieces.append(part.text)
        for citation in part.citations if isinstance(part, Text) else ():
            grounding.cite(citation)
        grounding.end_block()
    return grounding.metadata("".join(pieces))


def _parts(parts: Iterable[Part], key: bytes) -> Iterable[Json]:
    """Write the parts; a foreign seal waits for the next part that may carry it."""
    waiting: Seal | None = None
    for part in parts:
        if isinstance(part, Reasoning):
            seal = named(part.seal, part.id) if part.seal is not None else None
            is_own = seal is not None and seal.format is SealFormat.GOOGLE
            if seal is not None and waiting is not None:
                yield signed({"text": "", "thought": True}, waiting, key)
                waiting = None
            if part.text or is_own:
                thought: Json = {"text": part.text, "thought": True}
                yield signed(thought, seal if is_own else None, key)
            waiting = seal if seal is not None and not is_own else waiting
            continue
        for written in _written(part):
            own = part.seal if isinstance(part, (Text, ToolCall, Image)) else None
            if own is not None and waiting is not None:
                yield signed({"text": "", "thought": True}, waiting, key)
                waiting = None
            yield signed(written, own or waiting, key)
            waiting = None
    if waiting is not None:
        yield signed({"text": ""}, waiting, key)


def _written(part: Part) -> Iterable[Json]:
    if isinstance(part, (Text, Refusal)):
        if part.text or (isinstance(part, Text) and part.seal is not None):
            yield {"text": part.text}
    elif isinstance(part, ToolCall):
        yield call_part(part.id, part.name, part.arguments, is_custom=part.is_custom)
    elif isinstance(part, Image):
        yield image_part(part)
    elif isinstance(part, Audio):
        yield from _sound(part)


def _sound(part: Audio) -> Iterable[Json]:
    if part.transcript:
        yield {"text": part.transcript}
    if part.data:
        yield {"inlineData": {"mimeType": part.mime or SOUND, "data": part.data}}
