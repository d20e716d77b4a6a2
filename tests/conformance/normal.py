"""What a conversation means, whatever wire format told it: the normal form that tests compare.

Nothing here or in the modules beside it imports `routing`: what the product says is read twice,
by code that does not know each other.
"""

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import Any

CHAT, RESPONSES, MESSAGES, GEMINI = (
    "openai-chat",
    "openai-responses",
    "anthropic-messages",
    "gemini",
)
DIALECTS = (CHAT, RESPONSES, MESSAGES, GEMINI)


@dataclass(frozen=True, kw_only=True)
class Text:
    text: str


@dataclass(frozen=True, kw_only=True)
class Media:
    """An image, sound, film or document: base64 as it was told (unpadded), or an address."""

    kind: str  # image, audio, video, document
    mime: str = ""
    data: str = field(default="", repr=False)
    url: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Thought:
    """Reasoning: its text, and what its vendor wants back unaltered."""

    text: str = ""
    seal: str = field(default="", repr=False)
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool call; `arguments` parsed, or {"_raw": text} where they are no JSON object."""

    id: str = ""
    name: str
    arguments: Any
    seal: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Result:
    id: str = ""
    name: str = ""
    parts: tuple[Any, ...] = ()
    is_error: bool = False


@dataclass(frozen=True, kw_only=True)
class Opaque:
    """What only its own vendor understands: a trace or a handle."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Role is user, assistant or system; results of tools are the user's."""

    role: str
    parts: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Tool:
    name: str
    description: str = ""
    schema: Any = None
    strict: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which tools may be called: auto, none, any, or any of `names`."""

    mode: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Format:
    """JSON is wanted; of this schema, if there is one."""

    schema: Any = None
    name: str = ""
    strict: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Reasoning:
    """How much thinking is wished: an effort, a budget in tokens, off, or as the model likes."""

    effort: str = ""
    budget: int | None = None
    is_off: bool = False
    is_shown: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    system: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: Choice | None = None
    is_parallel: bool | None = None
    format: Format | None = None
    max_tokens: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)  # temperature, top_p, top_k, seed ...
    stop: tuple[str, ...] = ()
    reasoning: Reasoning | None = None
    is_stream: bool = False
    searches: bool = False  # plain web search
    modalities: tuple[str, ...] = ()
    server_tools: tuple[str, ...] = ()

    def parts(self) -> list[Any]:
        """Return every part of every turn, those inside results, too."""
        found = []
        for turn in self.turns:
            for part in turn.parts:
                found.append(part)
                found += part.parts if isinstance(part, Result) else ()
        return found


@dataclass(frozen=True, kw_only=True)
class Citation:
    url: str
    title: str = ""
    span: str | None = None  # the text that it supports, where the format tells


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One choice of an answer."""

    text: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    reasoning: str = ""
    seals: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    media: tuple[Media, ...] = ()
    logprobs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    candidates: tuple[Candidate, ...] = ()
    usage: dict[str, Any] = field(default_factory=dict)  # as the format tells it
    error: dict[str, Any] | None = None
    id: str = ""
    model: str = ""
    searches: int = 0


def renumbered(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Return the turns with ids told by order, and each result at the call that it answers."""
    pending: list[tuple[Call, str]] = []  # calls without a result, and their new ids
    numbers = itertools.count()

    def number(part: Any) -> Any:
        if isinstance(part, Call):
            told = f"call{next(numbers)}"
            pending.append((part, told))
            return dataclasses.replace(part, id=told)
        if isinstance(part, Result):
            call, told = _matched(part, pending)
            return dataclasses.replace(part, id=told, name=call.name if call else part.name)
        return part

    return tuple(
        dataclasses.replace(turn, parts=tuple(number(part) for part in turn.parts))
        for turn in turns
    )


def _matched(part: Result, pending: list[tuple[Call, str]]) -> tuple[Call | None, str]:
    """Find the call of a result, by its id, else by its name; take it off the list."""
    by_id = [entry for entry in pending if part.id and entry[0].id == part.id]
    by_name = [entry for entry in pending if part.name and entry[0].name == part.name]
    nameless = pending if not part.id and not part.name else []
    for entry in (*by_id, *by_name, *nameless):
        pending.remove(entry)
        return entry
    return None, "?"
