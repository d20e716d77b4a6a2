"""How a report is put together: only what passed and was seen to fail proves a clause."""

import datetime as dt
import json

import pytest
from django.core.management import CommandError, call_command

from bananarouter import clauses, trust

NOW = dt.datetime(2026, 11, 26, 22, tzinfo=dt.UTC)
BREAK = trust.Break(file="a.py", before="1", after="2", on="2026-11-25", version="abc")


def result(outcome="passed", *names, on=("sqlite",)):
    return {"outcome": outcome, "clauses": list(names), "on": list(on)}


def merged(results, breaks):
    return trust.merge(results, breaks, version="abc", now=NOW)


def test_a_passed_test_that_was_seen_to_fail_proves_its_clause():
    found = merged({"t": result("passed", "2-keys")}, {"t": [("2-keys", BREAK)]})
    assert found.state(clauses.BY_ID["2-keys"]) == trust.State.PROVED
    assert found.proofs["2-keys"] == [trust.Proof(test="t", databases=["sqlite"], breaks=[BREAK])]
    assert found.made_on == NOW.date()


@pytest.mark.parametrize("outcome", ["failed", "skipped", "error"])
def test_what_did_not_pass_in_this_run_proves_nothing(outcome):
    found = merged({"t": result(outcome, "2-keys")}, {"t": [("2-keys", BREAK)]})
    assert found.state(clauses.BY_ID["2-keys"]) == trust.State.OPEN
    assert found.proofs["2-keys"] == []


def test_a_break_of_one_clause_proves_no_other():
    results = {"t": result("passed", "2-keys", "2-route")}
    found = merged(results, {"t": [("2-keys", BREAK)]})
    assert found.state(clauses.BY_ID["2-keys"]) == trust.State.PROVED
    assert found.state(clauses.BY_ID["2-route"]) == trust.State.OPEN


def test_a_clause_with_something_missing_is_proved_partly():
    found = merged({"t": result("passed", "4.1-regions")}, {"t": [("4.1-regions", BREAK)]})
    assert found.state(clauses.BY_ID["4.1-regions"]) == trust.State.PARTLY


def test_what_is_written_is_read_again(tmp_path, settings):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    assert trust.read() == trust.Report()
    found = merged({"t": result("passed", "2-keys")}, {"t": [("2-keys", BREAK)]})
    trust.write(found)
    assert trust.read() == found


def test_the_command_merges_a_run_and_shows_it(tmp_path, settings, capsys):
    settings.BASE_DIR = tmp_path
    for name in ("docs", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "tests" / "mutations.json").write_text("{}")
    (tmp_path / "tests" / "mutations.toml").write_text(
        '[[mutation]]\nclauses = ["2-keys"]\ntest = "t"\nfile = "a"\nbefore = "1"\nafter = "2"\n'
    )
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"t": result("passed", "2-keys")}))
    call_command("policy_report", results=results, at="abc")
    said = capsys.readouterr().out
    assert "never broken" in said
    assert f"0 proved, 0 partly, {len(clauses.BY_ID)} open; run at abc" in said
    results.write_text(json.dumps({"t": result("passed", "9-none")}))
    with pytest.raises(CommandError, match="9-none"):
        call_command("policy_report", results=results, at="abc")
    with pytest.raises(CommandError, match="there is no"):
        call_command("policy_report", results=tmp_path / "none", at="abc")


def test_every_clause_has_its_own_name():
    names = [clause.id for section in clauses.SECTIONS for clause in section.clauses]
    assert len(names) == len(set(names)) == len(clauses.BY_ID) == 39
