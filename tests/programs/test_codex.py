"""Codex, headless, with a shell that really runs, at every vendor's wire format."""

import json
import subprocess

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
CONFIG = """\
model_provider = "bananarouter"
web_search = "disabled"

[model_providers.bananarouter]
name = "BananaRouter"
base_url = "{url}/v1"
env_key = "BANANAROUTER_API_KEY"
wire_api = "responses"
"""


class Codex:
    """A project folder and a home of its own, set up as docs/clients.md says."""

    def __init__(self, folder, agents, gateway):
        self.project, self.home = folder / "project", folder / "home"
        self.project.mkdir()
        (self.home / ".codex").mkdir(parents=True)
        (self.home / ".codex" / "config.toml").write_text(CONFIG.format(url=gateway.url))
        self.program = agents / "node_modules" / ".bin" / "codex"
        self.gateway = gateway

    def ask(self, *arguments, model, key=None):
        """Run `codex exec`; the container is the sandbox, as Codex' own needs user namespaces."""
        flags = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        environment = npm.clean_environment(self.home, BANANAROUTER_API_KEY=key or self.gateway.key)
        done = subprocess.run(
            [self.program, "exec", *flags, "-m", model, *arguments], cwd=self.project,
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=RUN_TIMEOUT_S, check=False,
        )  # fmt: skip
        return done, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def codex(tmp_path, agents, running):
    return Codex(tmp_path, agents, running)


def items(events, kind):
    return [event["item"] for event in events
            if event["type"] == "item.completed" and event["item"]["type"] == kind]  # fmt: skip


def test_the_pinned_version_runs(codex):
    said = subprocess.run(
        [codex.program, "--version"], capture_output=True, text=True, timeout=30, check=True,
        env=npm.clean_environment(codex.home),
    )  # fmt: skip
    assert said.stdout.split()[-1] == npm.AGENTS["@openai/codex"]


@pytest.mark.parametrize("model", WIRES)
def test_a_loop_of_commands_runs(codex, logged, model):
    steps = [
        [{"cmd": "echo from-$((40 + 2))-shell > made.txt"}],
        [{"cmd": "cat made.txt"}, {"cmd": "wc -l < made.txt"}],
    ]
    script = " ".join(
        "demo: " + " ".join(f"call=exec_command {json.dumps(call)}" for call in step)
        for step in steps
    )
    done, events = codex.ask(f"Make a file. demo: pace=0 {script}", model=model)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    ran = items(events, "command_execution")
    assert [item["exit_code"] for item in ran] == [0, 0, 0]
    # Calls of one turn may end in either order.
    assert {item["aggregated_output"].strip() for item in ran} == {"", "from-42-shell", "1"}
    assert (codex.project / "made.txt").read_text() == "from-42-shell\n"
    said = items(events, "agent_message")
    assert len(said) == 1
    assert "The tool answered" in said[0]["text"]
    end = events[-1]
    assert end["type"] == "turn.completed"
    assert end["usage"]["output_tokens"] > 100
    rows = logged.rows(3)
    assert [row[:4] for row in rows] == [("responses", WIRES[model], 1, 200)] * 3
    assert all(cost > 0 for *_, cost in rows)


@pytest.mark.parametrize("model", ["demo/only-messages", "demo/only-chat"])
def test_a_session_goes_on(codex, model):
    """`resume` sends the earlier turns back, and reasoning in the envelope that we made."""
    done, events = codex.ask("Good day. demo: pace=0", model=model)
    assert done.returncode == 0, done.stderr
    again, later = codex.ask("resume", "--last", "And again. demo: pace=0", model=model)
    assert again.returncode == 0, again.stderr + again.stdout[-2000:]
    assert later[0]["thread_id"] == events[0]["thread_id"]
    assert "imulated" in items(later, "agent_message")[0]["text"]
    assert later[-1]["usage"]["input_tokens"] > events[-1]["usage"]["input_tokens"]


def test_a_wrong_key_is_told(codex):
    done, events = codex.ask("Hello", model="demo/only-chat", key="bnr_live_wrong")
    assert done.returncode != 0
    assert events[-1]["type"] == "turn.failed"
    assert "This is not one of our API keys" in events[-1]["error"]["message"]
