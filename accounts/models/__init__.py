"""Who is calling, what they agreed to, and what they are told."""

from accounts.models.agreements import Consent, PolicyVersion
from accounts.models.api_keys import ApiKey
from accounts.models.changes import Change, ChangeSequence
from accounts.models.disclosures import Disclosure, DisclosureEvent
from accounts.models.leaks import LeakedKey
from accounts.models.notices import Delivery, Notification, NotificationPreference
from accounts.models.people import Account, BillingDetails, Invitation, Membership, User
from accounts.models.requests import ContactMessage, ContactRequest
from accounts.models.takedowns import AbuseReport, Takedown

__all__ = [
    "AbuseReport",
    "Account",
    "ApiKey",
    "BillingDetails",
    "Change",
    "ChangeSequence",
    "Consent",
    "ContactMessage",
    "ContactRequest",
    "Delivery",
    "Disclosure",
    "DisclosureEvent",
    "Invitation",
    "LeakedKey",
    "Membership",
    "Notification",
    "NotificationPreference",
    "PolicyVersion",
    "Takedown",
    "User",
]
