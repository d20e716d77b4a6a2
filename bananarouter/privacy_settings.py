"""Reads what an operator sets about how long things are kept."""

from django.core.exceptions import ImproperlyConfigured

from bananarouter import env
from logs.retention_rules import JURISDICTIONS


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
