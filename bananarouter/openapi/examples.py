"""Example requests as curl and as Python, from one description of each."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from bananarouter.openapi.operation import FORM, JSON, Example, Operation, Tag
from bananarouter.openapi.schema import Json

KEY_VARIABLE: Final = "BANANAROUTER_API_KEY"
# A model of the demo vendor, and what stands in its place where there is none.
MODELS: Final[Mapping[str, tuple[str, str]]] = {
    "text": ("demo/fast", "openai/gpt-5-mini"),
    "embed": ("demo/embed", "openai/text-embedding-3-small"),
    "gemini_embed": ("demo/embed", "google/gemini-embedding-001"),
    "image": ("demo/image", "openai/gpt-image-1"),
    "voice": ("demo/voice", "openai/gpt-4o-mini-tts"),
    "ears": ("demo/ears", "openai/whisper-1"),
    "moderator": ("demo/moderator", "openai/omni-moderation-latest"),
    "rerank": ("demo/rerank", "cohere/rerank-v3.5"),
}
GENERATION: Final = "gen-01a2177a75ca7dec9fbb6a27cc880850"  # to be replaced by the reader's own
HASH: Final = "8f2d9c9ca243c539add81eaff8e6bc02a8fdef33ec3a92b989c0f137d7abf6b6"  # likewise
_LINE_MAX: Final = 72
_CLIENTS: Final[Mapping[Tag, tuple[str, str]]] = {
    Tag.OPENAI: ("from openai import OpenAI", 'OpenAI(base_url="{origin}/v1", api_key={key})'),
    Tag.ANTHROPIC: (
        "from anthropic import Anthropic",
        'Anthropic(base_url="{origin}", api_key={key})',
    ),
    Tag.GEMINI: (
        "from google import genai",
        'genai.Client(http_options={{"base_url": "{origin}"}}, api_key={key})',
    ),
}
# How each protocol's SDK sends the key.
_KEY_HEADERS: Final[Mapping[Tag, tuple[str, str]]] = {
    Tag.ANTHROPIC: ("x-api-key", "{key}"),
    Tag.GEMINI: ("x-goog-api-key", "{key}"),
}


def body(example: Example, *, is_demo: bool) -> Json:
    """Return the body's fields, with a model of this deployment in them."""
    found: Json = _filled(example.body or {}, _model(example, is_demo=is_demo))
    return found


def media_type(example: Example) -> str:
    """Return the content type of the body."""
    return FORM if example.files else JSON


def curl(
    operation: Operation, example: Example, *, method: str, path: str, origin: str, is_demo: bool
) -> str:
    """Write the request as a command of curl; the key is in an environment variable."""
    url = origin + _address(example, path, is_demo=is_demo)
    name, value = _KEY_HEADERS.get(operation.tag, ("Authorization", "Bearer {key}"))
    lines = [f"curl {shlex.quote(url)}"]
    if method not in {"get", "post"}:
        lines[0] += f" -X {method.upper()}"
    lines.append(f'-H "{name}: {value.format(key="$" + KEY_VARIABLE)}"')
    lines += [f'-H "{name}: {value}"' for name, value in example.headers.items()]
    told = body(example, is_demo=is_demo)
    if example.files:
        lines += [f"-F {shlex.quote(f'{name}={value}')}" for name, value in told.items()]
        lines += [f"-F {name}=@{file}" for name, file in example.files.items()]
    elif example.body is not None:
        lines.append(f'-H "Content-Type: {JSON}"')
        lines.append(f"-d {shlex.quote(_json(told))}")
    if example.output:
        lines.append(f"-o {example.output}")
    return " \\\n  ".join(lines)


def python(
    operation: Operation, example: Example, *, method: str, path: str, origin: str, is_demo: bool
) -> str:
    """Write the request in Python: by the protocol's own SDK, or by `requests`."""
    told = body(example, is_demo=is_demo)
    if not example.sdk:
        url = origin + _address(example, path, is_demo=is_demo)
        return _by_requests(operation, example, told, method=method, url=url)
    imported, client = _CLIENTS[Tag.OPENAI if operation.tag is Tag.MODELS else operation.tag]
    made = client.format(origin=origin, key=f'os.environ["{KEY_VARIABLE}"]')
    call = _filled(example.sdk, _model(example, is_demo=is_demo))
    if not call.endswith(")"):
        call += _arguments(told, example.files)
    lines = ["import os", "", imported, "", f"client = {made}"]
    if told.get("stream") or "stream" in example.sdk:
        lines += [f"for event in {call}:", "    print(event)"]
    elif example.output:
        lines += [f"answer = {call}", f'answer.write_to_file("{example.output}")']
    else:
        lines += [f"answer = {call}", "print(answer)"]
    return "\n".join(lines)


def _json(told: Json) -> str:
    """Write a body on one line where it fits, else one field on each line."""
    line = json.dumps(told, ensure_ascii=False)
    if len(line) <= _LINE_MAX:
        return line
    fields = (f"    {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in told.items())
    return "{\n" + ",\n".join(fields) + "\n  }"


def _by_requests(
    operation: Operation, example: Example, told: Json, *, method: str, url: str
) -> str:
    name, value = _KEY_HEADERS.get(operation.tag, ("Authorization", "Bearer {key}"))
    key = f"os.environ['{KEY_VARIABLE}']"
    sent = f'f"{value.format(key="{" + key + "}")}"'
    more = "".join(f', "{name}": "{value}"' for name, value in example.headers.items())
    lines = [f'    "{url}",', f'    headers={{"{name}": {sent}{more}}},']
    if example.body is not None:
        lines.append(f"    json={_literal(told, 4)},")
    call = "\n".join([f"answer = requests.{method}(", *lines, ")"])
    return f"import os\n\nimport requests\n\n{call}\nprint(answer.json())"


def _arguments(told: Json, files: Mapping[str, str]) -> str:
    if not told and not files:
        return "()"
    lines = [f"    {name}={_literal(value, 4)}," for name, value in told.items()]
    lines += [f'    {name}=open("{file}", "rb"),' for name, file in files.items()]
    return "\n".join(["(", *lines, ")"])


def _literal(value: Any, depth: int) -> str:
    """Write a value as Python has it: on one line where it fits."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list):
        return repr(value)
    inner = depth + 4
    if isinstance(value, dict):
        parts = [f"{_literal(k, inner)}: {_literal(v, inner)}" for k, v in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [_literal(part, inner) for part in value]
        opening, closing = "[", "]"
    line = f"{opening}{', '.join(parts)}{closing}"
    if "\n" not in line and len(line) + depth <= _LINE_MAX:
        return line
    pad = " " * inner
    return "\n".join([opening, *(f"{pad}{part}," for part in parts), " " * depth + closing])


def _address(example: Example, path: str, *, is_demo: bool) -> str:
    model = _model(example, is_demo=is_demo)
    for name, value in example.path.items():
        path = path.replace(f"{{{name}}}", _filled(value, model))
    query = {name: _filled(value, model) for name, value in example.query.items()}
    return f"{path}?{urlencode(query)}" if query else path


def _model(example: Example, *, is_demo: bool) -> str:
    if not example.model:
        return ""
    demo, common = MODELS[example.model]
    return demo if is_demo else common


def _filled(value: Any, model: str) -> Any:
    """Put names and ids where the description leaves room for them."""
    if isinstance(value, str):
        for name, told in (("model", model), ("generation", GENERATION), ("hash", HASH)):
            value = value.replace(f"{{{name}}}", told)
        return value
    if isinstance(value, Mapping):
        return {name: _filled(part, model) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, model) for part in value]
    return value
