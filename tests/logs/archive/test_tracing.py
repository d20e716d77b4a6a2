"""The verifier of an erasure looks into the archive, names it, and does not take silence for no."""

import datetime as dt
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts import traces
from bananarouter import closing
from logs.archive import feed, tracing
from logs.archive.base import Config
from logs.models import ArchiveFeed
from tests import factories
from tests.logs.archive.test_feed import HOUR, NOON, SETTLED, write

pytestmark = pytest.mark.clause("5-delete")
NOW = NOON + 3 * HOUR


@pytest.fixture
def alice(archive, tmp_path, settings):
    """A user with requests in the archive; files of the installation stand in a folder."""
    settings.DATA_DIR, settings.SECRETS_DIR = tmp_path, tmp_path / "secrets"
    settings.SECRETS_DIR.mkdir()
    settings.ERASURE = type(settings.ERASURE)(
        cooling=dt.timedelta(), list_file=settings.SECRETS_DIR / "erased.jsonl"
    )
    user = factories.user("alice")
    write(hour=NOON, rows=3, account_id=factories.account_of(user).pk)
    write(hour=NOON + HOUR / 2, rows=2, account_id=10**9)
    feed.run(now=NOON + HOUR + SETTLED)
    return user


@pytest.fixture
def file(settings):
    return str(settings.SECRETS_DIR / "traces")


def found(lines):
    search = traces.Search(traces.parse("\n".join(lines)))
    return sorted(str(place) for place in tracing.places(search))


def test_the_verifier_finds_the_account_before_and_nothing_after(archive, alice, file, capsys):
    call_command("verify_erasure", file, collect="alice")
    with pytest.raises(CommandError) as error:
        call_command("verify_erasure", file)
    assert error.value.returncode == 1
    out = capsys.readouterr().out
    assert "archive requests.account: archive" in out
    asked = closing.ask(alice, agreed_nusd=0, language="en", now=NOW)
    assert closing.advance(asked, now=NOW) == "closed"
    capsys.readouterr()
    call_command("verify_erasure", file)
    out = capsys.readouterr().out
    assert f"Searched: archive {archive.config.name}." in out
    assert "none found" in out
    assert archive.rows("SELECT COUNT(*) FROM {requests}") == [(2,)]


def test_a_row_that_an_erasure_forgot_is_found(archive, alice, file, capsys):
    """As if the names' keys alone had been destroyed."""
    call_command("verify_erasure", file, collect="alice")
    lines = Path(file).read_text().splitlines()
    names = [line.split()[1] for line in lines if line.startswith("archive ")]
    assert len(names) == 1
    ArchiveFeed.objects.update(fed_until=NOW)
    assert found([f"archive {names[0]}"]) == ["archive requests.account: archive"]
    assert found(["archive " + "0" * 32]) == []


def test_words_of_the_archive_are_looked_at_too(archive, alice):
    write(hour=NOON + HOUR, rows=1, model="zquagga/private", account_id=7)
    feed.run(now=NOW)
    assert found(["username zquagga"]) == ["archive requests.model: username"]
    assert found(["username quagga"]) == []


def test_an_archive_that_does_not_answer_proves_nothing(archive, alice, file):
    call_command("verify_erasure", file, collect="alice")
    archive.go_away()
    try:
        with pytest.raises(CommandError, match="Not proved: the archive"):
            call_command("verify_erasure", file)
    finally:
        archive.come_back()


def test_an_archive_of_before_is_named_as_out_of_reach(archive, alice, file, settings, capsys):
    settings.ARCHIVE = Config()
    settings.SECRETS_DIR.joinpath("traces").write_text("email nobody@example.com\n")
    call_command("verify_erasure", file)
    out = capsys.readouterr().out
    assert f"Out of reach: archive {archive.config.name}, which" in out
    assert "Searched: archive" not in out
