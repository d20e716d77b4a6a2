#!/usr/bin/env python3
"""One command for each job; makes its own environment (standard library only).

python3 dev.py run [--port 8000] [--data-dir DIR]   the gateway, embedded default
python3 dev.py test                                 all tests, on SQLite and PostgreSQL
python3 dev.py test tests/billing -k lease          pytest with these arguments
python3 dev.py check                                format, lint, types, contracts, migrations, docs
python3 dev.py bench                                the benchmark table
python3 dev.py proof                                the slow proofs in full
python3 dev.py mutations [clause]                   break the code once for each proof of a clause
python3 dev.py trust                                run the proofs of clauses; renew docs/trust.json
python3 dev.py screenshots                          a picture of every page in docs/screenshots
python3 dev.py lock                                 renew requirements.lock
"""

import concurrent.futures
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "installed.sha256"
# Checks look at the code alone: no data, secrets or servers of this machine.
SECRETS = ("SECRET_KEY", "KEY_PEPPER", "CREDENTIAL_KEY")
CHECK_ENVIRONMENT = {
    **{name: f"a stand-in for {name}, of more than fifty characters" for name in SECRETS},
    **dict.fromkeys(("DATABASE_URL", "REDIS_URL", "DEBUG", "HTTPS"), ""),
}


def set_up() -> None:
    """Make the environment when the lock or the Python version changed."""
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("Setting up .venv (once for each lock) ...", file=sys.stderr, flush=True)
    venv.create(VENV, with_pip=True, clear=True)
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    # The lock is whole. With nothing to resolve, a release of today cannot come in beside it.
    pip += ["--require-hashes", "--no-deps", "-r", LOCK]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    subprocess.run([PYTHON, "-m", "pip", "check"], check=True, stdout=sys.stderr)
    STAMP.write_text(wanted)


def call(*command: object) -> int:
    """Run a command of the environment and return its exit code."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode


def replace(*command: object) -> None:
    """Become a command of the environment, so that signals reach it."""
    os.chdir(ROOT)
    parts = [str(part) for part in command]
    os.execv(parts[0], parts)  # noqa: S606


def jobs() -> dict[str, list[object]]:
    """Return every check by name; the slowest first, since they share the cores."""
    tool = VENV / "bin"
    templates = sorted(ROOT.glob("templates/**/*.html"))
    migrations = ["makemigrations", "--check", "--dry-run"]
    return {
        "types": [tool / "mypy", "."],
        "house and docs": [
            PYTHON,
            "-m",
            "pytest",
            "-q",
            "tests/test_house.py",
            "tests/test_docs.py",
            "tests/test_clauses.py",
            "tests/test_secrets.py",
        ],
        "format": [tool / "ruff", "format", "--check", "."],
        "lint": [tool / "ruff", "check", "."],
        "import contracts": [tool / "lint-imports", "--no-logo", "--no-cache"],
        "migrations": [PYTHON, "manage.py", *migrations],
        "django": [PYTHON, "manage.py", "check", "--fail-level", "WARNING"],
        "template format": [tool / "djade", "--target-version", "5.2", "--check", *templates],
        "template lint": [tool / "djlint", "--lint", "--quiet", "templates"],
    }


def examine(name: str, command: list[object]) -> bool:
    """Run one check; print its verdict, and what it said when it failed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bananarouter-check-") as folder:
        result = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, "DATA_DIR": folder, **CHECK_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    verdict = "ok    " if result.returncode == 0 else "FAILED"
    said = f"\n{result.stdout.rstrip()}" if result.returncode else ""
    print(f"{verdict} {name} ({time.monotonic() - began:.1f} s){said}", flush=True)
    return result.returncode == 0


def check() -> int:
    """Run every check, even after one failed; return 0 when all passed."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = list(pool.map(lambda job: examine(*job), jobs().items()))
    failed = found.count(False)
    print(f"check: {failed} of {len(found)} failed" if failed else f"check: {len(found)} passed")
    return 1 if failed else 0


def of_tests(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment of a test run, in which compiled modules are kept for the next."""
    kept = {name: at for name, at in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **extra}


@contextlib.contextmanager
def shared_tables() -> Iterator[dict[str, str]]:
    """Yield the environment in which several runs migrate an empty database once."""
    with tempfile.TemporaryDirectory(prefix="bananarouter-tables-") as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as somebody else
        yield {"TEST_TABLES_DIR": folder}


def test() -> int:
    """Run the whole suite: in-process tests on both databases, then tests with real processes."""
    suite = [PYTHON, "-m", "pytest"]
    spread = [*suite, "-n", str(os.cpu_count() or 1)]
    # Half for each in order, so that a file's fixtures are made once; who ends first takes more.
    steal = ("--dist", "worksteal")
    # A file's tests share one gateway. Those with the most tests are not the longest.
    by_file = ("--dist", "loadfile", "--no-loadscope-reorder")
    runs = {
        "in-process tests on SQLite": ({}, [*spread, *steal, "--kind", "quick"]),
        "database tests on PostgreSQL": (
            {"TEST_BACKEND": "postgresql"},
            [*spread, *steal, "--kind", "quick"],
        ),
        "tests with gateway processes": ({}, [*spread, "--kind", "process", *by_file]),
        "tests that want the machine alone": ({}, [*suite, "--kind", "alone"]),
    }
    failed = []
    with shared_tables() as tables:
        for name, (extra, command) in runs.items():
            print(f"test: {name}", flush=True)
            parts = [str(part) for part in command]
            environment = of_tests({**tables, **extra})
            if subprocess.run(parts, cwd=ROOT, env=environment, check=False).returncode:
                failed.append(name)
    for name in failed:
        print(f"test failed: {name}", file=sys.stderr)
    return 1 if failed else 0


def trust() -> int:
    """Run the tests that prove clauses of the policy, on both databases; write the report."""
    with tempfile.TemporaryDirectory(prefix="bananarouter-trust-") as folder:
        results = Path(folder) / "results.json"
        marked = ["-m", "clause", f"--clauses={results}"]
        with shared_tables() as tables:
            for backend in ("sqlite", "postgresql"):
                parts = [str(part) for part in (PYTHON, "-m", "pytest", "-q", *marked)]
                environment = of_tests({**tables, "TEST_BACKEND": backend})
                # What fails is not in the report; the report says so.
                subprocess.run(parts, cwd=ROOT, env=environment, check=False)
        version = subprocess.run(
            ["git", "rev-parse", "--short=10", "HEAD"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.strip()  # fmt: skip
        report = [PYTHON, "manage.py", "policy_report", "--strict", "--results", results]
        return call(*report, "--at", version or "unknown")


def lock() -> int:
    """Renew requirements.lock from pyproject.toml (needs uv on the PATH)."""
    options = [
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--strip-extras",
        "--group",
        "dev",
    ]
    return call("/usr/bin/env", "uv", "pip", "compile", "-q", *options, "--upgrade",
                "--python-version", "3.11", "pyproject.toml", "-o", LOCK)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Do the job that the first argument names."""
    job, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if job == "lock":
        return lock()
    if job not in {"run", "test", "check", "bench", "proof", "mutations", "trust", "screenshots"}:
        print(__doc__, file=sys.stderr)
        return 2
    set_up()
    if job == "check":
        return check()
    if job == "test" and not rest:
        return test()
    if job == "trust":
        return trust()
    commands: dict[str, tuple[object, ...]] = {
        "run": (PYTHON, "manage.py", "run"),
        "test": (PYTHON, "-m", "pytest"),
        "bench": (PYTHON, "benchmarks/run.py"),
        "proof": (PYTHON, "-m", "pytest", "-m", "proof", "--proof"),
        "mutations": (PYTHON, "-m", "tests.mutating"),
        "screenshots": (PYTHON, "-m", "pytest", "-q", "tests/screenshots.py"),
    }
    replace(*commands[job], *rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
