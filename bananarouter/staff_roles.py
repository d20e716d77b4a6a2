"""The roles of staff: groups of Django's, and what each may do on the staff site.

A superuser may do everything and is for emergencies. Nobody sees what users send or get.
"""

from collections.abc import Mapping
from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts import disclosures

_SUPPORT: Final = (
    "accounts.view_account", "accounts.view_contactrequest", "accounts.change_contactrequest",
    "billing.view_order", "billing.view_orderevent", "billing.view_refund",
    "billing.view_staffcredit", "billing.add_staffcredit",
)  # fmt: skip
_FINANCE: Final = (
    *_SUPPORT,
    "billing.add_refund", "billing.approve_staffcredit",
    "billing.view_fapiaorequest", "billing.change_fapiaorequest",
    "billing.view_statementimport", "billing.view_statementrow", "billing.change_statementrow",
    "billing.view_suspense", "billing.change_suspense",
    "billing.view_ledgertransaction", "billing.view_ledgerentry", "billing.view_ledgeraccount",
    "billing.view_dispute", "billing.view_debt", "billing.view_hold", "billing.view_wallet",
    "billing.view_webhookevent", "billing.view_receipt", "billing.view_monthlystatement",
    "billing.view_promotioncode", "billing.view_promotionuse",
)  # fmt: skip
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "support": _SUPPORT,
    "finance": _FINANCE,
    # Books losses, ends holds, makes codes, and makes accounts owe.
    "finance lead": (
        *_FINANCE,
        "billing.write_off_statementrow", "billing.change_debt", "billing.change_hold",
        "billing.add_promotioncode", "billing.change_promotioncode",
    ),
    "operations": (
        "accounts.lift_block",
        "routing.view_channel", "routing.view_endpoint", "routing.view_model",
        "billing.view_ratecard", "billing.view_rate",
        "routing.view_incident", "routing.add_incident", "routing.change_incident",
        "routing.view_incidentupdate", "routing.add_incidentupdate",
    ),
    # What people ask about their data, what authorities ask, what must be kept; nothing of money.
    # Only members see the register of disclosures (accounts.disclosures).
    disclosures.ROLE: (
        "accounts.view_account", "accounts.view_user", "accounts.view_membership",
        "accounts.view_contactrequest", "accounts.change_contactrequest",
        "accounts.view_export", "accounts.add_export", "accounts.change_export",
        "accounts.view_closure", "accounts.view_takedown",
        "accounts.view_consent", "accounts.view_policyversion", "accounts.add_policyversion",
        "logs.view_legalhold", "logs.add_legalhold", "logs.change_legalhold",
        "logs.view_heldrequest", "logs.view_retentionrun", "logs.view_securityentry",
        "logs.view_debugsession", "logs.view_debugview",
        "admin.view_logentry",
    ),
}  # fmt: skip


def write() -> Mapping[str, int]:
    """Make the groups of all roles as they stand here; return how many permissions each has.

    Permissions that were added to these groups by hand are taken away; other groups and who
    belongs to which group stay. Raises: LookupError where a permission does not exist.
    """
    known = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in Permission.objects.select_related("content_type")
    }
    with transaction.atomic():
        for name, wanted in ROLES.items():
            group, _ = Group.objects.get_or_create(name=name)
            group.permissions.set([known[one] for one in wanted])
    return {name: len(wanted) for name, wanted in ROLES.items()}
