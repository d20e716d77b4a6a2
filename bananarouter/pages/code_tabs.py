"""The same call in several clients, with this host's base URL: what code tabs show."""

from collections.abc import Sequence
from dataclasses import dataclass

from bananarouter.openapi.examples import KEY_VARIABLE

PROMPT = "Hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One panel: a title and its code, which a button copies."""

    id: str
    title: str
    text: str
    base_url: str = ""  # shown above, with a copy button of its own


_SDKS = {
    "openai": """\
from openai import OpenAI

client = OpenAI(
    base_url="{origin}/v1",
    api_key="bnr_live_…",
)""",
    "anthropic": """\
from anthropic import Anthropic

client = Anthropic(
    base_url="{origin}",
    api_key="bnr_live_…",
)""",
    "google": """\
from google import genai

client = genai.Client(
    http_options={{"base_url": "{origin}"}},
    api_key="bnr_live_…",
)""",
}
_TITLES = {"openai": "OpenAI", "anthropic": "Anthropic", "google": "Google"}
_PATHS = {"openai": "/v1"}

_CURL = """\
curl {origin}{path} \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{body}'"""

_OPENAI = """\
import os

from openai import OpenAI

client = OpenAI(
    base_url="{origin}/v1",
    api_key=os.environ["{key}"],
)
"""

_ANTHROPIC = """\
import os

from anthropic import Anthropic

client = Anthropic(
    base_url="{origin}",
    api_key=os.environ["{key}"],
)
answer = client.messages.create(
    model="{model}",
    max_tokens=1000,
    messages=[{{"role": "user", "content": "{prompt}"}}],
)
print(answer.content[-1].text)"""

_GOOGLE = """\
import os

from google import genai

client = genai.Client(
    http_options={{"base_url": "{origin}"}},
    api_key=os.environ["{key}"],
)
answer = client.models.generate_content(
    model="{model}",
    contents="{prompt}",
)
print(answer.text)"""

_JAVASCRIPT = """\
import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{origin}/v1",
  apiKey: process.env.{key},
}});
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """How one kind of model is called: path and body, then the words of OpenAI's SDKs."""

    path: str
    body: str
    python: str = ""
    javascript: str = ""


_CALLS = {
    "text": _Call(
        path="/v1/chat/completions",
        body="""{{
    "model": "{model}",
    "messages": [{{"role": "user", "content": "{prompt}"}}]
  }}""",
        python="""\
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "{prompt}"}}],
)
print(answer.choices[0].message.content)""",
        javascript="""\
const answer = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "{prompt}" }}],
}});
console.log(answer.choices[0].message.content);""",
    ),
    "embeddings": _Call(
        path="/v1/embeddings",
        body='{{"model": "{model}", "input": "{prompt}"}}',
        python="""\
answer = client.embeddings.create(model="{model}", input="{prompt}")
print(len(answer.data[0].embedding))""",
        javascript="""\
const answer = await client.embeddings.create({{ model: "{model}", input: "{prompt}" }});
console.log(answer.data[0].embedding.length);""",
    ),
    "image": _Call(
        path="/v1/images/generations",
        body='{{"model": "{model}", "prompt": "A banana"}}',
        python="""\
answer = client.images.generate(model="{model}", prompt="A banana")
print(answer.data[0])""",
        javascript="""\
const answer = await client.images.generate({{ model: "{model}", prompt: "A banana" }});
console.log(answer.data[0]);""",
    ),
    "speech": _Call(
        path="/v1/audio/speech",
        body='{{"model": "{model}", "input": "{prompt}", "voice": "alloy"}}',
        python="""\
answer = client.audio.speech.create(model="{model}", input="{prompt}", voice="alloy")
answer.write_to_file("speech.mp3")""",
    ),
    "transcription": _Call(
        path="/v1/audio/transcriptions",
        body="",
        python="""\
answer = client.audio.transcriptions.create(model="{model}", file=open("speech.mp3", "rb"))
print(answer.text)""",
    ),
    "rerank": _Call(
        path="/v1/rerank",
        body="""{{
    "model": "{model}",
    "query": "fruit",
    "documents": ["banana", "brick"]
  }}""",
    ),
}
KINDS = tuple(_CALLS)


def sdk_tabs(origin: str) -> Sequence[Tab]:
    """Return how each SDK is pointed at this host."""
    return [
        Tab(
            id=f"sdk-{name}",
            title=_TITLES[name],
            text=text.format(origin=origin),
            base_url=origin + _PATHS.get(name, ""),
        )
        for name, text in _SDKS.items()
    ]


def call_tabs(*, model: str, kind: str, origin: str) -> Sequence[Tab]:
    """Return a first call of a model of that kind in each client that has words for it."""
    call = _CALLS[kind]
    place = {"model": model, "origin": origin, "key": KEY_VARIABLE, "prompt": PROMPT}

    def filled(text: str) -> str:
        return text.format(**place)

    tabs = [Tab(id="curl", title="curl", text=_curl(call, place))]
    if call.python:
        text = filled(_OPENAI + call.python)
        tabs.append(Tab(id="python-openai", title="openai", text=text))
    if kind == "text":
        tabs += [
            Tab(id="python-anthropic", title="anthropic", text=filled(_ANTHROPIC)),
            Tab(id="python-genai", title="google-genai", text=filled(_GOOGLE)),
        ]
    if call.javascript:
        text = filled(_JAVASCRIPT + call.javascript)
        tabs.append(Tab(id="javascript", title="JavaScript", text=text))
    return tabs


def _curl(call: _Call, place: dict[str, str]) -> str:
    if not call.body:  # a form
        return (
            f"curl {place['origin']}{call.path} \\\n"
            f'  -H "Authorization: Bearer ${place["key"]}" \\\n'
            f"  -F model={place['model']} \\\n  -F file=@speech.mp3"
        )
    body = call.body.format(**place)
    text = _CURL.format(origin=place["origin"], path=call.path, key=place["key"], body=body)
    return f"{text} \\\n  -o speech.mp3" if call.path.endswith("/speech") else text
