"""Routing: the wire; vendors, channels, models and the proxy API."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    """Channels, models, endpoints and the gateway."""

    name = "routing"
    default_auto_field = "django.db.models.BigAutoField"
