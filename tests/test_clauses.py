"""Every promise has its proof or says what it waits for; every proof has its mutation."""

import ast
import json
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

from bananarouter import clauses, trust
from tests import clause_results, mutating

ROOT = Path(settings.BASE_DIR)
MUTATIONS = mutating.listed()


def marked() -> dict[str, set[str]]:
    """Each test that is marked, by its node id, with its clauses."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            inside = node.body if isinstance(node, ast.ClassDef | ast.Module) else []
            prefix = f"::{node.name}" if isinstance(node, ast.ClassDef) else ""
            for each in inside:
                if isinstance(each, ast.FunctionDef) and (said := _clauses(each)):
                    name = f"{path.relative_to(ROOT).as_posix()}{prefix}::{each.name}"
                    found[name] = said
    return found


def _clauses(function: ast.FunctionDef) -> set[str]:
    return {
        argument.value
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.clause"
        for argument in mark.args
    }


MARKED = marked()


def test_every_mark_names_a_clause():
    assert {clause for said in MARKED.values() for clause in said} <= set(clauses.BY_ID)


def test_every_clause_has_a_proof_or_says_what_it_waits_for():
    proved = {clause for mutation in MUTATIONS for clause in mutation.clauses}
    silent = [
        name
        for name, clause in clauses.BY_ID.items()
        if name not in proved and not (clause.missing and clause.waits_for)
    ]
    assert not silent, "mark a test and add a mutation, or say what is missing and whose it is"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.test.rpartition("::")[2])
def test_a_mutation_fits_the_code_and_its_test(mutation):
    text = (ROOT / mutation.file).read_text()
    assert text.count(mutation.before) == 1, f"not exactly once in {mutation.file}: mutate anew"
    assert mutation.after != mutation.before
    assert not mutation.file.startswith("tests/")
    assert set(mutation.clauses) <= MARKED.get(mutation.test, set()), "mark the test"


def test_no_mutation_is_there_twice():
    names = [each.sha256 for each in MUTATIONS]
    assert len(names) == len(set(names))
    rows = tomllib.loads(mutating.LIST.read_text())
    assert set(rows) == {"mutation"}


def test_the_report_tells_of_these_mutations_and_no_others():
    """Else the page shows proofs of another version: run `python3 dev.py trust`."""
    listed = {(each.test, each.file, each.before, each.after) for each in MUTATIONS}
    report = trust.read()
    told = {
        (proof.test, each.file, each.before, each.after)
        for proofs in report.proofs.values()
        for proof in proofs
        for each in proof.breaks
    }
    assert told <= listed
    assert set(report.proofs) == set(clauses.BY_ID)


def test_a_mutation_changes_a_copy_alone(tmp_path):
    mutation = MUTATIONS[0]
    path = tmp_path / mutation.file
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / mutation.file).read_text())
    mutation.apply(tmp_path)
    assert mutation.before not in path.read_text()
    assert mutation.before in (ROOT / mutation.file).read_text()
    with pytest.raises(AssertionError, match="not exactly once"):
        mutation.apply(tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [
        ("passed", "passed", "passed"), ("passed", "failed", "failed"),
        ("failed", "passed", "failed"), ("skipped", "passed", "skipped"),
        ("error", "skipped", "error"),
    ],
)  # fmt: skip
def test_the_worse_outcome_stands(one, other, counts):
    assert clause_results.worse(one, other) == counts


def test_outcomes_are_written_for_marked_tests_alone(outcomes_of):
    found = outcomes_of(
        """
        import pytest

        @pytest.mark.clause("2-keys")
        @pytest.mark.parametrize("n", [1, 2])
        def test_half(n):
            assert n == 1

        @pytest.mark.clause("2-keys", "2-route")
        def test_whole():
            pass

        @pytest.mark.clause("2-keys")
        def test_skipped():
            pytest.skip("no")

        @pytest.fixture
        def broken():
            raise ValueError

        @pytest.mark.clause("2-keys")
        def test_not_set_up(broken):
            pass

        def test_unmarked():
            pass
        """
    )
    told = {name.rpartition("::")[2]: row for name, row in found.items()}
    assert {name: row["outcome"] for name, row in told.items()} == {
        "test_half": "failed", "test_whole": "passed", "test_skipped": "skipped",
        "test_not_set_up": "error",
    }  # fmt: skip
    assert told["test_whole"] == {
        "outcome": "passed", "on": ["sqlite"], "clauses": ["2-keys", "2-route"],
    }  # fmt: skip


@pytest.fixture
def outcomes_of(tmp_path):
    """Run a file of tests in a pytest of its own, on two workers, and read its results."""

    def run(text):
        (tmp_path / "test_it.py").write_text(textwrap.dedent(text))
        results = tmp_path / "results.json"
        command = [
            sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider",
            "--rootdir", ROOT, "-c", ROOT / "pyproject.toml", "--confcutdir", ROOT,
            "-p", "tests.conftest", "--clauses", results, tmp_path / "test_it.py",
        ]  # fmt: skip
        subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
        return json.loads(results.read_text())

    return run
