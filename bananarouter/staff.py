"""The staff site: Django's admin under our own name."""

from django.contrib import admin


class StaffSite(admin.AdminSite):
    """The admin, titled."""

    site_header = "BananaRouter staff"
    site_title = "BananaRouter staff"
    index_title = "Operations"
