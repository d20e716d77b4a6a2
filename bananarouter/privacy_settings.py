"""Reads what an operator sets about people's data, and says how SQLite forgets."""

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
