"""Data keys of debug mode: one file each, and none is left when it is destroyed."""

import os
import stat
import uuid

import pytest

from logs import debug_keys

SESSION, REQUEST = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.DEBUG_KEY_DIR = tmp_path / "keys"
    return settings.DEBUG_KEY_DIR


def seal(content=b"secret", session=SESSION):
    return debug_keys.load(session).seal(content, request_id=REQUEST, part="request")


def test_a_key_opens_what_it_sealed():
    debug_keys.make(SESSION)
    key = debug_keys.load(SESSION)
    assert key.unseal(seal(), request_id=REQUEST, part="request") == b"secret"


def test_equal_content_never_looks_equal():
    debug_keys.make(SESSION)
    assert seal() != seal()
    assert b"secret" not in seal()


@pytest.mark.parametrize("changed", ["request", "part", "session", "byte", "cut"])
def test_a_part_opens_nowhere_but_in_its_place(changed, folder):
    debug_keys.make(SESSION)
    sealed, request_id, part, session = seal(), REQUEST, "request", SESSION
    match changed:
        case "request":
            request_id = uuid.UUID(int=3)
        case "part":
            part = "response"
        case "session":
            session = uuid.UUID(int=4)
            debug_keys.make(session)
        case "byte":
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        case "cut":
            sealed = sealed[:5]
    with pytest.raises(debug_keys.CannotRead):
        debug_keys.load(session).unseal(sealed, request_id=request_id, part=part)


def test_the_file_is_its_owners_alone_and_wrapped(folder, settings):
    debug_keys.make(SESSION)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert file.read_text().startswith("1.1.")
    settings.CREDENTIAL_KEYS = {"1": "another-credential-key-of-thirty-two-and-more"}
    with pytest.raises(debug_keys.KeyGone):
        debug_keys.load(SESSION)


def test_a_key_is_bound_to_its_session(folder):
    debug_keys.make(SESSION)
    (file,) = folder.iterdir()
    file.rename(folder / f"{uuid.UUID(int=9)}.key")
    with pytest.raises(debug_keys.KeyGone):
        debug_keys.load(uuid.UUID(int=9))


def test_a_destroyed_key_is_overwritten_and_gone(folder):
    debug_keys.make(SESSION)
    (file,) = folder.iterdir()
    with file.open("rb") as held:  # whoever holds the file open reads zeros
        assert debug_keys.destroy(SESSION)
        assert set(held.read()) == {0}
    assert list(folder.iterdir()) == []
    with pytest.raises(debug_keys.KeyGone):
        debug_keys.load(SESSION)
    assert not debug_keys.destroy(SESSION)


def test_a_key_is_made_once():
    debug_keys.make(SESSION)
    with pytest.raises(debug_keys.KeyNotKept):
        debug_keys.make(SESSION)


def test_a_folder_that_cannot_be_written_is_told(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.DEBUG_KEY_DIR = tmp_path / "file" / "keys"
    with pytest.raises(debug_keys.KeyNotKept):
        debug_keys.make(SESSION)


def test_without_a_credential_key_none_is_made(settings, folder):
    settings.CREDENTIAL_KEYS = {"1": ""}
    with pytest.raises(debug_keys.KeyNotKept):
        debug_keys.make(SESSION)
    assert not folder.exists()


def test_standing_names_the_sessions(folder):
    assert debug_keys.standing() == {}
    debug_keys.make(SESSION)
    (folder / "notes.txt").touch()
    (folder / "x.key").touch()
    os.utime(folder / f"{SESSION}.key", (100, 100))
    assert debug_keys.standing() == {SESSION: 100}


def test_no_link_is_followed(folder, tmp_path):
    folder.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (folder / f"{SESSION}.key").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic"):
        debug_keys.destroy(SESSION)
    assert precious.read_text() == "keep"
