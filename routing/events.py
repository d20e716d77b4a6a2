"""The words of a stream between wire formats (pure, frozen); routing/conversation.py has the rest.

`choice` is the index of the answer that an event belongs to.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from routing.conversation import Citation, FinishReason, Image, Seal, SealFormat


class Start(Struct, frozen=True, kw_only=True, gc=False):
    """The vendor has begun to answer."""


class TextDelta(Struct, frozen=True, kw_only=True, gc=False):
    """More visible text."""

    text: str
    choice: int = 0


class TextEnd(Struct, frozen=True, kw_only=True, gc=False):
    """The text part ends here, where its wire format says so: what follows is another part."""

    choice: int = 0


class ReasoningDelta(Struct, frozen=True, kw_only=True, gc=False):
    """More reasoning; another format or kind than before begins another part."""

    text: str
    is_summary: bool = False
    format: SealFormat = SealFormat.UNKNOWN
    id: str = ""  # the vendor's, where it is known before the end
    choice: int = 0


class ReasoningEnd(Struct, frozen=True, kw_only=True, gc=False):
    """The reasoning part ends here; `seal` belongs to it, and may be all there is of it."""

    seal: Seal | None = None
    format: SealFormat = SealFormat.UNKNOWN
    id: str = ""
    choice: int = 0


class SealDelta(Struct, frozen=True, kw_only=True, gc=False):
    """A seal that stands on a text or a picture, not on reasoning (Gemini)."""

    seal: Seal
    choice: int = 0


class ToolStart(Struct, frozen=True, kw_only=True, gc=False):
    """A call begins. `call` counts the calls of the whole answer from 0."""

    call: int
    id: str
    name: str
    is_custom: bool = False
    seal: Seal | None = None
    choice: int = 0


class ToolDelta(Struct, frozen=True, kw_only=True, gc=False):
    """More of a call's arguments; calls may interleave."""

    call: int
    arguments: str
    choice: int = 0


class ToolEnd(Struct, frozen=True, kw_only=True, gc=False):
    """A call's arguments are complete."""

    call: int
    choice: int = 0


class RefusalDelta(Struct, frozen=True, kw_only=True, gc=False):
    """More of a refusal."""

    text: str
    choice: int = 0


class MediaOut(Struct, frozen=True, kw_only=True, gc=False):
    """A whole picture."""

    image: Image
    choice: int = 0


class AudioDelta(Struct, frozen=True, kw_only=True, gc=False):
    """More sound (base64) or more of what is said in it."""

    data: str = ""
    transcript: str = ""
    id: str = ""
    mime: str = ""
    expires_at: int | None = None
    choice: int = 0


class Cited(Struct, frozen=True, kw_only=True, gc=False):
    """A source of the current text part of this choice."""

    citation: Citation
    choice: int = 0


class Logprobs(Struct, frozen=True, kw_only=True, gc=False):
    """Probabilities of the tokens just given."""

    tokens: tuple[Mapping[str, Any], ...]
    choice: int = 0


class Finish(Struct, frozen=True, kw_only=True, gc=False):
    """A choice ended; at most one for each. The stream's own end is told by its reader."""

    reason: FinishReason
    native: str = ""
    stop_sequence: str = ""
    choice: int = 0


Event = (
    Start
    | TextDelta
    | TextEnd
    | ReasoningDelta
    | ReasoningEnd
    | SealDelta
    | ToolStart
    | ToolDelta
    | ToolEnd
    | RefusalDelta
    | MediaOut
    | AudioDelta
    | Cited
    | Logprobs
    | Finish
)
