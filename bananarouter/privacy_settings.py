"""Reads what an operator sets about people's data."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from bananarouter import env
from logs.retention_rules import JURISDICTIONS

# For every connection. Money needs synchronous=FULL; deleted rows become zeros, and the mode of a
# new file lets its pages go back (logs.removal).
SQLITE = (
    "PRAGMA auto_vacuum=INCREMENTAL;PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;PRAGMA secure_delete=ON;"
)


def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)


def logs() -> tuple[int, str, bool]:
    """Return the request log's days, whose table of retention holds, whether addresses are cut.

    Raises: ImproperlyConfigured for a jurisdiction that has no table.
    """
    jurisdiction = env.text("JURISDICTION").upper()
    if jurisdiction not in JURISDICTIONS:
        known = ", ".join(filter(None, JURISDICTIONS))
        raise ImproperlyConfigured(f"JURISDICTION must be empty or one of: {known}")
    days = env.number("LOG_RETENTION_DAYS", 30, low=1, high=3_650)
    return days, jurisdiction, env.flag("IP_TRUNCATE", default=False)


def debug_key_dir(data_dir: Path) -> Path:
    """Return the folder of debug mode's data keys, which belongs in no backup (ADR 31)."""
    return Path(env.text("DEBUG_KEY_DIR", str(data_dir / "debug-keys"))).expanduser().resolve()


def geoip_db() -> Path | None:
    """Return the file that tells countries of networks, where the operator has one."""
    named = env.text("GEOIP_DB")
    return Path(named).expanduser().resolve() if named else None


def exports(data_dir: Path) -> tuple[Path, int]:
    """Return where copies of users' data lie for a day, and what of that disk stays free."""
    folder = Path(env.text("EXPORT_DIR", str(data_dir / "exports"))).expanduser().resolve()
    return folder, env.number("EXPORT_FREE_BYTES_MIN", 512 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How users leave."""

    # How long a closure with money waits.
    cooling: dt.timedelta
    # Who was erased, by numbers alone: kept apart from what a backup of the database brings back.
    list_file: Path


def read_erasure(folder: Path) -> Erasure:
    """Return the settings of erasure. Raises: ImproperlyConfigured."""
    named = env.text("ERASURE_LIST")
    return Erasure(
        cooling=dt.timedelta(hours=env.number("CLOSURE_COOLING_HOURS", 72, high=720)),
        list_file=Path(named) if named else folder / "erased.jsonl",
    )


def leak_keys_url() -> str:
    """Return where the public keys of GitHub's secret scanning are published."""
    return env.text(
        "LEAK_KEYS_URL", "https://api.github.com/meta/public_keys/secret_scanning"
    ).rstrip("/")
