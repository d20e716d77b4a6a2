"""Countries of networks: by a file of the operator's; without it nothing is lost."""

import os
import random
import shutil
import socket

import pytest
from django.core import checks as django_checks

from accounts import checks, geography
from tests import geoip

HOME, ABROAD = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def file(tmp_path, settings):
    made = geoip.write(
        tmp_path / "countries.mmdb",
        {"203.0.0.0/16": "US", "198.51.100.0/24": "JP", "2001:db8:1::/48": "DE"},
    )
    settings.GEOIP_DB = made
    return made


def later(monkeypatch):
    """Let no time have to pass before the file is looked at again."""
    monkeypatch.setattr(geography, "LOOKED_AT_S", 0.0)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (HOME, "US"), (ABROAD, "JP"), ("2001:db8:1::5", "DE"), ("::ffff:203.0.113.7", "US"),
        ("192.0.2.1", ""), ("127.0.0.1", ""), ("::1", ""), ("", ""), ("not an address", ""),
        ("203.0.113.7/24", ""), ("203.0.113.7\n", ""),
    ],
)  # fmt: skip
def test_tells_the_country_of_an_address(file, address, code):
    assert geography.country(address) == code
    assert geography.problem() == ""


@pytest.mark.parametrize(
    "record",
    [
        {"country": {"iso_code": "FR"}},
        {"registered_country": {"iso_code": "FR"}},
        {"country": "France", "country_code": "FR"},
        {"country": "FR"},
        {"country": {"names": {"en": "France"}}, "registered_country": {"iso_code": "FR"}},
    ],
)
def test_reads_the_forms_that_publishers_use(tmp_path, settings, record):
    settings.GEOIP_DB = geoip.write(tmp_path / "one.mmdb", {"192.0.0.0/16": record})
    assert geography.country("192.0.2.1") == "FR"
    assert geography.problem() == ""


@pytest.mark.parametrize("record", [{"autonomous_system_number": 64496}, {"country": {}}])
def test_a_file_of_something_else_knows_no_country_and_says_so(tmp_path, settings, record):
    settings.GEOIP_DB = geoip.write(tmp_path / "asn.mmdb", {"192.0.0.0/16": record})
    assert geography.country("192.0.2.1") == ""
    assert "no countries (Test-Country)" in geography.problem()


def test_a_file_of_the_older_addresses_alone_knows_none_of_the_newer(tmp_path, settings):
    settings.GEOIP_DB = geoip.write(tmp_path / "4.mmdb", {"192.0.0.0/16": "FR"}, version=4)
    assert geography.country("192.0.2.1") == "FR"
    assert geography.country("2001:db8::1") == ""


def test_is_off_by_default(settings):
    assert settings.GEOIP_DB is None
    assert geography.country(HOME) == ""
    assert checks.countries() == []


def test_a_file_that_is_replaced_is_read_anew_and_one_that_goes_still_holds(
    file, tmp_path, monkeypatch
):
    assert geography.country(HOME) == "US"
    geoip.write(file, {"203.0.113.0/24": "CA"})
    assert geography.country(HOME) == "US"
    later(monkeypatch)
    assert geography.country(HOME) == "CA"
    file.unlink()
    later(monkeypatch)
    assert geography.country(HOME) == "CA"
    geoip.write(file, {"203.0.113.0/24": "MX"})
    later(monkeypatch)
    assert geography.country(HOME) == "MX"


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "cut", "pipe", "closed"])
def test_an_unreadable_file_is_a_clear_error_and_loses_nothing(file, tmp_path, settings, kind):
    path = tmp_path / "other.mmdb"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "closed":
        path.symlink_to(path)  # a loop: nobody opens it
    elif kind != "missing":
        whole = file.read_bytes()
        path.write_bytes({"text": b"hello", "empty": b"", "cut": whole[: len(whole) // 3]}[kind])
    settings.GEOIP_DB = path
    assert geography.country(HOME) == ""
    (found,) = checks.countries()
    assert (found.id, found.level) == ("accounts.E020", django_checks.ERROR)
    assert "GEOIP_DB" in found.msg
    assert "cannot be opened" in found.msg or "no whole file" in found.msg


def test_damage_never_raises(file, settings, tmp_path):
    whole, luck = file.read_bytes(), random.Random(7)
    for number in range(200):
        data = bytearray(whole)
        for _ in range(luck.randint(1, 8)):
            data[luck.randrange(len(data))] = luck.randrange(256)
        settings.GEOIP_DB = tmp_path / f"{number}.mmdb"
        settings.GEOIP_DB.write_bytes(data)
        for address in (HOME, ABROAD, "2001:db8:1::5"):
            code = geography.country(address)
            assert code == "" or (len(code) == 2 and code.isupper())
        geography.problem()


def test_asks_nobody(file, monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("a network look-up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert geography.country(HOME) == "US"
    shutil.rmtree(file.parent)
