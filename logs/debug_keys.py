"""Data keys of debug mode: a file for each session, outside of every database (ADR 31).

What a session keeps is encrypted under its own key, and the key is written nowhere but here,
wrapped under settings.CREDENTIAL_KEYS. A destroyed file ends the session's content for good,
whichever copy of the database comes back.
"""

import contextlib
import os
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from accounts import sealing

KEY_BYTES = 32
NONCE_BYTES = 12
_SUFFIX = ".key"


class KeyNotKept(Exception):
    """The data key cannot be written: debug mode cannot start."""


class KeyGone(Exception):
    """The data key is destroyed, or was never here."""


class CannotRead(Exception):
    """The ciphertext is not this key's, or not of this place."""


class DataKey:
    """The key of one session, in memory for as long as it is used."""

    __slots__ = ("_cipher", "_session_id")

    def __init__(self, raw: bytes, *, session_id: uuid.UUID) -> None:
        self._cipher = AESGCM(raw)
        self._session_id = session_id

    def seal(self, content: bytes, *, request_id: uuid.UUID, part: str) -> bytes:
        """Encrypt a part of a request; it opens as this part of this request alone."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, self._bound(request_id, part))

    def unseal(self, sealed: bytes, *, request_id: uuid.UUID, part: str) -> bytes:
        """Decrypt a part of a request. Raises: CannotRead."""
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, self._bound(request_id, part))
        except (InvalidTag, ValueError) as error:
            raise CannotRead from error

    def _bound(self, request_id: uuid.UUID, part: str) -> bytes:
        return b"debug|1|" + self._session_id.bytes + request_id.bytes + part.encode()


def make(session_id: uuid.UUID) -> None:
    """Make the key of a new session, on the disk before this returns. Raises: KeyNotKept."""
    path = _path(session_id)
    try:
        sealed = sealing.seal(secrets.token_hex(KEY_BYTES), label=_label(session_id))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
            os.write(file, sealed.encode())
            os.fsync(file)
        _sync_folder()
    except (OSError, sealing.CannotSeal) as error:
        raise KeyNotKept from error


def load(session_id: uuid.UUID) -> DataKey:
    """Return the key of a session. Raises: KeyGone."""
    try:
        sealed = _path(session_id).read_bytes().decode("ascii")
        raw = bytes.fromhex(sealing.unseal(sealed, label=_label(session_id)))
    except (OSError, ValueError, sealing.CannotOpen) as error:
        raise KeyGone from error
    return DataKey(raw, session_id=session_id)


def destroy(session_id: uuid.UUID) -> bool:
    """Overwrite and remove a key, on the disk before this returns; False if it was gone.

    Raises: OSError when the disk does not let it.
    """
    path = _path(session_id)
    try:
        with _opened(path, os.O_WRONLY) as file:
            os.write(file, bytes(os.fstat(file).st_size))
            os.fsync(file)
        path.unlink()
    except FileNotFoundError:
        return False
    _sync_folder()
    return True


def standing() -> dict[uuid.UUID, float]:
    """Return the sessions whose keys are here, and when these were written (Unix time)."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for path in settings.DEBUG_KEY_DIR.iterdir():
            with contextlib.suppress(ValueError, FileNotFoundError):
                if path.suffix == _SUFFIX:
                    found[uuid.UUID(path.stem)] = path.stat().st_mtime
    return found


def _path(session_id: uuid.UUID) -> Path:
    folder: Path = settings.DEBUG_KEY_DIR
    return folder / f"{session_id}{_SUFFIX}"


def _label(session_id: uuid.UUID) -> bytes:
    return b"debug data key " + session_id.bytes


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _sync_folder() -> None:
    with _opened(settings.DEBUG_KEY_DIR, os.O_RDONLY | os.O_DIRECTORY) as folder:
        os.fsync(folder)
