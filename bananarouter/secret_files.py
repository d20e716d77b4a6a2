"""The secrets of the embedded default: made once, in files that only their owner can read."""

import os
import secrets
from pathlib import Path

NAMES = ("secret_key", "key_pepper", "credential_key")
# 48 random bytes as text: each secret feeds a key derivation or an HMAC, never a cipher directly.
RANDOM_BYTES = 48


class SecretsMissing(Exception):
    """A database exists whose secrets do not: its keys and credentials could never be read."""

    def __init__(self, *, names: list[str], folder: Path) -> None:
        self.names = names
        self.folder = folder
        super().__init__(
            f"The database exists, but {', '.join(names)} of {folder} do not. Without them no API "
            "key and no channel credential can be verified. Restore the folder from its backup, "
            "give them in the environment (docs/settings.md), or start with another --data-dir."
        )


def make(folder: Path, *, given: set[str], has_database: bool) -> list[str]:
    """Make the secrets that neither a file nor the environment (`given`) holds; return their names.

    Raises: SecretsMissing if a database exists already.
    """
    missing = [name for name in NAMES if name not in given and not (folder / name).is_file()]
    if missing and has_database:
        raise SecretsMissing(names=missing, folder=folder)
    if missing:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    for name in missing:
        _write(folder / name, secrets.token_urlsafe(RANDOM_BYTES))
    return missing


def _write(path: Path, text: str) -> None:
    """Write a file that appears whole and with mode 0600, or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
