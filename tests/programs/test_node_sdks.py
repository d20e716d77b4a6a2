"""The official Node SDKs against a gateway, at every vendor's wire format."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import npm

pytestmark = pytest.mark.process

SCRIPTS = Path(__file__).with_name("node")
MODELS = ("demo/fast", "demo/only-chat", "demo/only-responses", "demo/only-messages",
          "demo/only-gemini")  # fmt: skip
SDK = {"chat": "openai", "responses": "openai", "messages": "@anthropic-ai/sdk",
       "generate": "@google/genai"}  # fmt: skip
FINISH = {"chat": "stop", "responses": "completed", "messages": "end_turn", "generate": "STOP"}
RUN_TIMEOUT_S = 60
OPENAI_ERRORS = {
    "limited": ("RateLimitError", 429),
    "overloaded": ("InternalServerError", 503),
    "invalid": ("BadRequestError", 400),
    "unknown": ("NotFoundError", 404),
    "stranger": ("AuthenticationError", 401),
}
GEMINI_ERRORS = {name: ("ApiError", status) for name, (_, status) in OPENAI_ERRORS.items()}
ERRORS = {
    "chat": OPENAI_ERRORS,
    "responses": OPENAI_ERRORS,
    "messages": {**OPENAI_ERRORS, "overloaded": ("ServiceUnavailableError", 503)},
    "generate": GEMINI_ERRORS,
}


@pytest.fixture(scope="module")
def workplace(sdks, tmp_path_factory):
    """A folder with the scripts, where `import` finds the SDKs."""
    folder = tmp_path_factory.mktemp("node")
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(sdks / "node_modules")
    return folder


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return request.param


@pytest.fixture(scope="module", params=SDK)
def surface(request):
    return request.param


@pytest.fixture(scope="module")
def told(workplace, running, model, surface):
    """What a surface's script told of a model."""
    place = {"BASE_URL": running.url, "API_KEY": running.key, "MODEL": model}
    done = subprocess.run(
        ["node", f"{surface}.mjs"], cwd=workplace, capture_output=True, text=True, check=False,
        timeout=RUN_TIMEOUT_S, env=npm.clean_environment(workplace, **place),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", npm.SDKS)
def test_the_pinned_version_is_installed(sdks, package):
    assert npm.version(sdks, package) == npm.SDKS[package]


def totals(surface, usage):
    """Return (input, output) tokens, whatever the protocol calls them."""
    if surface == "chat":
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        return usage["prompt_tokens"], usage["completion_tokens"]
    if surface == "generate":
        written = usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + written
        return usage["promptTokenCount"], written
    return usage["input_tokens"], usage["output_tokens"]


def test_an_answer_is_the_same_whole_streamed_and_accumulated(told, surface, model):
    ways = [told[way] for way in ("whole", "streamed", "accumulated") if way in told]
    assert len(ways) == (2 if surface == "generate" else 3)
    for found in ways:
        assert found["text"].startswith("[Simulated answer")
        assert found["text"] == ways[0]["text"]
        assert found["finish"] == FINISH[surface]
        read, written = totals(surface, found["usage"])
        assert (read, written) == totals(surface, ways[0]["usage"])
        assert read > 5
        assert written > 40
    assert told["streamed"]["chunks"] > 5


def test_reasoning_is_counted_where_the_vendor_tells_it(told, surface, model):
    usage = told["whole"]["usage"]
    counted = {
        "chat": lambda: usage["completion_tokens_details"]["reasoning_tokens"],
        "responses": lambda: usage["output_tokens_details"]["reasoning_tokens"],
        "messages": lambda: usage.get("output_tokens_details", {}).get("thinking_tokens", 0),
        "generate": lambda: usage.get("thoughtsTokenCount", 0),
    }[surface]()
    # Anthropic counts thinking inside the output and does not tell it apart.
    assert (counted > 0) is (model not in {"demo/fast", "demo/only-messages"})


def test_a_tool_loop_runs_to_its_end(told, surface):
    loop = told["loop"]
    assert loop["calls"] == [{"city": "Oslo", "days": 1}]
    assert "The tool answered" in loop["text"]
    assert "Snow, minus 4 degrees" in loop["text"]
    if surface == "chat":
        assert loop["roles"] == ["user", "assistant", "tool", "assistant"]


def test_an_answer_fits_its_schema(told):
    assert told["structured"] == {"city": "demo", "days": 1}


def test_errors_are_the_sdks_own_classes(told, surface):
    found = {name: (error["name"], error["status"]) for name, error in told["errors"].items()
             if name != "broken"}  # fmt: skip
    assert found == ERRORS[surface]


def test_a_broken_stream_is_no_answer(told):
    broken = told["errors"]["broken"]
    assert broken["name"] in {"APIError", "ApiError", "Error"}
    assert "The vendor's stream broke before its end" in broken["message"]
