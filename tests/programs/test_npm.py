"""When a program cannot be had: passed over with a reason, but not by CI where npm is at fault."""

import itertools

import pytest

from tests.programs import npm

SKIPPED, FAILED = pytest.skip.Exception, pytest.fail.Exception
_numbers = itertools.count()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return `machine(npm=..., node=..., ci=...)`: programs are shell scripts, or missing."""

    def make(*, npm=None, node=None, ci=False):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, script in (("npm", npm), ("node", node)):
            if script is not None:
                (folder / name).write_text(f"#!/bin/sh\n{script}\n")
                (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if node else str(folder))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("CI", "true" if ci else "")

    return make


@pytest.fixture
def pinned():
    """Packages that no other test asked for: an outcome is remembered."""
    return {"thing": f"1.0.{next(_numbers)}"}


NODE = "echo v22.1.0"


def test_what_is_installed_is_installed_once(machine, pinned, tmp_path):
    machine(node=NODE, npm=f"mkdir node_modules; echo x >> {tmp_path}/calls")
    folder = npm.require(pinned)
    assert (folder / "node_modules").is_dir()
    assert folder.is_relative_to(tmp_path / "cache")
    npm._outcome.cache_clear()  # as the next run of the tests
    assert npm.require(pinned) == folder
    assert (tmp_path / "calls").read_text() == "x\n"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("node", "said"), [(None, "no node on this machine"), ("echo v18.0.0", "older than 20")]
)
def test_a_machine_without_node_is_passed_over_even_by_ci(machine, pinned, node, said):
    machine(node=node, npm="exit 1", ci=True)
    with pytest.raises(SKIPPED, match=said):
        npm.require(pinned)


def test_a_registry_that_is_away_is_passed_over_even_by_ci(machine, pinned, capsys, tmp_path):
    machine(node=NODE, npm="echo npm error code EAI_AGAIN >&2; exit 1", ci=True)
    with pytest.raises(SKIPPED, match="EAI_AGAIN"):
        npm.require(pinned)
    assert "real programs: npm install: npm error code EAI_AGAIN" in capsys.readouterr().out
    assert list((tmp_path / "cache" / "bananarouter").iterdir()) == []


@pytest.mark.parametrize(("ci", "outcome"), [(True, FAILED), (False, SKIPPED)])
def test_any_other_failure_fails_ci(machine, pinned, ci, outcome):
    machine(node=NODE, npm="echo npm error code ETARGET >&2; exit 1", ci=ci)
    with pytest.raises(outcome, match="ETARGET"):
        npm.require(pinned)
