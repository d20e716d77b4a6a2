"""Measures the gateway beside a direct call, nginx, Portkey and LiteLLM, where these are installed.

    python3 dev.py bench [--quick] [--targets ...] [--only table|more] [options of the harness]
    python3 dev.py bench --pages [--requests N]         the pages instead (benchmarks/pages.py)

The harness (emulated vendor, load generator, table) lies beside the project, in shared/bench, or
where BENCH_HARNESS names it. The gateway runs as in production: PostgreSQL with fsync, billing on,
one worker. `ours` counts PostgreSQL's CPU with the gateway's, `ours-alone` the gateway's only.
After the table come measurements of our own (benchmarks/more.py).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import deployment, more, pages
from benchmarks.deployment import HARNESS, HOME, RAISED, ROOT
from tests.servers import PostgreSQL, fresh_database

QUICK = ["--rounds", "1", "--seconds", "2", "--conns", "1,64"]


def entry(name: str, made: dict[str, str], *, pids: list[str]) -> str:
    """Return the harness's description of one deployment (TOML)."""
    variables = {**RAISED, **{part: text for part, text in made.items() if part != "KEY"}}
    env = ", ".join(f"{k} = {json.dumps(v)}" for k, v in variables.items())
    manage = f"{sys.executable} {ROOT / 'manage.py'}"
    run = f"{manage} run --no-demo --port {{port}} --workers {{workers}}"
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


def table(server: PostgreSQL, scratch: Path, options: argparse.Namespace, rest: list[str]) -> int:
    """Run the harness over all targets."""
    port = deployment.free_port()
    with fresh_database(server.url) as first, fresh_database(server.url) as second:
        pid_file = scratch / "postmaster.pid"
        pid_file.write_text(str(server.pid))
        ours = deployment.prepare("ours", first, scratch, port)
        alone = deployment.prepare("ours-alone", second, scratch, port)
        file = scratch / "ours.toml"
        file.write_text(
            entry("ours", ours, pids=[str(pid_file)]) + entry("ours-alone", alone, pids=[])
        )
        targets = options.targets or ["direct", *installed(), "ours", "ours-alone"]
        command = [sys.executable, HARNESS / "bench.py", "run", *targets, "--file", file]
        command += ["--ref", "ours", "--port", str(port), *(QUICK if options.quick else []), *rest]
        return subprocess.run([str(part) for part in command], check=False).returncode


def main() -> int:
    """Set everything up on loopback, measure, take everything down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a look: one round, no long runs")
    parser.add_argument("--targets", nargs="*", help="default: everything that is installed")
    parser.add_argument("--only", choices=["table", "more"], help="one half of the measurements")
    parser.add_argument("--pages", action="store_true", help="the pages with a million requests")
    options, rest = parser.parse_known_args()
    if options.pages:
        pages.main(rest)
        return 0
    if not (HARNESS / "bench.py").exists():
        sys.exit(f"The harness is not at {HARNESS}: set BENCH_HARNESS to its folder.")
    if not (HOME / "load").exists():
        subprocess.run([sys.executable, HARNESS / "bench.py", "setup", "direct"], check=True)
    scratch = Path(tempfile.mkdtemp(prefix="bananarouter-bench-"))
    server = PostgreSQL(fsync=True).start()
    code = 0
    try:
        if options.only != "more":
            code = table(server, scratch, options, rest)
        if options.only != "table":
            with fresh_database(server.url) as url:
                more.measure(url, scratch, is_quick=options.quick)
    finally:
        server.remove()
        shutil.rmtree(scratch, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
