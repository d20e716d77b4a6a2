"""The first call in each client, with this host, a model and, right after it was made, the key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

KEY_VARIABLE: Final = "BANANAROUTER_API_KEY"
_PROMPT: Final = "Say hello in five words."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One client: its name on the tab, and code that can be pasted as it is."""

    id: str
    title: str
    text: str


_CURL: Final = """\
curl {origin}/v1/chat/completions \\
  -H "Authorization: Bearer {shell_key}" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "model": "{model}",
    "messages": [{{"role": "user", "content": "{prompt}"}}]
  }}'"""

_OPENAI: Final = """\
# pip install openai
{python_import}from openai import OpenAI

client = OpenAI(
    base_url="{origin}/v1",
    api_key={python_key},
)
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "{prompt}"}}],
)
print(answer.choices[0].message.content)"""

_ANTHROPIC: Final = """\
# pip install anthropic
{python_import}from anthropic import Anthropic

client = Anthropic(
    base_url="{origin}",
    api_key={python_key},
)
answer = client.messages.create(
    model="{model}",
    max_tokens=1000,
    messages=[{{"role": "user", "content": "{prompt}"}}],
)
print(answer.content[-1].text)"""

_GOOGLE: Final = """\
# pip install google-genai
{python_import}from google import genai

client = genai.Client(
    http_options={{"base_url": "{origin}"}},
    api_key={python_key},
)
answer = client.models.generate_content(
    model="{model}",
    contents="{prompt}",
)
print(answer.text)"""

_JS_OPENAI: Final = """\
// npm install openai
import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{origin}/v1",
  apiKey: {js_key},
}});
const answer = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "{prompt}" }}],
}});
console.log(answer.choices[0].message.content);"""

_JS_FETCH: Final = """\
// Node.js 18 or newer; nothing to install
const response = await fetch("{origin}/v1/chat/completions", {{
  method: "POST",
  headers: {{
    Authorization: `Bearer ${{{js_key}}}`,
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({{
    model: "{model}",
    messages: [{{ role: "user", content: "{prompt}" }}],
  }}),
}});
const answer = await response.json();
console.log(answer.choices[0].message.content);"""

_CLIENTS: Final[Mapping[str, tuple[str, str]]] = {
    "curl": ("curl", _CURL),
    "python-openai": ("Python openai", _OPENAI),
    "python-anthropic": ("Python anthropic", _ANTHROPIC),
    "python-google": ("Python google-genai", _GOOGLE),
    "js-openai": ("JS openai", _JS_OPENAI),
    "js-fetch": ("JS fetch", _JS_FETCH),
}


def tabs(*, origin: str, model: str, key: str | None) -> Sequence[Tab]:
    """Return the call in each client; without a key it is read from an environment variable."""
    place = {
        "origin": origin,
        "model": model,
        "prompt": _PROMPT,
        "shell_key": key or f"${KEY_VARIABLE}",
        "python_import": "" if key else "import os\n\n",
        "python_key": f'"{key}"' if key else f'os.environ["{KEY_VARIABLE}"]',
        "js_key": f'"{key}"' if key else f"process.env.{KEY_VARIABLE}",
    }
    return [
        Tab(id=name, title=title, text=text.format(**place))
        for name, (title, text) in _CLIENTS.items()
    ]
