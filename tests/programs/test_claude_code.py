"""Claude Code, headless, with tools that really run, at every vendor's wire format."""

import json
import subprocess
import time

import pytest

from tests.programs import npm

pytestmark = pytest.mark.process

WIRES = {
    "demo/only-chat": "demo-only-chat",
    "demo/only-responses": "demo-only-responses",
    "demo/only-messages": "demo-only-messages",
    "demo/only-gemini": "demo-only-gemini",
}
RUN_TIMEOUT_S = 90
WRONG_KEY_S_MAX = 30  # it repeats for more than 90 s what it may repeat
# What docs/clients.md says to set.
VARIABLES = {
    "ANTHROPIC_BASE_URL": "{url}",
    "ANTHROPIC_AUTH_TOKEN": "{key}",
    "ANTHROPIC_MODEL": "{model}",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "demo/fast",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
}
SECRET = "The password is banana-4711"


class Claude:
    """A project folder and a home of its own."""

    def __init__(self, folder, agents, gateway):
        self.project, self.home = folder / "project", folder / "home"
        self.project.mkdir()
        self.home.mkdir()
        self.program = agents / "node_modules" / ".bin" / "claude"
        self.gateway = gateway

    def ask(self, prompt, *options, model, key=None):
        """Run `claude -p` as docs/clients.md sets it up; return what it ended with."""
        place = {"url": self.gateway.url, "key": key or self.gateway.key, "model": model}
        variables = {name: value.format(**place) for name, value in VARIABLES.items()}
        environment = npm.clean_environment(self.home, **variables)
        return subprocess.run(
            [self.program, "-p", prompt, *options, "--max-turns", "8"], cwd=self.project,
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=RUN_TIMEOUT_S, check=False,
        )  # fmt: skip


@pytest.fixture
def claude(tmp_path, agents, running):
    return Claude(tmp_path, agents, running)


def test_the_pinned_version_runs(claude):
    said = subprocess.run(
        [claude.program, "--version"], capture_output=True, text=True, timeout=30, check=True,
        env=npm.clean_environment(claude.home),
    )  # fmt: skip
    assert said.stdout.split()[0] == npm.AGENTS["@anthropic-ai/claude-code"]


@pytest.mark.parametrize("model", WIRES)
def test_a_loop_of_tools_reads_writes_and_runs(claude, logged, model):
    note, copy = claude.project / "note.txt", claude.project / "copy.txt"
    note.write_text(SECRET)
    read = json.dumps({"file_path": str(note)})
    write = json.dumps({"file_path": str(copy), "content": "copied 4711"})
    run = json.dumps({"command": "echo from-$((40 + 2))-bash | tee ran.txt"})
    # The last two at once: the gateway must hand over both, and their results in order.
    script = f"demo: call=Read {read} demo: call=Write {write} call=Bash {run}"
    prompt = f"Copy the note. demo: pace=0 {script}"
    done = claude.ask(
        prompt, "--output-format", "stream-json", "--verbose", "--allowedTools", "Read Write Bash",
        model=model,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    blocks = [block for event in events if event["type"] == "user"
              for block in event["message"]["content"]]  # fmt: skip
    results = [str(block["content"]) for block in blocks if block["type"] == "tool_result"]
    assert len(results) == 3
    assert SECRET in results[0]
    assert any("from-42-bash" in result for result in results[1:])
    assert copy.read_text() == "copied 4711"
    assert (claude.project / "ran.txt").read_text().strip() == "from-42-bash"
    end = events[-1]
    assert (end["type"], end["subtype"], end["is_error"]) == ("result", "success", False)
    assert end["permission_denials"] == []
    assert "The tool answered" in end["result"]
    assert end["usage"]["output_tokens"] > 100
    rows = logged.rows(3)
    assert [row[:4] for row in rows] == [("messages", WIRES[model], 1, 200)] * 3
    assert all(cost > 0 for *_, cost in rows)


@pytest.mark.parametrize("model", ["demo/only-messages", "demo/only-gemini"])
def test_a_session_goes_on(claude, model):
    """`--continue` sends the earlier turns back as Claude Code kept them."""
    first = claude.ask("Good day. demo: pace=0", "--output-format", "json", model=model)
    assert first.returncode == 0, first.stderr + first.stdout
    again = claude.ask(
        "And again. demo: pace=0", "--continue", "--output-format", "json", model=model
    )
    assert again.returncode == 0, again.stderr + again.stdout
    told, later = json.loads(first.stdout), json.loads(again.stdout)
    assert later["session_id"] == told["session_id"]
    assert later["result"].startswith("[Simulated answer")
    assert later["is_error"] is False


def test_a_wrong_key_is_told_and_not_retried(claude):
    began = time.monotonic()
    done = claude.ask(
        "Hello", "--output-format", "json", model="demo/only-chat", key="bnr_live_wrong"
    )
    assert done.returncode != 0
    told = json.loads(done.stdout)
    assert told["is_error"] is True
    assert told["api_error_status"] == 401
    assert "This is not one of our API keys" in told["result"]
    assert time.monotonic() - began < WRONG_KEY_S_MAX
