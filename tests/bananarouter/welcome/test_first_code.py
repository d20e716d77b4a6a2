"""The code of a first call can be pasted as it is: each language reads it, the key is in it."""

import ast
import re
import shutil
import subprocess

import pytest

from bananarouter.pages.welcome import first_code

ORIGIN = "https://banana.example"
KEY = "bnr_live_" + "a" * 36
PYTHON = ["python-openai", "python-anthropic", "python-google"]
JAVASCRIPT = ["js-openai", "js-fetch"]


def code(key=KEY) -> dict[str, str]:
    return {tab.id: tab.text for tab in first_code.tabs(origin=ORIGIN, model="demo/small", key=key)}


def test_every_client_has_host_model_and_key():
    assert set(code()) == {"curl", *PYTHON, *JAVASCRIPT}
    for text in code().values():
        assert ORIGIN in text
        assert "demo/small" in text
        assert text.count(KEY) == 1
        assert "BANANAROUTER_API_KEY" not in text


def test_without_a_key_it_comes_from_the_environment():
    for name, text in code(key=None).items():
        assert text.count("BANANAROUTER_API_KEY") == 1, name
        assert "None" not in text
    assert "$BANANAROUTER_API_KEY" in code(key=None)["curl"]


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("name", PYTHON)
def test_python_is_python(name, key):
    tree = ast.parse(code(key)[name])
    imported = {node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)}
    assert ("os" in imported) == (key is None)


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("name", JAVASCRIPT)
@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_javascript_is_javascript(name, key, tmp_path):
    file = tmp_path / "first.mjs"
    file.write_text(code(key)[name])
    subprocess.run(["node", "--check", file], check=True, capture_output=True)


def test_the_shell_reads_curl_as_one_command():
    text = code()["curl"].replace("curl ", "printf '%s\\n' ", 1)
    told = subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True).stdout
    assert f"Authorization: Bearer {KEY}" in told.splitlines()
    assert re.search(r'"model": "demo/small"', told)
