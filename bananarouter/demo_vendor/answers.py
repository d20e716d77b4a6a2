"""What the demo says: deterministic, from the prompt, in no vendor's protocol yet."""

import enum
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bananarouter.demo_vendor import mischief, scripted, tokens

LABEL = "[Simulated answer of the BananaRouter demo vendor: no language model wrote this.]"
QUOTE_CHARS_MAX = 160
SENTENCES = (
    "The request came through the gateway in its own protocol and was forwarded byte for byte.",
    "Every token of this text was counted by a real tokenizer.",
    "The price of those tokens was taken from a dated rate card.",
    "Before the first byte left, the most that the answer could cost was held on the balance.",
    "When the last byte left, the charge was settled and the rest of the hold was given back.",
    "The pace of these words is that of a common hosted model.",
    "Metadata of the request are in the log; its words are nowhere.",
    "Set a real vendor's API key and restart, and real models stand beside this one.",
    "Ask for a tool by its name, and the demo calls it with arguments that fit its schema.",
    "Write the word demo, a colon and status=429 to see how an error comes through.",
)
REFUSAL = "The simulated content filter stopped this answer."
TOKENS_USUAL = 90
# Longer turns are an agent's instructions: nobody asks for a tool in them.
ASKED_CHARS_MAX = 1_000
DEPTH_MAX = 8


class Finish(enum.Enum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOLS = "tools"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a demo model behaves."""

    first_token_s: float
    tokens_per_s: float
    reasons: bool = False


PROFILES = {
    "demo-small": Profile(first_token_s=0.06, tokens_per_s=240),
    "demo-fast": Profile(first_token_s=0.08, tokens_per_s=160),
    "demo-steady": Profile(first_token_s=0.25, tokens_per_s=60),
    "demo-reasoner": Profile(first_token_s=0.4, tokens_per_s=90, reasons=True),
    "demo-embed": Profile(first_token_s=0.03, tokens_per_s=100_000),
    "demo-image": Profile(first_token_s=0.1, tokens_per_s=100_000),
    "demo-picture": Profile(first_token_s=0.1, tokens_per_s=100_000),
    "demo-voice": Profile(first_token_s=0.05, tokens_per_s=100_000),
    "demo-speaker": Profile(first_token_s=0.05, tokens_per_s=100_000),
    "demo-ears": Profile(first_token_s=0.05, tokens_per_s=100_000),
    "demo-scribe": Profile(first_token_s=0.05, tokens_per_s=100_000),
    "demo-moderator": Profile(first_token_s=0.02, tokens_per_s=100_000),
    "demo-rerank": Profile(first_token_s=0.02, tokens_per_s=100_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that the caller offers."""

    name: str
    schema: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A request, understood: what every protocol's module reads from its own JSON."""

    model: str
    text: str  # everything that counts as input
    latest: str  # the user's latest words
    messages: int = 1
    tools: tuple[Tool, ...] = ()
    # None: as it likes; "": must call one; else the name that it must call.
    forced_tool: str | None = None
    tool_result: str | None = None
    schema: dict[str, Any] | None = None  # structured output
    output_tokens_max: int | None = None
    is_stream: bool = False
    cache_marked: bool = False
    script: scripted.Script | None = None

    @property
    def directed(self) -> str:
        """The message whose instructions hold: a script's as long as it runs."""
        return self.script.text if self.script else self.latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def json(self) -> str:
        """The arguments as JSON text."""
        return json.dumps(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in pieces of one token, and what it counts."""

    id: str
    thoughts: tuple[str, ...]
    text: tuple[str, ...]
    calls: tuple[Call, ...]
    finish: Finish
    prompt_tokens: int
    cached_tokens: int
    call_tokens: int

    @property
    def output_tokens(self) -> int:
        """Everything that was written: thoughts, text, calls."""
        return len(self.thoughts) + len(self.text) + self.call_tokens


_cache = tokens.PromptCache()


def prompt_tokens(prompt: Prompt, text_tokens: int | None = None) -> int:
    """Count a prompt with what chat templates add to each message and before the answer."""
    counted = tokens.count(prompt.text) if text_tokens is None else text_tokens
    return counted + 4 * prompt.messages + 3


def compose(prompt: Prompt, plan: mischief.Plan) -> Answer:
    """Answer a prompt; the same prompt always gets the same text."""
    encoded = tokens.encode(prompt.text)
    seed = hashlib.sha256(prompt.text.encode("utf-8", "replace")).hexdigest()
    profile = PROFILES[prompt.model]
    thoughts = tokens.pieces(_thoughts(prompt)) if profile.reasons else []
    calls = () if plan.refuses else _calls(prompt, seed)
    call_tokens, text = 0, [""]
    finish = Finish.REFUSED if plan.refuses else Finish.STOP
    if calls:
        finish = Finish.TOOLS
        call_tokens, text = sum(tokens.count(call.name + call.json) + 4 for call in calls), []
    else:
        text = tokens.pieces(_text(prompt, plan, seed))
    limit = prompt.output_tokens_max
    if limit is not None and len(thoughts) + len(text) + call_tokens > limit:
        thoughts, text = thoughts[:limit], text[: max(0, limit - len(thoughts))]
        calls, call_tokens, finish = (), 0, Finish.LENGTH
    return Answer(
        id=seed[-24:],
        thoughts=tuple(thoughts),
        text=tuple(text),
        calls=calls,
        finish=finish,
        prompt_tokens=prompt_tokens(prompt, len(encoded)),
        cached_tokens=_cache.read(encoded),
        call_tokens=call_tokens,
    )


def _text(prompt: Prompt, plan: mischief.Plan, seed: str) -> str:
    if plan.refuses:
        return REFUSAL
    if prompt.schema is not None:
        return json.dumps(_example(prompt.schema, prompt.latest, depth=0))
    quote = " ".join(prompt.latest.split())[:QUOTE_CHARS_MAX]
    opening = f'{LABEL} You wrote: "{quote}".'
    answered = prompt.script.result if prompt.script else prompt.tool_result
    if answered is not None:
        result = " ".join(answered.split())[:QUOTE_CHARS_MAX]
        opening = f'{LABEL} The tool answered: "{result}".'
    wanted = plan.tokens or TOKENS_USUAL
    parts = [opening]
    for sentence in _sentences(seed):
        if tokens.count(" ".join(parts)) >= wanted:
            break
        parts.append(sentence)
        if len(parts) > len(SENTENCES):  # long answers: estimate instead of counting each time
            missing = wanted - tokens.count(" ".join(parts))
            parts += itertools.islice(_sentences(seed), max(0, missing // 8))
            break
    text = " ".join(parts)
    return "".join(tokens.pieces(text, tokens_max=plan.tokens)) if plan.tokens else text


def _sentences(seed: str) -> Iterator[str]:
    """Yield sentences for ever, beginning where the seed says."""
    start = int(seed[:8], 16) % len(SENTENCES)
    return itertools.cycle(SENTENCES[start:] + SENTENCES[:start])


def _thoughts(prompt: Prompt) -> str:
    return (
        f"Simulated reasoning. The latest message has {tokens.count(prompt.latest)} tokens. "
        "No model thinks here; these tokens show how hidden work is metered and paid."
    )


def _calls(prompt: Prompt, seed: str) -> tuple[Call, ...]:
    """Return the calls that are scripted and offered, or else the one that is asked for."""
    if prompt.script is not None:
        offered = {tool.name for tool in prompt.tools}
        wanted = [(due.name, due.arguments) for due in prompt.script.due if due.name in offered]
    else:
        tool = _tool_to_call(prompt)
        wanted = [(tool.name, _arguments(tool, prompt.latest))] if tool else []
    return tuple(
        Call(id=seed[number : number + 20], name=name, arguments=arguments)
        for number, (name, arguments) in enumerate(wanted)
    )


def _tool_to_call(prompt: Prompt) -> Tool | None:
    """Return the tool that the caller demands, or the one that the latest message asks for."""
    if not prompt.tools:
        return None
    if prompt.forced_tool is not None:
        named = [tool for tool in prompt.tools if tool.name == prompt.forced_tool]
        return (named or list(prompt.tools))[0]
    if prompt.tool_result is not None or len(prompt.latest) > ASKED_CHARS_MAX:
        return None
    said = set(re.findall(r"[a-z]+", prompt.latest.lower()))
    for tool in prompt.tools:
        words = [word for word in re.findall(r"[a-z]+", _spaced(tool.name)) if len(word) > 3]
        if words and words[-1] in said:
            return tool
    return None


def _spaced(name: str) -> str:
    """Part camelCase and snake_case: getWeather -> get weather."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()


def _arguments(tool: Tool, latest: str) -> dict[str, Any]:
    example = _example(tool.schema or {"type": "object"}, latest, depth=0)
    return example if isinstance(example, dict) else {}


def _example(schema: Any, latest: str, *, depth: int) -> Any:
    """Return a value that fits a JSON schema (its common part)."""
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(schema[key][0], latest, depth=depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    return _EXAMPLES.get(str(kind).lower(), _null)(schema, latest, depth)


def _null(_schema: dict[str, Any], _latest: str, _depth: int) -> None:
    return None


def _string(_schema: dict[str, Any], latest: str, _depth: int) -> str:
    """A name from the latest message reads well: the city of a weather tool, for example."""
    names = re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", latest)
    return names[0] if names else "demo"


def _number(schema: dict[str, Any], _latest: str, _depth: int) -> int:
    return max(1, int(schema.get("minimum", 1)))


def _array(schema: dict[str, Any], latest: str, depth: int) -> list[Any]:
    return [_example(schema.get("items", {}), latest, depth=depth + 1)]


def _object(schema: dict[str, Any], latest: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    wanted = schema.get("required", list(properties))
    return {
        name: _example(properties[name], latest, depth=depth + 1)
        for name in wanted
        if name in properties
    }


_EXAMPLES = {
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": lambda *_: True,
    "array": _array,
    "object": _object,
}
