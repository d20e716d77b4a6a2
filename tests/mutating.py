"""`python -m tests.mutating [clause or test ...]`: breaks the code once for each proof.

tests/mutations.toml says for a test which text of which file to replace by what. Each is done in a
copy of the tree, where the test must pass before and fail after; what did is recorded with day and
version in tests/mutations.json. A record is of exactly this replacement: change it, and it is void.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "mutations.toml"
RECORDS = ROOT / "tests" / "mutations.json"
TEST_TIMEOUT_S = 600
_environ = os.environ  # noqa: TID251 - the tests' own process, not the program's


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One way to break what a test proves."""

    clauses: tuple[str, ...]
    test: str
    file: str
    before: str
    after: str

    @property
    def sha256(self) -> str:
        said = "\0".join((self.test, self.file, self.before, self.after))
        return hashlib.sha256(said.encode()).hexdigest()

    def apply(self, root: Path) -> None:
        """Replace the text, which must stand exactly once in the file."""
        path = root / self.file
        text = path.read_text()
        assert text.count(self.before) == 1, f"{self.file}: not exactly once: {self.before!r}"
        path.write_text(text.replace(self.before, self.after))


def listed() -> list[Mutation]:
    """Every mutation of the list."""
    rows = tomllib.loads(LIST.read_text())["mutation"]
    return [Mutation(**{**row, "clauses": tuple(row["clauses"])}) for row in rows]


def records() -> dict[str, dict[str, str]]:
    """What was recorded: SHA-256 of a mutation -> day and version."""
    return json.loads(RECORDS.read_text()) if RECORDS.is_file() else {}


def version() -> str:
    """The commit that is looked at, with a plus when files differ from it."""
    head = _git("rev-parse", "--short=10", "HEAD").strip()
    return head + ("+" if _git("status", "--porcelain", "--untracked-files=no").strip() else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def copy_tree(target: Path) -> None:
    """Copy what git holds or would add."""
    for name in _git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def outcomes(root: Path, tests: list[str]) -> dict[str, str]:
    """Run tests in a copy: passed, failed (in the test itself), or what else became of each."""
    with tempfile.TemporaryDirectory(prefix="bananarouter-outcome-") as folder:
        results = Path(folder) / "results.json"
        command = [
            sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--reuse-db",
            "--clauses", results, *tests,
        ]  # fmt: skip
        # One test database for all runs: migrating anew takes longer than most tests.
        data = root / ".data" / "tests"
        data.mkdir(parents=True, exist_ok=True)
        environment = {
            **_environ, "PYTHONDONTWRITEBYTECODE": "1", "TEST_DATA_DIR": str(data),
        }  # fmt: skip
        subprocess.run(
            command, cwd=root, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False, timeout=TEST_TIMEOUT_S * len(tests),
        )  # fmt: skip
        found = json.loads(results.read_text()) if results.is_file() else {}
        return {test: found.get(test, {}).get("outcome", "not run") for test in tests}


def prove(chosen: list[Mutation]) -> Iterator[tuple[Mutation, str, str]]:
    """Yield each mutation with the test's outcome before and after it."""
    with tempfile.TemporaryDirectory(prefix="bananarouter-mutant-") as folder:
        root = Path(folder)
        copy_tree(root)
        before = outcomes(root, sorted({mutation.test for mutation in chosen}))
        for mutation in chosen:
            kept = (root / mutation.file).read_bytes()
            mutation.apply(root)
            after = outcomes(root, [mutation.test])
            (root / mutation.file).write_bytes(kept)
            yield mutation, before[mutation.test], after[mutation.test]


def main(wanted: list[str]) -> int:
    """Prove what is wanted, or all that has no record yet; return 1 when a test stayed green."""
    kept = records()
    chosen = [
        mutation
        for mutation in listed()
        if (wanted and ("all" in wanted or {*mutation.clauses, mutation.test} & set(wanted)))
        or (not wanted and mutation.sha256 not in kept)
    ]
    is_whole = True
    for mutation, before, after in prove(chosen):
        is_red = (before, after) == ("passed", "failed")
        is_whole &= is_red
        print(f"{'red   ' if is_red else 'STAYED'} {mutation.test} ({before}, {after})", flush=True)  # noqa: T201
        kept.pop(mutation.sha256, None)
        if is_red:
            day = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
            kept[mutation.sha256] = {"test": mutation.test, "on": day, "version": version()}
        known = {each.sha256 for each in listed()}
        rows = {key: row for key, row in kept.items() if key in known}
        RECORDS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
