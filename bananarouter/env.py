"""The only reader of the environment: typed, `*_FILE` secrets, an error on nonsense."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent
_env = environ.Env()
VERSIONS_MAX = 9

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def text(name: str, default: str = "") -> str:
    """Return a plain value."""
    return str(_env.str(name, default=default))


def flag(name: str, *, default: bool) -> bool:
    """Return a yes or no: true/false, yes/no, on/off, 1/0. Raises: ImproperlyConfigured."""
    value = text(name).strip().lower()
    if not value:
        return default
    if value not in {"true", "false", "yes", "no", "on", "off", "1", "0"}:
        raise ImproperlyConfigured(f"{name} must be true or false")
    return value in {"true", "yes", "on", "1"}


def number(name: str, default: int, *, low: int = 0, high: int = 1 << 62) -> int:
    """Return an integer within bounds. Raises: ImproperlyConfigured."""
    value = text(name).strip()
    try:
        found = int(value.replace("_", "")) if value else default
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number") from error
    if not low <= found <= high:
        raise ImproperlyConfigured(f"{name} must be between {low} and {high}")
    return found


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without empty parts."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def percents(name: str, default: Mapping[str, int]) -> Mapping[str, int]:
    """Read `word=percent` pairs over their defaults. Raises: ImproperlyConfigured."""
    found = dict(default)
    for pair in words(name):
        word, _, percent = pair.partition("=")
        if word not in default or not percent.isdigit() or int(percent) > 100:
            raise ImproperlyConfigured(f"{name}: {pair!r} is not one of its words = 0 to 100")
        found[word] = int(percent)
    return found


def networks(name: str) -> list[Network]:
    """Read a comma-separated list of networks. Raises: ImproperlyConfigured."""
    try:
        return [ipaddress.ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def secret(name: str, *, file: Path | None = None) -> str:
    """Return a secret from NAME, from the file named by NAME_FILE, or from `file`; "" if none."""
    if value := text(name):
        return value
    if path := text(f"{name}_FILE"):
        file = Path(path)
        if not file.is_file():
            raise ImproperlyConfigured(f"{name}_FILE names no file")
    return file.read_text().strip() if file and file.is_file() else ""


def versions(name: str, *, folder: Path) -> dict[int, str]:
    """Return a secret that rotates, by version: NAME is the first, NAME_2 and on come after.

    The highest one makes new digests and ciphertexts, the others still read old ones.
    """
    found = {1: secret(name, file=folder / name.lower())}
    for version in range(2, VERSIONS_MAX + 1):
        later = f"{name}_{version}"
        if value := secret(later, file=folder / later.lower()):
            found[version] = value
    return found


def file(name: str) -> Path | None:
    """Return the path of a file that is there, None without one. Raises: ImproperlyConfigured."""
    value = text(name)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_file():
        raise ImproperlyConfigured(f"{name} names no file")
    return path


def data_dir() -> Path:
    """Return the folder of the embedded default's data."""
    return Path(text("DATA_DIR", str(ROOT / ".data"))).expanduser().resolve()


def database(name: str, *, sqlite: Path) -> dict[str, object]:
    """Return Django's database settings from a URL, else SQLite at `sqlite`."""
    url = text(name)
    if not url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(sqlite)}
    return dict(environ.Env.db_url_config(url))


def child(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment for a child process: ours and `extra`."""
    return {**os.environ, **extra}


def use_settings() -> None:
    """Name our settings for a process that starts without manage.py."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")
