"""Measures the gateway beside a direct call, nginx, Portkey and LiteLLM, where these are installed.

    python3 dev.py bench [--quick] [targets and options of the harness]

The harness (emulated vendor, load generator, table) lies beside the project, in shared/bench, or
where BENCH_HARNESS names it. The gateway runs as in production: PostgreSQL with fsync, billing on,
one worker. `ours` counts PostgreSQL's CPU with the gateway's, `ours-alone` the gateway's only.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers import PostgreSQL, fresh_database  # noqa: E402

HARNESS = Path(os.environ.get("BENCH_HARNESS", ROOT.parent / "shared" / "bench"))
HOME = Path(os.environ.get("BENCH_HOME", Path.home() / ".cache" / "router-bench"))
SECRETS = ("SECRET_KEY", "KEY_PEPPER", "CREDENTIAL_KEY")
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
        env=env, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    return result.stdout


def prepare(name: str, database_url: str, scratch: Path, upstream_port: int) -> dict[str, str]:
    """Make one deployment: its secrets, database, key and channel; return what starts it."""
    data_dir = scratch / name
    kept = {name: secrets.token_hex(32) for name in SECRETS}
    env = {**os.environ, **RAISED, **kept, "DATABASE_URL": database_url, "DATA_DIR": str(data_dir)}
    manage(env, "migrate", "--verbosity", "0")
    key = manage(
        env, "create_key", "--email", "bench@example.com", "--credit-usd", CREDIT_USD
    ).split()[-1]
    channel = {
        "name": "emulator",
        "vendor": "openai",
        "protocol": "openai-chat",
        "base_url": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "sk-emulated",
        "models": ["gpt-4o-mini"],
    }
    file = scratch / f"{name}.json"
    file.write_text(json.dumps({"channels": [channel]}))
    manage(env, "import_channels", str(file))
    return {"KEY": key, "DATA_DIR": str(data_dir), "DATABASE_URL": database_url, **kept}


def entry(name: str, made: dict[str, str], *, pids: list[str]) -> str:
    """Return the harness's description of one deployment (TOML)."""
    variables = {**RAISED, **{name: text for name, text in made.items() if name != "KEY"}}
    env = ", ".join(f"{k} = {json.dumps(v)}" for k, v in variables.items())
    run = (
        f"{sys.executable} {ROOT / 'manage.py'} run --no-demo --port {{port}} --workers {{workers}}"
    )
    return (
        f"[{name}]\ncwd = {json.dumps(str(ROOT))}\nrun = {json.dumps(run)}\n"
        f"headers = [{json.dumps('Authorization: Bearer ' + made['KEY'])}]\n"
        f"env = {{ {env} }}\npids = {json.dumps(pids)}\n\n"
    )


def installed() -> list[str]:
    """Return the peers that are on this machine."""
    found = []
    if shutil.which("nginx"):
        found.append("nginx")
    if (HOME / "litellm" / "bin" / "litellm").exists():
        found.append("litellm")
    if (HOME / "portkey" / "node_modules").exists() and shutil.which("node"):
        found.append("portkey")
    return found


def free_base() -> int:
    """Return a port with room for the harness's own above it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Set everything up on loopback, run the harness, take everything down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--targets", nargs="*", help="default: everything that is installed")
    options, rest = parser.parse_known_args()
    if not (HARNESS / "bench.py").exists():
        sys.exit(f"The harness is not at {HARNESS}: set BENCH_HARNESS to its folder.")
    port = free_base()
    scratch = Path(tempfile.mkdtemp(prefix="bananarouter-bench-"))
    server = PostgreSQL(fsync=True).start()
    try:
        with fresh_database(server.url) as first, fresh_database(server.url) as second:
            pid_file = scratch / "postmaster.pid"
            pid_file.write_text(str(server.pid))
            ours = prepare("ours", first, scratch, port)
            alone = prepare("ours-alone", second, scratch, port)
            file = scratch / "ours.toml"
            file.write_text(
                entry("ours", ours, pids=[str(pid_file)]) + entry("ours-alone", alone, pids=[])
            )
            targets = options.targets or ["direct", *installed(), "ours", "ours-alone"]
            quick = ["--rounds", "1", "--seconds", "2", "--conns", "1,64"] if options.quick else []
            command = [sys.executable, HARNESS / "bench.py", "run", *targets, "--file", file]
            command += ["--ref", "ours", "--port", str(port), *quick, *rest]
            return subprocess.run([str(c) for c in command], check=False).returncode
    finally:
        server.remove()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
