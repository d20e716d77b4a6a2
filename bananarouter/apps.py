"""App configurations of the composition root."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class RootConfig(AppConfig):
    """The composition root: commands and pages that show several apps at once."""

    name = "bananarouter"


class StaffConfig(AdminConfig):
    """Install the admin under our own site."""

    default_site = "bananarouter.staff.StaffSite"
