"""App configurations of the composition root."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from bananarouter import celery, checks


class RootConfig(AppConfig):
    """The composition root: commands and pages that show several apps at once."""

    name = "bananarouter"

    def ready(self) -> None:
        checks.install()
        # For every thread: who sends a task finds this app, not one without a broker.
        celery.app.set_default()


class StaffConfig(AdminConfig):
    """Install the admin under our own site."""

    default_site = "bananarouter.staff.StaffSite"
