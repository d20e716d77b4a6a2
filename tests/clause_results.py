"""Writes what became of each test that proves a clause: `pytest --clauses FILE` adds to FILE.

A test function passed when every one of its runs did: each parameter, each database, each of the
passes that dev.py makes. What was skipped did not pass.
"""

import json
from pathlib import Path

OPTION = "--clauses"
# The worse outcome of two runs stands.
RANK = ("passed", "skipped", "error", "failed")


class Results:
    """Gathers outcomes by test function; with xdist in the controller alone."""

    def __init__(self, path: Path, backend: str) -> None:
        self.path, self.backend = path, backend
        self.clauses: dict[str, set[str]] = {}
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report) -> None:
        clauses = [text for name, text in report.user_properties if name == "clause"]
        if not clauses:
            return
        name = report.nodeid.split("[", 1)[0]
        self.clauses.setdefault(name, set()).update(clauses)
        # A failure before or after the test itself says nothing about the clause.
        outcome = "error" if report.failed and report.when != "call" else report.outcome
        self.outcomes[name] = worse(self.outcomes.get(name, "passed"), outcome)

    def pytest_sessionfinish(self) -> None:
        found = json.loads(self.path.read_text()) if self.path.is_file() else {}
        for name, outcome in self.outcomes.items():
            row = found.setdefault(name, {"outcome": "passed", "on": []})
            row["clauses"] = sorted(self.clauses[name])
            row["outcome"] = worse(row["outcome"], outcome)
            row["on"] = sorted({*row["on"], self.backend})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def worse(one: str, other: str) -> str:
    """The outcome that counts of two."""
    return max(one, other, key=RANK.index)


def install(config, backend: str) -> None:
    """Gather into the file that the option names."""
    path = config.getoption(OPTION)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(Path(path), backend))


def note(items) -> None:
    """Hand each test's clauses on with its report, also from another process."""
    for item in items:
        for mark in item.iter_markers("clause"):
            item.user_properties += [("clause", clause) for clause in mark.args]
