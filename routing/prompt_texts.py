"""What of a request becomes prompt: its texts, and an allowance for what is no text (pure).

For counting tokens where no vendor does. Base64 is never text; what a request does not show
(a vendor's own preambles, the pages of a document) is allowed for by the figures below.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from routing.surfaces import Family, Surface

# An image of about a megapixel (Anthropic's vision guide: pixels / 750), a document of one or
# two pages, half a minute of sound, twenty seconds of film (Gemini: 32 and 263 a second); 2026-08.
IMAGE_TOKENS: Final = 1_600
DOCUMENT_TOKENS: Final = 3_000
AUDIO_TOKENS: Final = 1_000
VIDEO_TOKENS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What a family's models put around the texts, in tokens."""

    message: int
    answer: int = 1  # before the answer; whatever is asked, the prompt is not empty
    tool: int
    tools: int = 0  # once, when there are any
    schema: int = 0  # before the schema of the answer
    reads_schema: bool = True


# Fitted to what vendors counted in recorded requests of text and tools (2026): 111 of OpenAI,
# 86 of Anthropic, 120 of Google. Half of the estimates are within 12 %, three quarters within 28 %.
FRAMINGS: Final[Mapping[Family, Framing]] = {
    Family.OPENAI: Framing(message=4, answer=3, tool=8),
    Family.ANTHROPIC: Framing(message=4, answer=3, tool=60, tools=300, schema=110),
    # Gemini holds the answer to its schema without showing it to the model.
    Family.GEMINI: Framing(message=0, tool=8, reads_schema=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt as a tokenizer needs it."""

    texts: tuple[str, ...]
    schemas: tuple[str, ...]  # of the answer
    messages: int
    tools: int
    other_tokens: int  # media, and what came as token numbers
    is_answered: bool  # False: it is embedded

    def read_by(self, family: Family) -> tuple[tuple[str, ...], int]:
        """Return the texts that a family's models read, and the tokens of everything else."""
        framing = FRAMINGS[family]
        tokens = (
            self.other_tokens
            + self.messages * framing.message
            + self.tools * framing.tool
            + self.is_answered * framing.answer
        )
        tokens += framing.tools if self.tools else 0
        if not framing.reads_schema:
            return self.texts, tokens
        return self.texts + self.schemas, tokens + len(self.schemas) * framing.schema


def of(surface: Surface, body: Mapping[str, Any]) -> Prompt:
    """Gather the prompt of a request that its dialect has read. Raises: KeyError for others."""
    found = _Gatherer()
    _GATHERERS[surface](found, body)
    return Prompt(
        texts=tuple(found.texts),
        schemas=tuple(found.schemas),
        messages=found.message_count,
        tools=found.tool_count,
        other_tokens=found.other_tokens,
        is_answered=surface in ANSWERED,
    )


def _squeezed(name: str) -> str:
    """Spell a key the same for camelCase and snake_case."""
    return name.replace("_", "").lower()


# Ids, signatures, addresses, media and marks: no model reads them as text.
_SILENT: Final = frozenset(
    {
        *("type", "id", "role", "callid", "tooluseid", "toolcallid", "itemid", "responseid"),
        *("status", "index", "outputindex", "cachecontrol", "phase", "maxuses"),
        *("signature", "thoughtsignature", "encryptedcontent", "encryptedindex"),
        *("data", "mediatype", "mimetype", "detail", "annotations", "logprobs", "citations"),
        *("url", "imageurl", "fileurl", "filedata", "fileuri", "fileid", "videometadata"),
        *("inputaudio", "result", "model"),
    }
)
# JSON that a model reads as JSON, keys and all.
_STRUCTURED: Final = frozenset(
    {
        *("input", "arguments", "args", "response", "parameters", "parametersjsonschema"),
        *("inputschema", "outputschema", "schema", "responsejsonschema", "format"),
    }
)
_MEDIA_TYPES: Final[Mapping[str, int]] = {
    "image": IMAGE_TOKENS,
    "image_url": IMAGE_TOKENS,
    "input_image": IMAGE_TOKENS,
    "computer_screenshot": IMAGE_TOKENS,
    "image_generation_call": IMAGE_TOKENS,
    "input_file": DOCUMENT_TOKENS,
    "input_audio": AUDIO_TOKENS,
    "input_video": VIDEO_TOKENS,
}
_MEDIA_KEYS: Final = frozenset({"inlinedata", "filedata"})
_MIME_KINDS: Final[Mapping[str, int]] = {
    "image": IMAGE_TOKENS,
    "audio": AUDIO_TOKENS,
    "video": VIDEO_TOKENS,
}


class _Gatherer:
    """Walks the parts of a request."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.schemas: list[str] = []
        self.message_count = self.tool_count = self.other_tokens = 0

    def say(self, value: Any) -> None:
        """Take a text; anything else is none."""
        if isinstance(value, str) and value:
            self.texts.append(value)

    def structure(self, value: Any) -> None:
        """Take JSON as a model reads it; a text is taken as it is."""
        self.say(_json(value) if isinstance(value, (dict, list)) else value)

    def schema(self, value: Any) -> None:
        """Take the schema that the answer has to fit."""
        if isinstance(value, dict) and value:
            self.schemas.append(_json(value))

    def content(self, value: Any) -> None:
        """Take a text, a part, or a list of them."""
        if isinstance(value, dict):
            self._part(value)
        elif isinstance(value, list):
            for item in value:
                self.content(item)
        else:
            self.say(value)

    def messages(self, value: Any) -> None:
        """Take the turns of a conversation: a text is one."""
        turns = value if isinstance(value, list) else [value] if value else []
        self.message_count += len(turns)
        self.content(turns)

    def tools(self, value: Any) -> None:
        """Take what tools are called, what they do and what they take."""
        for tool in value if isinstance(value, list) else ():
            declared = _find(tool, "functionDeclarations")
            each = declared if isinstance(declared, list) else [tool]
            self.tool_count += len(each)
            self.content(each)

    def _part(self, part: dict[str, Any]) -> None:
        self.other_tokens += _media_tokens(part)
        is_plain = part.get("type") == "text"  # Anthropic's source of a document: text in `data`
        for key, value in part.items():
            name = _squeezed(key)
            if name in _MEDIA_KEYS and isinstance(value, dict):
                self.other_tokens += _mime_tokens(value)
            elif name == "data" and is_plain:
                self.say(value)
            elif name in _STRUCTURED:
                self.structure(value)
            elif name not in _SILENT:
                self.content(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode() if value else ""


def _media_tokens(part: Mapping[str, Any]) -> int:
    kind = part.get("type")
    if kind == "document":
        source = part.get("source")
        is_text = isinstance(source, dict) and source.get("type") in ("text", "content")
        return 0 if is_text else DOCUMENT_TOKENS
    return _MEDIA_TYPES.get(kind, 0) if isinstance(kind, str) else 0


def _mime_tokens(blob: Mapping[str, Any]) -> int:
    mime, data = blob.get("mimeType") or blob.get("mime_type"), blob.get("data")
    kind = mime.partition("/")[0].lower() if isinstance(mime, str) else ""
    if kind == "text" and isinstance(data, str):
        return len(data) * 3 // 16  # base64 of a text: four bytes of it are a token
    return _MIME_KINDS.get(kind, DOCUMENT_TOKENS)


def _find(value: Any, name: str) -> Any:
    """Read a key of Gemini's in either spelling."""
    if not isinstance(value, dict):
        return None
    wanted = _squeezed(name)
    return next((item for key, item in value.items() if _squeezed(key) == wanted), None)


def _anthropic(found: _Gatherer, body: Mapping[str, Any]) -> None:
    if body.get("system"):
        found.messages([body["system"]])
    found.messages(body.get("messages"))
    found.tools(body.get("tools"))
    config = body.get("output_config")
    found.schema(config.get("format") if isinstance(config, dict) else None)
    found.schema(body.get("output_format"))


def _responses(found: _Gatherer, body: Mapping[str, Any]) -> None:
    if body.get("instructions"):
        found.messages([body["instructions"]])
    found.messages(body.get("input"))
    found.tools(body.get("tools"))
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        found.schema(wanted)


def _gemini(found: _Gatherer, body: Mapping[str, Any]) -> None:
    wrapped = _find(body, "generateContentRequest")
    asked = wrapped if isinstance(wrapped, dict) and wrapped else body
    instruction = _find(asked, "systemInstruction")
    if instruction:
        found.messages([instruction])
    found.messages(asked.get("contents"))
    found.tools(asked.get("tools"))
    config = _find(asked, "generationConfig")
    for name in ("responseSchema", "responseJsonSchema"):
        found.schema(_find(config, name))


def _openai_embeddings(found: _Gatherer, body: Mapping[str, Any]) -> None:
    given = body.get("input")
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, list):
            found.other_tokens += len(item)  # token numbers, or a list of them
        elif isinstance(item, int):
            found.other_tokens += 1
        else:
            found.content(item)


def _embed(found: _Gatherer, body: Mapping[str, Any]) -> None:
    found.content(body.get("content"))
    found.say(_find(body, "title"))


def _batch_embed(found: _Gatherer, body: Mapping[str, Any]) -> None:
    for request in body.get("requests") or ():
        _embed(found, request)


ANSWERED: Final = frozenset({Surface.COUNT_TOKENS, Surface.INPUT_TOKENS, Surface.GEMINI_COUNT})
_GATHERERS: Final[Mapping[Surface, Callable[[_Gatherer, Mapping[str, Any]], None]]] = {
    Surface.COUNT_TOKENS: _anthropic,
    Surface.INPUT_TOKENS: _responses,
    Surface.GEMINI_COUNT: _gemini,
    Surface.EMBEDDINGS: _openai_embeddings,
    Surface.GEMINI_EMBED: _embed,
    Surface.GEMINI_BATCH_EMBED: _batch_embed,
}
