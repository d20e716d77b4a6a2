"""What every dialect module gives and takes (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from billing.usage import UnitClass
from routing.jsonedit import Document
from routing.multipart import Form
from routing.surfaces import Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a vendor departs from its wire format; read from routing/vendors/*.toml."""

    # The vendor takes `stream_options.include_usage` (Mistral answers 422 to it).
    takes_stream_options: bool = True
    # The field that caps output in chat completions.
    output_limit_field: str = "max_tokens"
    # Reasoning stands outside completion_tokens (xAI chat), audio outside prompt_tokens (Mistral).
    reasoning_outside: bool = False
    audio_outside: bool = False
    # Where the salted HMAC of the account goes: "safety_identifier", "metadata.user_id", "".
    account_field: str = ""
    # Responses: send store:false, since the vendor stores by default.
    forces_store_false: bool = False
    # Bounds of what the body does not show: hidden preamble, one image, one page of a document.
    preamble_tokens_max: int = 1_000
    image_tokens_max: int = 20_000
    # Operations beside generation that the vendor has, by its family.
    has_input_tokens: bool = False  # OpenAI: responses/input_tokens
    has_count_tokens: bool = False  # Anthropic: messages/count_tokens
    has_gemini_count: bool = True  # Gemini: countTokens
    has_compact: bool = False  # OpenAI: responses/compact
    # Azure's deployments name their own model in the path; "" elsewhere.
    extra_query: str = ""

    # What translation must know; most differ by model (`quirks` of a vendor file's facts).
    # A channel of chat completions also serves Responses natively.
    speaks_responses: bool = True
    # The legacy completions exist, for this model.
    speaks_completions: bool = False
    # How a model is told to reason: "" (it cannot be told), "effort" (OpenAI), "budget"
    # (Anthropic, Gemini 2.5), "adaptive" (Anthropic), "level" (Gemini 3), "openrouter",
    # "thinking" (`thinking.type`: Z.AI, Kimi, DeepSeek), "enable_thinking" (Qwen).
    reasoning: str = ""
    # The efforts or levels that it knows, parted by spaces; "": all.
    efforts: str = ""
    # Reasoning can be switched off.
    reasoning_stops: bool = True
    # Temperature, top_p and the like are taken (reasoning models of OpenAI refuse them).
    takes_sampling: bool = True
    takes_top_k: bool = False  # chat completions of vendors beside OpenAI
    seed_field: str = "seed"  # "": it takes none
    takes_custom_tools: bool = False  # chat completions: tools whose input is any text
    takes_stop: bool = True
    stops_max: int = 4
    takes_json_schema: bool = True  # else only JSON of any form, or none
    takes_json_mode: bool = True
    takes_strict: bool = True  # `strict` of tools and schemas
    # The role of instructions: OpenAI's first reasoning models refuse "system".
    system_role: str = "system"
    # System messages amid a conversation (Anthropic's newest).
    takes_system_turns: bool = False
    # The vendor fetches pictures and documents by itself.
    takes_links: bool = True
    takes_audio: bool = True
    # Names the field in which it wants its reasoning back in a tool loop; "": never.
    reasoning_back_field: str = ""
    takes_reasoning_details: bool = False  # OpenRouter, Vercel
    takes_cache_control: bool = False  # chat completions with Anthropic's marks
    takes_cache_key: bool = False  # `prompt_cache_key`
    takes_logprobs: bool = True
    takes_parallel_switch: bool = True  # `parallel_tool_calls`
    # Calls' ids must be 9 letters or digits (Mistral).
    has_short_call_ids: bool = False
    # The longest id of a call; 0: any.
    call_id_chars_max: int = 0
    # Whose seals the endpoint opens (conversation.SealFormat); "": those of its wire format.
    seal: str = ""
    # Gemini before 2.5: an OpenAPI subset in `parameters` instead of JSON Schema.
    takes_json_schema_tools: bool = True
    # Gemini before 3 refuses a schema for the answer beside functions.
    takes_schema_with_tools: bool = True
    # The least and the most that a thinking budget may be.
    budget_min: int = 1024
    budget_max: int = 0  # 0: the output limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a request holds that the number of its bytes does not bound."""

    images: int = 0
    inline_bytes: int = 0  # base64 of images, which are bounded by their number instead
    has_remote: bool = False
    fees: Mapping[UnitClass, int] = field(default_factory=dict)
    # What the request itself tells of its work in other measures than tokens (MEASURES).
    measures: Mapping[UnitClass, int] = field(default_factory=dict)
    heard_ms_max: int = 0  # what the sound that it holds cannot exceed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A client's request, read once: what admission and forwarding need."""

    surface: Surface
    model: str
    is_stream: bool
    document: Document  # the caller's own bytes, and what they say
    content: Content
    wants_stream_usage: bool = True  # the caller asked for usage in the stream (chat only)
    beta: tuple[str, ...] = ()  # anthropic-beta values
    headers: Mapping[str, str] = field(default_factory=dict)  # allow-listed, to be forwarded
    query: str = ""  # allow-listed, to be forwarded
    is_platform: bool = False  # under /api/v1: OpenRouter's envelope
    fallbacks: tuple[str, ...] = ()  # other models that may answer, in order (OpenRouter)
    form: Form | None = None  # a body that is a form: `document` holds its bytes and its texts
    answer_format: str = "json"  # as the caller asks for it
    # The vendor bills the whole answer whether or not it is read: a client that leaves pays it.
    is_drained: bool = False

    @property
    def body(self) -> Mapping[str, Any]:
        """The parsed JSON."""
        return self.document.value

    @property
    def raw(self) -> bytes:
        """The caller's own bytes."""
        return self.document.raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a request may use at most, as far as the body tells."""

    prompt_bytes: int  # UTF-8 bytes of everything that becomes prompt
    images: int = 0
    # A part whose content is elsewhere (URL): the bound is the model's whole context window.
    has_remote_content: bool = False
    output_tokens: int | None = None  # the caller's own limit for one choice; None: not given
    choices: int = 1
    fees: Mapping[UnitClass, int] = field(default_factory=dict)  # searches, images ...
    service_tier: str = "standard"
    has_output: bool = True  # False for embeddings and counts
    has_limit: bool = True  # False: no field of the operation caps its output
    # At most so much in other measures than tokens: what is held where the card prices these.
    measures: Mapping[UnitClass, int] = field(default_factory=dict)
    media_tokens: int = 0  # the most that sound beside the text may become


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """What goes to the vendor, relative to the channel's base URL."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    query: str = ""


class Dialect(Protocol):
    """One wire format, native pairs: the module-level functions of routing/dialects/*.py."""

    def decode(
        self, *, surface: Surface, raw: bytes, headers: Mapping[str, str], path: "PathParts"
    ) -> Inbound:
        """Read a request. Raises: RelayError (400) naming the field that is wrong."""
        ...

    def demand(self, inbound: Inbound) -> Demand:
        """Tell the most that it may use. Raises: RelayError (400) for what cannot be bounded."""
        ...

    def encode(
        self,
        inbound: Inbound,
        *,
        upstream_name: str,
        quirks: Quirks,
        account_tag: str,
        output_limit: int | None,
    ) -> Outbound:
        """Make the vendor's request: the caller's bytes with the listed edits and no others."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PathParts:
    """What the URL said: Gemini puts the model and the operation there."""

    model: str = ""
    is_stream: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    is_platform: bool = False  # under /api/v1
