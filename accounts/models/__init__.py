"""Who is calling, what they agreed to, and what they are told."""

from accounts.models.agreements import Consent, PolicyVersion
from accounts.models.api_keys import ApiKey
from accounts.models.changes import Change, ChangeSequence
from accounts.models.closures import Closure
from accounts.models.notices import Delivery, Notification, NotificationPreference
from accounts.models.people import Account, BillingDetails, Invitation, Membership, User
from accounts.models.requests import ContactMessage, ContactRequest

__all__ = [
    "Account",
    "ApiKey",
    "BillingDetails",
    "Change",
    "ChangeSequence",
    "Closure",
    "Consent",
    "ContactMessage",
    "ContactRequest",
    "Delivery",
    "Invitation",
    "Membership",
    "Notification",
    "NotificationPreference",
    "PolicyVersion",
    "User",
]
