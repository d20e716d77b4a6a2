"""Our own vocabulary between wire formats: requests and answers (pure, frozen).

Decoders of a wire format make these, encoders of another write them; routing/events.py has the
words of a stream. Native pairs never pass
here. Structs of msgspec: making one costs a fifth of a frozen dataclass, and a translated stream
makes several for each chunk.
"""

import enum
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class FinishReason(enum.StrEnum):
    """Why an answer ended, in our own words; the request log knows no others."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"
    ERROR = "error"
    OTHER = "other"


class Role(enum.StrEnum):
    """Who speaks in a turn. Results of tools are a turn of their own."""

    SYSTEM = "system"  # in the middle of a conversation; leading ones are instructions
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class SealFormat(enum.StrEnum):
    """Whose seal it is; the words of OpenRouter's `reasoning_details[].format`."""

    ANTHROPIC = "anthropic-claude-v1"
    OPENAI = "openai-responses-v1"
    XAI = "xai-responses-v1"
    GOOGLE = "google-gemini-v1"
    # Seen through OpenRouter only; nobody but it opens them.
    AZURE_OPENAI = "azure-openai-responses-v1"
    BEDROCK_OPENAI = "bedrock-openai-responses-v1"
    BEDROCK_XAI = "bedrock-xai-responses-v1"
    META = "meta-responses-v1"
    UNKNOWN = "unknown"


class Cache(Struct, frozen=True, kw_only=True, gc=False):
    """A mark: the prompt up to here may be cached. `ttl`: "5m", "1h" or "" (the default)."""

    ttl: str = ""


class Seal(Struct, frozen=True, kw_only=True, gc=False):
    """A vendor's opaque proof of its reasoning: never altered, never made by us."""

    format: SealFormat
    data: str
    id: str = ""  # the vendor's id of the reasoning item, where it must come back
    is_redacted: bool = False  # Anthropic's redacted_thinking: `data` is the reasoning itself


class Citation(Struct, frozen=True, kw_only=True, gc=False):
    """A source of a text. `start` and `end` count characters of the text part it stands on."""

    url: str = ""
    title: str = ""
    cited_text: str = ""
    start: int | None = None
    end: int | None = None
    # Anthropic: needed to send a found page back; means nothing elsewhere.
    encrypted_index: str = ""
    native: Mapping[str, Any] | None = None  # the source's own object, for its own wire format


class Text(Struct, frozen=True, kw_only=True, gc=False):
    """Text, in any role. A seal on it is Gemini's."""

    text: str
    citations: tuple[Citation, ...] = ()
    cache: Cache | None = None
    seal: Seal | None = None


class Image(Struct, frozen=True, kw_only=True, gc=False):
    """A picture: base64 `data` with its type, or a `url`."""

    mime: str = ""
    data: str = ""
    url: str = ""
    detail: str = ""  # "low", "high", "auto", "original"; "": not said
    cache: Cache | None = None
    seal: Seal | None = None


class Audio(Struct, frozen=True, kw_only=True, gc=False):
    """Sound: base64 `data` with its type, or a `url`. Out: also what is said in it."""

    mime: str = ""
    data: str = ""
    url: str = ""
    id: str = ""
    transcript: str = ""
    expires_at: int | None = None


class Video(Struct, frozen=True, kw_only=True, gc=False):
    """Film: base64 `data` with its type, or a `url`."""

    mime: str = ""
    data: str = ""
    url: str = ""
    native: Mapping[str, Any] | None = None  # Gemini's videoMetadata


class Document(Struct, frozen=True, kw_only=True, gc=False):
    """A file to be read: base64 `data` with its type, plain `text`, or a `url`."""

    mime: str = ""
    data: str = ""
    url: str = ""
    text: str = ""
    name: str = ""  # of the file
    title: str = ""
    context: str = ""
    wants_citations: bool = False
    cache: Cache | None = None


class Reasoning(Struct, frozen=True, kw_only=True, gc=False):
    """What a model thought: its text, a summary of it, or nothing but its seal."""

    text: str = ""
    is_summary: bool = False
    format: SealFormat = SealFormat.UNKNOWN  # whose reasoning it is, sealed or not
    seal: Seal | None = None
    id: str = ""


class ToolCall(Struct, frozen=True, kw_only=True, gc=False):
    """A model's call. `arguments` is the source's text: JSON for functions, any for custom."""

    id: str
    name: str
    arguments: str
    is_custom: bool = False
    seal: Seal | None = None  # Gemini's thoughtSignature stands on the call itself
    cache: Cache | None = None


class ToolResult(Struct, frozen=True, kw_only=True, gc=False):
    """What a tool gave back."""

    call_id: str
    name: str = ""  # of the tool, where known
    parts: tuple["Part", ...] = ()
    is_error: bool = False
    is_custom: bool = False
    cache: Cache | None = None


class Refusal(Struct, frozen=True, kw_only=True, gc=False):
    """A model's refusal, in its words."""

    text: str


Part = Text | Image | Audio | Video | Document | Reasoning | ToolCall | ToolResult | Refusal


class Turn(Struct, frozen=True, kw_only=True, gc=False):
    """One turn: never two in a row with role TOOL; other roles may repeat."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""  # of the speaker


class Tool(Struct, frozen=True, kw_only=True, gc=False):
    """A function that the client runs. `schema` is JSON Schema; custom: one text goes in."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] | None = None
    is_strict: bool | None = None
    is_custom: bool = False
    grammar: Mapping[str, Any] | None = None  # custom: {syntax, definition} of what goes in
    cache: Cache | None = None


class WebSearch(Struct, frozen=True, kw_only=True, gc=False):
    """The one tool of vendors that has a counterpart everywhere: plain web search."""

    context_size: str = ""  # "low", "medium", "high"
    location: Mapping[str, Any] | None = None  # {country, region, city, timezone}
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    uses_max: int | None = None


class ToolChoice(Struct, frozen=True, kw_only=True, gc=False):
    """`mode`: "auto", "none", "required". `names`: only these may be called; empty: all."""

    mode: str
    names: tuple[str, ...] = ()


class OutputFormat(Struct, frozen=True, kw_only=True, gc=False):
    """JSON instead of prose: any (`schema` None), or by a schema."""

    schema: Mapping[str, Any] | None = None
    name: str = ""
    description: str = ""
    is_strict: bool | None = None


class ReasoningWish(Struct, frozen=True, kw_only=True, gc=False):
    """How much to think, and whether to show it.

    `effort`: none, minimal, low, medium, high, xhigh, max; "": not said. `budget`: tokens;
    -1: as the model likes. `is_on`: only switched on or off.
    """

    effort: str = ""
    budget: int | None = None
    is_on: bool | None = None
    shows: bool | None = None
    summary: str = ""  # "auto", "concise", "detailed"


class Sampling(Struct, frozen=True, kw_only=True, gc=False):
    """How tokens are drawn; None: not said."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    top_a: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    logit_bias: Mapping[str, Any] | None = None
    has_logprobs: bool = False
    top_logprobs: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1


class AudioOut(Struct, frozen=True, kw_only=True, gc=False):
    """The sound that an answer shall have."""

    voice: str = ""
    format: str = ""


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """What a client asks of a model, in no vendor's words.

    `dropped` names the client's fields that this vocabulary has no word for.
    `native` holds such fields for a vendor of the same wire format (OpenRouter's envelope
    around chat completions passes them on), under that format's name: "openai_chat".
    """

    instructions: tuple[Text, ...] = ()
    turns: tuple[Turn, ...] = ()
    tools: tuple[Tool, ...] = ()
    web_search: WebSearch | None = None
    tool_choice: ToolChoice | None = None
    is_parallel: bool | None = None  # may several tools be called at once
    output_format: OutputFormat | None = None
    reasoning: ReasoningWish = ReasoningWish()
    sampling: Sampling = Sampling()
    output_tokens_max: int | None = None
    service_tier: str = ""  # "", "standard", "flex", "priority", or a vendor's own word
    modalities: tuple[str, ...] = ()  # of the answer: "text", "audio", "image"; (): text
    audio_out: AudioOut | None = None
    verbosity: str = ""
    cache_key: str = ""
    cache: Cache | None = None  # automatic caching of the whole prompt (Anthropic, top level)
    is_stream: bool = False
    requires_all: bool = False  # OpenRouter's provider.require_parameters: drop nothing
    dropped: tuple[str, ...] = ()
    native: Mapping[str, Mapping[str, Any]] | None = None


# Answers


class Choice(Struct, frozen=True, kw_only=True, gc=False):
    """One of the answers. Parts: Text, Reasoning, ToolCall, Refusal, Image, Audio."""

    parts: tuple[Part, ...] = ()
    finish: FinishReason | None = None
    native_finish: str = ""
    stop_sequence: str = ""  # the one that was hit, where the vendor tells
    logprobs: tuple[Mapping[str, Any], ...] = ()  # of OpenAI's form: token, logprob, bytes, top


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """A whole answer; usage and cost are told apart, by those who meter."""

    choices: tuple[Choice, ...] = ()
