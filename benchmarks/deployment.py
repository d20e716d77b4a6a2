"""A deployment to measure: PostgreSQL with fsync, billing on, an emulated vendor, one key."""

import json
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARNESS = Path(os.environ.get("BENCH_HARNESS", ROOT.parent / "shared" / "bench"))
HOME = Path(os.environ.get("BENCH_HOME", Path.home() / ".cache" / "router-bench"))
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SECRETS = ("SECRET_KEY", "KEY_PEPPER", "CREDENTIAL_KEY")
PORTS = 12
CREDIT_USD = "1000000"
# One key makes all the load: its limits are raised, and said to be.
RAISED = {
    "KEY_CONCURRENCY": "100000",
    "IP_CONCURRENCY": "100000",
    "ACCOUNT_CONCURRENCY": "100000",
    "KEY_REQUESTS_PER_MINUTE": "100000000",
    "IP_REQUESTS_PER_MINUTE": "100000000",
    "LOG_LEVEL": "WARNING",
}


def manage(env: dict[str, str], *arguments: str) -> str:
    """Run a command of the project and return what it printed."""
    result = subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        env=env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
    )  # fmt: skip
    return result.stdout


def prepare(name: str, database_url: str, scratch: Path, upstream_port: int) -> dict[str, str]:
    """Make one deployment: its secrets, database, key and channel; return what starts it."""
    made = {part: secrets.token_hex(32) for part in SECRETS}
    made |= {"DATABASE_URL": database_url, "DATA_DIR": str(scratch / name)}
    env = {**os.environ, **RAISED, **made}
    manage(env, "migrate", "--verbosity", "0")
    created = manage(env, "create_key", "--email", "bench@example.com", "--credit-usd", CREDIT_USD)
    channel = {
        "name": "emulator",
        "vendor": "openai",
        "protocol": "openai-chat",
        "base_url": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "sk-emulated",
        # Responses are translated, so that they can be measured.
        "models": [{"name": "gpt-4o-mini", "quirks": {"speaks_responses": False}}],
    }
    file = scratch / f"{name}.json"
    file.write_text(json.dumps({"channels": [channel]}))
    manage(env, "import_channels", str(file))
    return {"KEY": created.split()[-1], **made}


def free_port() -> int:
    """Return a port of 127.0.0.1 with room above it for the harness's own.

    Below the range that connections are given by themselves, so that none of these comes between.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        if all(_is_free(port + more) for more in range(PORTS)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_us(pid: int) -> int:
    """Return the CPU time of a process and its children that live, user and system."""
    ticks = 0
    for child in tree(pid):
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return round(ticks * TICK_S * 1_000_000)


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process tree, shared pages counted once (PSS)."""
    total = 0
    for one in tree(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        total += int(rollup.partition("Pss:")[2].split()[0])
    return total
