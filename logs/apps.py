"""Logs: what is remembered of a request, and forgetting it."""

from django.apps import AppConfig


class LogsConfig(AppConfig):
    """Request logs: metadata only."""

    name = "logs"
    default_auto_field = "django.db.models.BigAutoField"
    # Where its personal data is declared: accounts/personal_data.py.
    personal_data = "logs.stores"
    expiries = "logs.retention"  # logs.removal
