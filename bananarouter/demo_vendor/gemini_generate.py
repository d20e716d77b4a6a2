"""Gemini's generateContent: what goes in, what comes out."""

import re
from collections.abc import Iterator
from typing import Any

from bananarouter.demo_vendor import answers, beats, mischief, scripted

FINISH = {
    answers.Finish.STOP: "STOP",
    answers.Finish.LENGTH: "MAX_TOKENS",
    answers.Finish.TOOLS: "STOP",
    answers.Finish.REFUSED: "SAFETY",
}
ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
TOKENS_EACH_EVENT = 12
SNAKE = re.compile(r"_([a-z])")
# Whose insides are the caller's own names.
FREE = frozenset(
    {"parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "args",
     "response"}
)  # fmt: skip


def camel(value: Any) -> Any:
    """Return the same JSON with camelCase names: Google's parser takes snake_case as well."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {SNAKE.sub(lambda m: m[1].upper(), name): item for name, item in value.items()}
    return {name: item if name in FREE else camel(item) for name, item in named.items()}


def read(body: dict[str, Any], *, model: str, is_stream: bool) -> answers.Prompt:
    """Understand a request; Gemini names model and streaming in the path."""
    contents = [item for item in body.get("contents") or () if isinstance(item, dict)]
    users = [item for item in contents if item.get("role", "user") in {"user", "function"}]
    parts = users[-1].get("parts") or [] if users else []
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    declared = [
        function
        for tool in body.get("tools") or ()
        for function in tool.get("functionDeclarations") or ()
    ]
    config = body.get("generationConfig") or {}
    wants_json = config.get("responseMimeType") == "application/json"
    given = config.get("responseJsonSchema") or config.get("responseSchema")
    system = body.get("systemInstruction")
    texts = [beats.text_of(system), *map(beats.text_of, contents)]
    return answers.Prompt(
        model=model,
        text="\n".join([*texts, *map(beats.compact, declared)]),
        latest=beats.text_of(parts),
        messages=len(contents),
        tools=tuple(_tool(function) for function in declared),
        forced_tool=_forced((body.get("toolConfig") or {}).get("functionCallingConfig") or {}),
        tool_result=beats.compact(results[-1].get("response")) if results else None,
        schema=(given or {"type": "object"}) if wants_json else None,
        output_tokens_max=config.get("maxOutputTokens"),
        is_stream=is_stream,
        script=scripted.read(_turn(part) for user in users for part in user.get("parts") or []),
    )


def _turn(part: dict[str, Any]) -> scripted.Turn:
    if "functionResponse" in part:
        response = beats.compact(part["functionResponse"].get("response"))
        return scripted.Turn(text=response, is_result=True)
    return scripted.Turn(text=beats.text_of(part))


def _tool(function: dict[str, Any]) -> answers.Tool:
    schema = function.get("parametersJsonSchema") or function.get("parameters") or {}
    return answers.Tool(name=function["name"], schema=schema)


def _forced(config: dict[str, Any]) -> str | None:
    if config.get("mode") != "ANY":
        return None
    return str((config.get("allowedFunctionNames") or [""])[0])


def usage(answer: answers.Answer) -> dict[str, Any]:
    """Return the usage as Gemini counts: thoughts stand outside the candidates' tokens."""
    prompt = answer.prompt_tokens
    written = answer.output_tokens - len(answer.thoughts)
    found: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": written,
        "totalTokenCount": prompt + answer.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    if answer.cached_tokens:
        found["cachedContentTokenCount"] = answer.cached_tokens
        found["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": answer.cached_tokens}]
    if answer.thoughts:
        found["thoughtsTokenCount"] = len(answer.thoughts)
    return found


def _frame(
    prompt: answers.Prompt, answer: answers.Answer, parts: list[dict[str, Any]], *, ends: bool
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if ends:
        candidate["finishReason"] = FINISH[answer.finish]
    return {
        "candidates": [candidate],
        "modelVersion": prompt.model,
        "responseId": f"demo{answer.id}",
    }


def _call_parts(answer: answers.Answer) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": c.name, "args": c.arguments}} for c in answer.calls]


def whole(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> dict[str, Any]:
    """Return a whole answer; thoughts are told only to those who asked."""
    parts = _thought_parts(body, answer)
    if answer.text:
        parts.append({"text": "".join(answer.text)})
    found = _frame(prompt, answer, parts + _call_parts(answer), ends=True)
    return {**found, "usageMetadata": usage(answer)} if plan.has_usage else found


def _thought_parts(body: dict[str, Any], answer: answers.Answer) -> list[dict[str, Any]]:
    config = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    if not (answer.thoughts and config.get("includeThoughts")):
        return []
    return [{"text": "".join(answer.thoughts), "thought": True}]


def events(
    body: dict[str, Any], prompt: answers.Prompt, answer: answers.Answer, plan: mischief.Plan
) -> Iterator[beats.Beat]:
    """Yield the stream: events end in CRLF, each with the usage so far, as Google's do."""
    counted = usage(answer)
    written, early = 0, {key: counted[key] for key in ("promptTokenCount", "promptTokensDetails")}
    if thoughts := _thought_parts(body, answer):
        frame = _frame(prompt, answer, thoughts, ends=False)
        yield _event(frame, early if plan.has_usage else None, tokens=len(answer.thoughts))
    chunks = list(beats.groups(answer.text, TOKENS_EACH_EVENT))
    for text, tokens in chunks:
        written += tokens
        frame = _frame(prompt, answer, [{"text": text}], ends=False)
        so_far = {**early, "candidatesTokenCount": written,
                  "totalTokenCount": counted["promptTokenCount"] + written}  # fmt: skip
        yield _event(frame, so_far if plan.has_usage else None, tokens=tokens)
    frame = _frame(prompt, answer, _call_parts(answer) or [{"text": ""}], ends=True)
    yield _event(frame, counted if plan.has_usage else None, tokens=answer.call_tokens)


def _event(frame: dict[str, Any], counted: dict[str, Any] | None, *, tokens: int) -> beats.Beat:
    value = {**frame, "usageMetadata": counted} if counted else frame
    return beats.data_event(value, tokens=tokens, end="\r\n\r\n")


def error(status: int) -> dict[str, Any]:
    """Return an error as Google words it."""
    name = ERRORS.get(status, "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT")
    message = f"Simulated error {status} of the demo vendor."
    return {"error": {"code": status, "message": message, "status": name}}


def error_event(status: int) -> bytes:
    """Return an error inside a stream."""
    return f"data: {beats.compact(error(status))}\r\n\r\n".encode()
