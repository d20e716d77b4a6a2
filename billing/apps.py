"""Billing: money, and the only app that may change what an account owns."""

from django.apps import AppConfig

from billing import checks


class BillingConfig(AppConfig):
    """Ledger, wallets, leases, charges and rates."""

    name = "billing"
    default_auto_field = "django.db.models.BigAutoField"
    # Where its personal data is declared: accounts/personal_data.py.
    personal_data = "billing.stores"
    expiries = "billing.expiry"  # logs.removal
    notice_addresses = "billing.payments.news"  # accounts.deliveries

    def ready(self) -> None:
        checks.install()
