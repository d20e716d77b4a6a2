"""System checks: settings that would break the promises of money."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


def install() -> None:
    """Register the checks."""
    register(check_database, Tags.database)


def check_database(**_: Any) -> list[CheckMessage]:
    """Money needs a database that we speak, and a SQLite that never loses a commit."""
    return problems(settings.DATABASES["default"])


def problems(database: Mapping[str, Any]) -> list[CheckMessage]:
    """Return what is wrong with a database's settings."""
    engine = str(database["ENGINE"])
    if database.get("ATOMIC_REQUESTS"):
        return [Error("ATOMIC_REQUESTS must be off.", id="billing.E002")]
    if engine.endswith("postgresql"):
        return []
    options = database.get("OPTIONS", {})
    if engine.endswith("sqlite3"):
        is_safe = "synchronous=FULL" in str(options.get("init_command", ""))
        if is_safe and options.get("transaction_mode") == "IMMEDIATE":
            return []
        return [
            Error("SQLite needs synchronous=FULL and IMMEDIATE transactions.", id="billing.E003")
        ]
    return [Error("Money is kept in PostgreSQL or SQLite only.", hint=engine, id="billing.E004")]
