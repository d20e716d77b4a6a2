"""Routing: the wire; vendors, channels, models and the proxy API."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class RoutingConfig(AppConfig):
    """Channels, models, endpoints and the gateway."""

    name = "routing"
    default_auto_field = "django.db.models.BigAutoField"
    # Where its personal data is declared: accounts/personal_data.py.
    personal_data = "routing.stores"
    territories = "routing.territories"  # accounts.territories

    def ready(self) -> None:
        """Register the checks of the vendor files."""
        from routing import checks  # noqa: PLC0415 - apps are not loaded before

        for check in checks.ALL:
            register(check)
        register(checks.policies_are_known, Tags.database)
