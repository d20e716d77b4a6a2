"""Show which promises of the privacy policy are proved, by which tests, since when."""

import json
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone, translation

from accounts import commands
from bananarouter import clauses, trust


class Command(BaseCommand):
    help = "Every clause of the policy with its proofs. --results FILE renews docs/trust.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--results", type=Path, metavar="FILE",
                            help="what `pytest -m clause --clauses FILE` wrote")  # fmt: skip
        parser.add_argument("--at", default="", metavar="VERSION", help="the version that was run")
        parser.add_argument("--strict", action="store_true", dest="is_strict",
                            help="fail when a clause is neither proved nor excused")  # fmt: skip
        commands.add_data_dir(parser)

    def handle(
        self, *_args: Any, results: Path | None, at: str, is_strict: bool, **_options: Any
    ) -> None:
        if results is not None:
            trust.write(_report(results, at))
        report = trust.read()
        with translation.override("en"):
            for section in clauses.SECTIONS:
                for clause in section.clauses:
                    self._show(report, clause)
        silent = [
            name
            for name, clause in clauses.BY_ID.items()
            if not clause.missing and report.state(clause) != trust.State.PROVED
        ]
        totals = ", ".join(f"{count} {state}" for state, count in report.totals().items())
        self.stdout.write(f"{totals}; run at {report.version} on {report.made_at}")
        if silent and is_strict:
            raise CommandError(f"neither proved nor excused: {', '.join(silent)}")

    def _show(self, report: trust.Report, clause: clauses.Clause) -> None:
        state = report.state(clause)
        self.stdout.write(f"{state:<7} {clause.id:<18} {clause.promise}")
        if clause.missing:
            self.stdout.write(f"        missing: {clause.missing} ({clause.waits_for})")
        for proof in report.proofs.get(clause.id, ()):
            broken = ", ".join(f"{each.file} {each.on} {each.version}" for each in proof.breaks)
            databases = "+".join(proof.databases)
            self.stdout.write(f"        {proof.test} [{databases}] {broken or 'never broken'}")


def _report(results: Path, version: str) -> trust.Report:
    if not results.is_file():
        raise CommandError(f"there is no {results}")
    found = json.loads(results.read_text())
    unknown = {clause for row in found.values() for clause in row["clauses"]} - set(clauses.BY_ID)
    if unknown:
        raise CommandError(f"no such clauses: {sorted(unknown)}")
    return trust.merge(found, _breaks(), version=version, now=timezone.now())


def _breaks() -> dict[str, list[tuple[str, trust.Break]]]:
    """Read tests/mutations.toml and what of it was recorded; these stand in the repository only."""
    folder = Path(settings.BASE_DIR) / "tests"
    records = json.loads((folder / "mutations.json").read_text())
    found: dict[str, list[tuple[str, trust.Break]]] = {}
    for row in tomllib.loads((folder / "mutations.toml").read_text())["mutation"]:
        said = "\0".join(row[name] for name in ("test", "file", "before", "after"))
        record = records.get(sha256(said.encode()).hexdigest())
        if record is None:
            continue
        broken = trust.Break(
            file=row["file"], before=row["before"], after=row["after"],
            on=record["on"], version=record["version"],
        )  # fmt: skip
        found.setdefault(row["test"], []).extend((clause, broken) for clause in row["clauses"])
    return found
