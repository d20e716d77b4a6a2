"""The environment is read in one place, typed; secrets rotate by version."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from bananarouter import env


def test_a_secret_comes_from_its_variable_then_from_a_named_file_then_from_the_folder(
    monkeypatch, tmp_path
):
    stored = tmp_path / "stored"
    stored.write_text("from-folder\n")
    named = tmp_path / "named"
    named.write_text("from-file\n")
    assert env.secret("SOME_SECRET", file=stored) == "from-folder"
    monkeypatch.setenv("SOME_SECRET_FILE", str(named))
    assert env.secret("SOME_SECRET", file=stored) == "from-file"
    monkeypatch.setenv("SOME_SECRET", "direct")
    assert env.secret("SOME_SECRET", file=stored) == "direct"


def test_a_file_that_is_named_but_missing_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured):
        env.secret("SOME_SECRET")


def test_versions_of_a_secret_are_numbered(monkeypatch, tmp_path):
    (tmp_path / "some_secret").write_text("first")
    (tmp_path / "some_secret_2").write_text("second")
    monkeypatch.setenv("SOME_SECRET_3", "third")
    found = env.versions("SOME_SECRET", folder=tmp_path)
    assert found == {1: "first", 2: "second", 3: "third"}


def test_numbers_are_bounded(monkeypatch):
    monkeypatch.setenv("SOME_NUMBER", "12_000")
    assert env.number("SOME_NUMBER", 5) == 12_000
    for wrong in ("many", "1.5", "-1", "99999"):
        monkeypatch.setenv("SOME_NUMBER", wrong)
        with pytest.raises(ImproperlyConfigured):
            env.number("SOME_NUMBER", 5, high=20_000)


def test_flags_take_words_and_refuse_nonsense(monkeypatch):
    for word, meaning in (("yes", True), ("OFF", False), ("1", True), ("", True)):
        monkeypatch.setenv("SOME_FLAG", word)
        assert env.flag("SOME_FLAG", default=True) is meaning
    monkeypatch.setenv("SOME_FLAG", "perhaps")
    with pytest.raises(ImproperlyConfigured):
        env.flag("SOME_FLAG", default=True)


def test_a_file_is_there_or_not_named(monkeypatch, tmp_path):
    assert env.file("SOME_FILE_PATH") is None
    monkeypatch.setenv("SOME_FILE_PATH", str(tmp_path / "list"))
    with pytest.raises(ImproperlyConfigured):
        env.file("SOME_FILE_PATH")
    (tmp_path / "list").write_text("")
    assert env.file("SOME_FILE_PATH") == tmp_path / "list"
