"""What an operator says about the archive is understood, or refused with the reason."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from bananarouter import archive_settings


def archive(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return archive_settings.read()


def test_it_is_off_by_default(monkeypatch):
    assert not archive(monkeypatch).is_on


def test_clickhouse_speaks_tls_everywhere_but_on_this_machine(monkeypatch):
    away = archive(monkeypatch, ARCHIVE_URL="clickhouse://writer@ch.example/logs")
    assert (away.host, away.port, away.user, away.database) == (
        "ch.example",
        8443,
        "writer",
        "logs",
    )
    assert away.is_tls
    here = archive(monkeypatch, ARCHIVE_URL="clickhouse://127.0.0.1/logs")
    assert (here.port, here.is_tls) == (8123, False)
    inside = archive(monkeypatch, ARCHIVE_URL="clickhouse://clickhouse:9000/logs?tls=off")
    assert (inside.port, inside.is_tls) == (9000, False)


def test_bigquery_is_a_project_and_a_dataset(monkeypatch):
    found = archive(monkeypatch, ARCHIVE_URL="bigquery://my-project/logs")
    assert (found.engine, found.host, found.database) == ("bigquery", "my-project", "logs")


def test_credentials_come_from_a_file_and_are_not_shown(monkeypatch, tmp_path):
    file = tmp_path / "password"
    file.write_text("hunter-two\n")
    found = archive(
        monkeypatch, ARCHIVE_URL="clickhouse://ch.example/logs", ARCHIVE_CREDENTIALS_FILE=str(file)
    )
    assert found.credentials == "hunter-two"
    assert "hunter" not in repr(found) + found.name


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://user:password@ch.example/logs",
        "clickhouse://ch.example",
        "clickhouse://ch.example/lo`gs",
        "clickhouse://ch.example/logs?secure=1",
        "bigquery://my-project",
        "bigquery://My Project/logs",
        "mysql://ch.example/logs",
    ],
)
def test_nonsense_is_refused(monkeypatch, url):
    with pytest.raises(ImproperlyConfigured, match="ARCHIVE_URL"):
        archive(monkeypatch, ARCHIVE_URL=url)


def test_bigquery_is_never_called_in_the_clear(monkeypatch):
    with pytest.raises(ImproperlyConfigured, match="ARCHIVE_BIGQUERY_URL"):
        archive(
            monkeypatch,
            ARCHIVE_URL="bigquery://my-project/logs",
            ARCHIVE_BIGQUERY_URL="http://bq.example",
        )
