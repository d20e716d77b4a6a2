"""App configurations of the composition root."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from bananarouter import checks


class RootConfig(AppConfig):
    """The composition root: commands and pages that show several apps at once."""

    name = "bananarouter"

    def ready(self) -> None:
        checks.install()


class StaffConfig(AdminConfig):
    """Install the admin under our own site."""

    default_site = "bananarouter.staff.StaffSite"
