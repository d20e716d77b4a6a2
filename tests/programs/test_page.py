"""docs/clients.md says what the tests of this folder run: the same versions, the same settings."""

import re
import tomllib

import pytest
from django.conf import settings

from tests.programs import npm, test_claude_code, test_codex

EXAMPLE = "https://gateway.example"


@pytest.fixture(scope="module")
def page():
    return (settings.BASE_DIR / "docs" / "clients.md").read_text()


@pytest.mark.parametrize(("package", "version"), [*npm.SDKS.items(), *npm.AGENTS.items()])
def test_the_versions_are_those_that_run(page, package, version):
    assert f"| run, `{package}` {version} |" in page


def test_nothing_else_is_said_to_run(page):
    run = re.findall(r"\| run, `([^`]+)` [\d.]+ \|", page)
    assert set(run) == {*npm.SDKS, *npm.AGENTS}


def test_the_settings_of_claude_code_are_those_that_run(page):
    shown = dict(re.findall(r"\b([A-Z][A-Z_]+)=([^\s`]+)", page))
    place = {"url": EXAMPLE, "key": "$KEY", "model": "demo/only-chat"}
    assert shown == {n: v.format(**place) for n, v in test_claude_code.VARIABLES.items()}


def test_the_settings_of_codex_are_those_that_run(page):
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert tomllib.loads(shown) == tomllib.loads(test_codex.CONFIG.format(url=EXAMPLE))
