"""Code tabs: every sample is code, names its model and host, and is complete."""

import ast
import json
import shlex

import pytest

from bananarouter.pages import code_tabs

ORIGIN = "https://router.example"


def python(tabs) -> list[str]:
    return [tab.text for tab in tabs if "import " in tab.text and tab.title != "JavaScript"]


@pytest.mark.parametrize("kind", code_tabs.KINDS)
def test_every_sample_is_whole(kind):
    tabs = code_tabs.call_tabs(model="acme/one", kind=kind, origin=ORIGIN)
    assert len({tab.id for tab in tabs}) == len(tabs)
    for tab in tabs:
        assert "acme/one" in tab.text
        assert ORIGIN in tab.text
        assert "BANANAROUTER_API_KEY" in tab.text
        assert "{{" not in tab.text.replace("[{{", "")
    for text in python(tabs):
        ast.parse(text)


@pytest.mark.parametrize("kind", code_tabs.KINDS)
def test_the_body_of_curl_is_json(kind):
    words = shlex.split(
        code_tabs.call_tabs(model="acme/one", kind=kind, origin=ORIGIN)[0].text.replace("\\\n", "")
    )
    assert words[0] == "curl"
    if kind == "transcription":
        assert "model=acme/one" in words
    else:
        assert json.loads(words[words.index("-d") + 1])["model"] == "acme/one"


def test_a_chat_has_every_client():
    tabs = code_tabs.call_tabs(model="acme/one", kind="text", origin=ORIGIN)
    assert [tab.title for tab in tabs] == [
        "curl", "openai", "anthropic", "google-genai", "JavaScript",
    ]  # fmt: skip


def test_each_sdk_is_pointed_where_it_expects():
    tabs = code_tabs.sdk_tabs(ORIGIN)
    assert [tab.base_url for tab in tabs] == [f"{ORIGIN}/v1", ORIGIN, ORIGIN]
    for text in python(tabs):
        ast.parse(text)
