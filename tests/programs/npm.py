"""Programs of the npm registry, at pinned versions, in a folder that outlives the tests."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

# The latest of 2026-11-26; docs/clients.md names them too.
SDKS = {"openai": "7.57.0", "@anthropic-ai/sdk": "1.14.0", "@google/genai": "3.3.0"}
AGENTS = {"@anthropic-ai/claude-code": "2.1.332", "@openai/codex": "0.171.0"}
# They ask for Node 22; what they do here works on 20.
NODE_MAJOR_MIN = 20
INSTALL_TIMEOUT_S = 300
# What npm and Node say when the registry cannot be reached.
AWAY = (
    "EAI_AGAIN", "ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "EHOSTUNREACH",
    "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "E502", "E503", "E504",
)  # fmt: skip
_environ = os.environ  # noqa: TID251 - the tests' own environment, not the gateway's


class Missing(Exception):
    """A program that cannot be had here; `is_fault` when CI must not pass over it."""

    def __init__(self, reason: str, *, is_fault: bool = False) -> None:
        super().__init__(reason)
        self.is_fault = is_fault


def require(packages: dict[str, str]) -> Path:
    """Return the folder whose `node_modules` holds the packages, or skip with a reason.

    Under CI it fails when node and npm are there and the network is not to blame.
    """
    try:
        return _installed(tuple(packages.items()))
    except Missing as missing:
        reason = f"real programs: {missing}"
        if missing.is_fault and _environ.get("CI") == "true":
            pytest.fail(reason)
        print(reason)  # noqa: T201 - said even where pytest hides skips
        pytest.skip(reason)


@cache
def _outcome(pinned: tuple[tuple[str, str], ...]) -> Path | Missing:
    try:
        return _install(pinned)
    except Missing as missing:
        return missing  # once told is enough: the registry is not asked for each test


def _installed(pinned: tuple[tuple[str, str], ...]) -> Path:
    found = _outcome(pinned)
    if isinstance(found, Missing):
        raise found
    return found


def _install(pinned: tuple[tuple[str, str], ...]) -> Path:
    major = _node_major()
    manifest = json.dumps({"private": True, "dependencies": dict(pinned)})
    key = hashlib.sha256(f"{major} {manifest}".encode()).hexdigest()[:16]
    shelf = Path(_environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bananarouter"
    kept = shelf / f"programs-{key}"
    if kept.is_dir():
        return kept
    shelf.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="installing-", dir=shelf))
    try:
        (made / "package.json").write_text(manifest)
        _run_npm(made)
        if not kept.exists():  # else another run was faster
            made.rename(kept)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return kept


def _run_npm(folder: Path) -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise Missing(f"npm took more than {INSTALL_TIMEOUT_S} s") from late
    if done.returncode:
        told = (done.stderr or done.stdout).strip()
        is_away = any(word in told for word in AWAY)
        raise Missing(f"npm install: {told[-500:]}", is_fault=not is_away)


def _node_major() -> int:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Missing(f"no {program} on this machine")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    major = int(said.stdout.lstrip("v").split(".")[0])
    if major < NODE_MAJOR_MIN:
        raise Missing(f"Node {said.stdout.strip()} is older than {NODE_MAJOR_MIN}")
    return major


def version(folder: Path, package: str) -> str:
    """Return the version that is really installed."""
    manifest = folder / "node_modules" / package / "package.json"
    return str(json.loads(manifest.read_text())["version"])


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a program that knows nothing of whoever runs the tests."""
    return {"PATH": _environ["PATH"], "HOME": str(home), "NO_COLOR": "1", **variables}
