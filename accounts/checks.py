"""System checks: the secrets without which accounts do not work.

They run with `migrate` and with `check --deploy`, not with a bare `check`: a fresh copy of the
repository has no secrets yet, and needs none to be checked.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

SECRET_CHARS_MIN = 32


def secrets(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each secret that is missing or too short to be one."""
    found: list[checks.CheckMessage] = []
    if not any(settings.KEY_PEPPERS.values()):
        found.append(
            checks.Error(
                "No key pepper is configured.",
                hint="Set KEY_PEPPER or KEY_PEPPER_FILE: no API key can be made or verified.",
                id="accounts.E001",
            )
        )
    if not any(settings.CREDENTIAL_KEYS.values()):
        found.append(
            checks.Error(
                "No credential key is configured.",
                hint="Set CREDENTIAL_KEY or CREDENTIAL_KEY_FILE: secrets cannot be stored.",
                id="accounts.E002",
            )
        )
    texts = (*settings.KEY_PEPPERS.values(), *settings.CREDENTIAL_KEYS.values())
    if any(0 < len(text) < SECRET_CHARS_MIN for text in texts):
        found.append(
            checks.Error(
                f"A pepper or credential key has fewer than {SECRET_CHARS_MIN} characters.",
                hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
                id="accounts.E003",
            )
        )
    return found


def at_migration(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001  Django's signature
    databases: Sequence[str] | None = None,
    **_kwargs: Any,
) -> list[checks.CheckMessage]:
    """Check the secrets where a database is about to be used."""
    return secrets() if databases else []


def register() -> None:
    """Register the checks; called once, when the app is ready."""
    checks.register(at_migration, checks.Tags.database)
    checks.register(secrets, checks.Tags.security, deploy=True)
