#!/usr/bin/env python3
"""One command for each job; makes its own environment (standard library only).

    python3 dev.py run [--port 8000] [--data-dir DIR]   the gateway, embedded default
    python3 dev.py test [pytest arguments]              the tests
    python3 dev.py check                                format, lint, types, contracts, migrations, docs
    python3 dev.py bench                                the benchmark table
    python3 dev.py proof                                the slow proofs in full
    python3 dev.py lock                                 renew requirements.lock
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "installed.sha256"


def set_up() -> None:
    """Make the environment when the lock or the Python version changed."""
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("Setting up .venv (once for each lock) ...", file=sys.stderr, flush=True)
    venv.create(VENV, with_pip=True, clear=True)
    pip = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", LOCK], check=True, stdout=sys.stderr)
    STAMP.write_text(wanted)


def call(*command: object) -> int:
    """Run a command of the environment and return its exit code."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode


def replace(*command: object) -> None:
    """Become a command of the environment, so that signals reach it."""
    os.chdir(ROOT)
    parts = [str(part) for part in command]
    os.execv(parts[0], parts)  # noqa: S606


def check() -> int:
    """Run every check, even after one failed; return 0 when all passed."""
    tool = VENV / "bin"
    jobs: list[tuple[object, ...]] = [
        (tool / "ruff", "format", "--check", "."),
        (tool / "ruff", "check", "."),
        (tool / "mypy", "."),
        (tool / "lint-imports",),
        (PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"),
        (PYTHON, "manage.py", "check", "--fail-level", "WARNING"),
        (tool / "djade", "--check", *sorted(ROOT.glob("templates/**/*.html"))),
        (tool / "djlint", "--lint", "templates"),
        (PYTHON, "-m", "pytest", "-q", "tests/test_house.py", "tests/test_docs.py"),
    ]
    failed = [" ".join(str(p) for p in job[:3]) for job in jobs if call(*job) != 0]
    for job in failed:
        print(f"check failed: {job}", file=sys.stderr)
    return 1 if failed else 0


def lock() -> int:
    """Renew requirements.lock from pyproject.toml (needs uv on the PATH)."""
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--group", "dev"]
    return call("/usr/bin/env", "uv", "pip", "compile", "-q", *options, "--upgrade",
                "--python-version", "3.11", "pyproject.toml", "-o", LOCK)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Do the job that the first argument names."""
    job, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if job == "lock":
        return lock()
    if job not in {"run", "test", "check", "bench", "proof"}:
        print(__doc__, file=sys.stderr)
        return 2
    set_up()
    if job == "check":
        return check()
    commands: dict[str, tuple[object, ...]] = {
        "run": (PYTHON, "manage.py", "run"),
        "test": (PYTHON, "-m", "pytest"),
        "bench": (PYTHON, "benchmarks/run.py"),
        "proof": (PYTHON, "-m", "pytest", "-m", "proof", "--proof"),
    }
    replace(*commands[job], *rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
