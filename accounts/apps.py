"""Accounts: who is calling, and what they agreed to."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, accounts, memberships and API keys."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    # Where its personal data is declared: accounts/personal_data.py.
    personal_data = "accounts.stores"
    expiries = "accounts.expiry"  # logs.removal

    def ready(self) -> None:
        from accounts import checks  # noqa: PLC0415  Django's place for registrations

        checks.register()
