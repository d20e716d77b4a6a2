"""Who is calling, what they agreed to, and what they are told."""

from accounts.models.agreements import Consent, PolicyVersion
from accounts.models.api_keys import ApiKey
from accounts.models.changes import Change, ChangeSequence
from accounts.models.exports import Export
from accounts.models.notices import Delivery, Notification, NotificationPreference
from accounts.models.people import Account, BillingDetails, Invitation, Membership, User
from accounts.models.requests import ContactMessage, ContactRequest

__all__ = [
    "Account",
    "ApiKey",
    "BillingDetails",
    "Change",
    "ChangeSequence",
    "Consent",
    "ContactMessage",
    "ContactRequest",
    "Delivery",
    "Export",
    "Invitation",
    "Membership",
    "Notification",
    "NotificationPreference",
    "PolicyVersion",
    "User",
]
