"""System checks: personal data that no app declares, and secrets without which nothing works.

Those of secrets run with `migrate` and with `check --deploy`, not with a bare `check`: a fresh copy
of the repository has no secrets yet, and needs none to be checked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db.models import BinaryField, Model

from accounts import geography, personal_data

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


def declarations(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Refuse a model or a column that no declaration of personal data names, or names wrongly."""
    stores, impersonal = personal_data.stores(), personal_data.impersonal()
    declared = {store.model for store in stores}
    twice = [name for name, count in Counter(store.name for store in stores).items() if count > 1]
    return [
        *(
            _undeclared(model)
            for model in apps.get_models(include_auto_created=True)
            if not model._meta.proxy and (model in declared) == (model in impersonal)
        ),
        *(checks.Error(f"Two stores are named {name}.", id="accounts.E011") for name in twice),
        *(message for store in stores for message in _columns(store)),
    ]


def _undeclared(model: type[Model]) -> checks.CheckMessage:
    return checks.Error(
        f"{model._meta.label} is not declared as personal data, or as none, once.",
        hint="Name it in its app's stores.py: as a Store (what an export shows and erasure does),"
        " or in IMPERSONAL with the reason, if it is about nobody.",
        obj=model,
        id="accounts.E010",
    )


def _columns(store: personal_data.Store) -> Iterator[checks.CheckMessage]:
    for column in personal_data.unnamed_columns(store):
        text = f"The store {store.name} says nothing of the column {column}."
        hint = "Name it in the store's `fields`, or in `withheld` with the reason."
        yield checks.Error(text, hint=hint, obj=store.model, id="accounts.E012")
    for found in store.model._meta.concrete_fields:
        if isinstance(found, BinaryField) and found.name in store.fields:
            text = f"The store {store.name} exports the bytes of {found.name}."
            hint = "Digests and sealed texts are in no export: name it in `withheld`."
            yield checks.Error(text, hint=hint, obj=store.model, id="accounts.E013")


def countries(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for a file of countries that cannot be read, or holds none."""
    problem = geography.problem()
    if not problem:
        return []
    return [
        checks.Error(
            f"GEOIP_DB names a file that tells no countries: {problem}.",
            hint="Name a file of countries in MaxMind's format (.mmdb), or leave GEOIP_DB empty:"
            " then new networks are told, without their country.",
            id="accounts.E020",
        )
    ]


def register() -> None:
    """Register the checks; called once, when the app is ready."""
    checks.register(countries)
    checks.register(declarations, checks.Tags.models)
    checks.register(at_migration, checks.Tags.database)
    checks.register(secrets, checks.Tags.security, deploy=True)
