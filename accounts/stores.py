"""Personal data in accounts, and in the packages that keep users and sessions for it."""

from functools import partial

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Model, Q, QuerySet
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _

from accounts import exports, pseudonyms, staff_notes, trust_stores
from accounts.models import (
    Account,
    ApiKey,
    BillingDetails,
    Change,
    ChangeSequence,
    Closure,
    Consent,
    ContactMessage,
    ContactRequest,
    Delivery,
    Export,
    Invitation,
    KeyNetwork,
    KnownDevice,
    Membership,
    Notification,
    NotificationPreference,
    PolicyVersion,
    User,
)
from accounts.personal_data import Ending, Retention, Store, Subject, apart, names

NO_USE = "Nothing needs it once the user is gone."
_GOES = partial(Store, retention=Retention.ACCOUNT, ending=Ending.ERASED, why=NO_USE)


def _sessions(subject: Subject) -> QuerySet[Session]:
    seen = UserSession.objects.filter(user_id=subject.user_id)
    return Session.objects.filter(session_key__in=seen.values("session_key"))


def _passkeys(subject: Subject) -> QuerySet[Authenticator]:
    found: QuerySet[Authenticator] = Authenticator.objects.filter(user_id=subject.user_id)
    return found.annotate(given_name=KT("data__name"))


def asked(subject: Subject) -> QuerySet[ContactRequest]:
    """Return what a person asked of us, signed in or from a proven address."""
    mailed = Q(user=None, email__in=subject.emails, proven_at__isnull=False)
    return ContactRequest.objects.filter(Q(user_id=subject.user_id) | mailed)


PEOPLE = (
    _GOES(
        name="user",
        title=_("Your user"),
        model=User,
        rows=lambda subject: User.objects.filter(pk=subject.user_id),
        fields=names(
            "id username email display_name language phone phone_verified_at date_joined "
            "last_login is_active is_staff is_superuser"
        ),
        withheld=apart(sealed="password"),
    ),
    _GOES(
        name="staff_groups",
        title=_("Your roles as staff"),
        model=User.groups.through,
        rows=lambda subject: User.groups.through.objects.filter(user_id=subject.user_id),
        fields=("group__name",),
        withheld=apart(inner="id user_id"),
    ),
    _GOES(
        name="staff_permissions",
        title=_("Your permissions as staff"),
        model=User.user_permissions.through,
        rows=lambda subject: User.user_permissions.through.objects.filter(user_id=subject.user_id),
        fields=("permission__codename",),
        withheld=apart(inner="id user_id"),
    ),
    Store(
        name="accounts",
        title=_("Accounts that you own"),
        model=Account,
        rows=lambda subject: Account.objects.filter(pk__in=subject.owned),
        fields=names(
            "id public_id name is_demo is_trial is_active is_organization country "
            "country_attested_at ownership_attested_at ownership_denied_at "
            "allowed_jurisdictions requests_per_minute_max concurrency_max created_at"
        ),
        retention=Retention.ACCOUNT,
        ending=Ending.PSEUDONYMIZED,
        why="The books point at it; its name and country go.",
        clears={
            "name": pseudonyms.name,
            "public_id": pseudonyms.public_id,
            "country": "",
            "country_attested_at": None,
            "ownership_attested_at": None,
            "ownership_denied_at": None,
            "allowed_jurisdictions": [],
            "is_active": False,
        },
    ),
    _GOES(
        name="memberships",
        title=_("Accounts that you belong to"),
        model=Membership,
        rows=lambda subject: Membership.objects.filter(user_id=subject.user_id),
        fields=names("account_id account__name role created_at"),
        withheld=apart(inner="id user_id"),
    ),
    _GOES(
        name="invitations_received",
        title=_("Invitations that you received"),
        model=Invitation,
        rows=lambda subject: Invitation.objects.filter(email__in=subject.emails),
        fields=names("account__name email role created_at expires_at accepted_at revoked_at"),
        withheld=apart(inner="id", sealed="digest", others="invited_by_id"),
    ),
    Store(
        name="invitations_sent",
        title=_("Invitations that you sent"),
        model=Invitation,
        rows=lambda subject: Invitation.objects.filter(invited_by_id=subject.user_id),
        fields=names("account_id role created_at expires_at accepted_at revoked_at"),
        withheld=apart(inner="id invited_by_id", sealed="digest", others="email"),
        retention=Retention.ACCOUNT,
        ending=Ending.PSEUDONYMIZED,
        why="The invited person may still need it; it stays without its sender.",
        clears={"invited_by": None},
    ),
    _GOES(
        name="billing_details",
        title=_("Billing details"),
        model=BillingDetails,
        rows=lambda subject: BillingDetails.objects.filter(account_id__in=subject.owned),
        fields=names("account_id legal_name email tax_id address country"),
    ),
    _GOES(
        name="api_keys",
        title=_("API keys that you made"),
        model=ApiKey,
        rows=lambda subject: subject.keys(),
        fields=names(
            "id account_id name last_four purpose is_demo is_management allowed_models "
            "allowed_ips allowed_jurisdictions requests_per_minute_max cost_center "
            "replaces_id limits_of_id has_budget created_at expires_at paused_at disabled_at "
            "deleted_at debug_until"
        ),
        withheld=apart(
            sealed="digest pepper_version", inner="created_by_id form_id debug_session is_announced"
        ),
    ),
    _GOES(
        name="key_networks",
        title=_("When your keys were used from another network"),
        model=KeyNetwork,
        rows=lambda subject: KeyNetwork.objects.filter(api_key__in=subject.keys()),
        fields=names("api_key_id country seen_at"),
        withheld=apart(inner="id is_told", sealed="digest"),
    ),
    _GOES(
        name="known_devices",
        title=_("When you logged in from another device"),
        model=KnownDevice,
        rows=lambda subject: KnownDevice.objects.filter(user_id=subject.user_id),
        fields=names("country seen_at"),
        withheld=apart(inner="id user_id", sealed="digest"),
    ),
    _GOES(
        name="notification_preferences",
        title=_("Notification preferences"),
        model=NotificationPreference,
        rows=lambda subject: NotificationPreference.objects.filter(user_id=subject.user_id),
        fields=names("kind by_email by_web by_sms"),
        withheld=apart(inner="id user_id"),
    ),
    Store(
        name="notifications",
        title=_("What we told you"),
        model=Notification,
        rows=lambda subject: Notification.objects.filter(user_id=subject.user_id),
        fields=names("public_id account_id kind name facts path is_on_site created_at read_at"),
        withheld=apart(inner="id user_id key"),
        retention=Retention.NOTIFICATIONS,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    Store(
        name="deliveries",
        title=_("How it was sent to you"),
        model=Delivery,
        rows=lambda subject: Delivery.objects.filter(notification__user_id=subject.user_id),
        fields=names(
            "public_id notification__public_id way state address attempts error created_at done_at"
        ),
        withheld=apart(inner="id next_try_at"),
        retention=Retention.NOTIFICATIONS,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    Store(
        name="exports",
        title=_("Copies of your data"),
        model=Export,
        rows=lambda subject: Export.objects.filter(user_id=subject.user_id),
        fields=names(
            "public_id state asked_at ended_at rows bytes sha256 expires_at downloads "
            "downloaded_at failure"
        ),
        withheld=apart(
            inner="id user_id request_id builder beat_at attempts rows_total rows_done",
            sealed="session_digest",
            others="started_by_id",
        ),
        retention=Retention.EXPORTS,
        ending=Ending.ERASED,
        why=NO_USE,
        erase=exports.forget,
    ),
    Store(
        name="consents",
        title=_("What you agreed to"),
        model=Consent,
        rows=lambda subject: Consent.objects.filter(user_id=subject.user_id),
        fields=names("purpose version__version action created_at"),
        withheld=apart(inner="id user_id"),
        retention=Retention.CONSENTS,
        ending=Ending.ERASED,
        why="It proves what a user agreed to; without the user it binds nobody.",
    ),
    Store(
        name="contact_requests",
        title=_("What you asked of us"),
        model=ContactRequest,
        rows=asked,
        fields=names(
            "public_id kind source state email sender_name language subject request_id "
            "created_at due_at proven_at closed_at"
        ),
        withheld=apart(inner="id user_id account_id mail_id"),
        retention=Retention.CONTACT,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    Store(
        name="contact_messages",
        title=_("Messages between you and us"),
        model=ContactMessage,
        rows=lambda subject: ContactMessage.objects.filter(request__in=asked(subject)),
        fields=names("request__public_id is_from_staff text created_at"),
        withheld=apart(inner="id mail_id", others="author_id"),
        retention=Retention.CONTACT,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
)

LEAVING = (
    Store(
        name="closures",
        title=_("Closures that you asked for"),
        model=Closure,
        rows=lambda subject: Closure.objects.filter(user_id=subject.user_id),
        fields=names(
            "public_id state asked_at due_at began_at ended_at cleared_at language forfeit_nusd "
            "account_ids blocked_by"
        ),
        withheld=apart(inner="id user_id paused_key_ids certificate"),
        retention=Retention.ACCOUNT,
        ending=Ending.PSEUDONYMIZED,
        why="It proves that a closure was carried out (GDPR Art. 5(2)), and names nobody.",
        clears={"account_ids": [], "paused_key_ids": [], "language": "en"},
    ),
)

SIGN_IN = (
    _GOES(
        name="email_addresses",
        title=_("E-mail addresses"),
        model=EmailAddress,
        rows=lambda subject: EmailAddress.objects.filter(user_id=subject.user_id),
        fields=("email", "verified", "primary"),
        withheld=apart(inner="id user_id"),
    ),
    Store(
        name="email_confirmations",
        title=_("Confirmations of e-mail addresses"),
        model=EmailConfirmation,
        rows=lambda subject: EmailConfirmation.objects.filter(
            email_address__user_id=subject.user_id
        ),
        fields=("email_address__email", "created", "sent"),
        withheld=apart(inner="id", sealed="key"),
        retention=Retention.SESSION,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    _GOES(
        name="second_factors",
        title=_("Second factors and passkeys"),
        model=Authenticator,
        rows=_passkeys,
        fields=names("type given_name created_at last_used_at"),
        withheld=apart(inner="id user_id", sealed="data"),
    ),
    _GOES(
        name="social_accounts",
        title=_("Log-ins through other services"),
        model=SocialAccount,
        rows=lambda subject: SocialAccount.objects.filter(user_id=subject.user_id),
        fields=names("provider uid extra_data date_joined last_login"),
        withheld=apart(inner="id user_id"),
    ),
    Store(
        name="social_tokens",
        title=_("Tokens of other services"),
        model=SocialToken,
        rows=lambda subject: SocialToken.objects.filter(account__user_id=subject.user_id),
        fields=("account__provider", "expires_at"),
        withheld=apart(inner="id app_id", sealed="token token_secret"),
        retention=Retention.SESSION,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    Store(
        name="devices",
        title=_("Devices that you are logged in on"),
        model=UserSession,
        rows=lambda subject: UserSession.objects.filter(user_id=subject.user_id),
        fields=names("created_at last_seen_at ip user_agent"),
        withheld=apart(inner="id user_id data", sealed="session_key"),
        retention=Retention.SESSION,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    Store(
        name="sessions",
        title=_("Sessions"),
        model=Session,
        rows=_sessions,
        fields=("expire_date",),
        withheld=apart(sealed="session_key session_data"),
        retention=Retention.SESSION,
        ending=Ending.ERASED,
        why=NO_USE,
    ),
    Store(
        name="staff_log",
        title=_("Staff's changes to your user and accounts"),
        model=LogEntry,
        rows=staff_notes.about,
        fields=("action_time", "action_flag", "content_type__model"),
        withheld=apart(inner="id object_id", others="user_id object_repr change_message"),
        retention=Retention.STAFF_LOG,
        ending=Ending.PSEUDONYMIZED,
        why="Who changed what must be provable for a year (GDPR Art. 5(2)); names go.",
        clears={"object_repr": "", "change_message": ""},
    ),
)

STORES = (*PEOPLE, *LEAVING, *SIGN_IN, *trust_stores.STORES)
IMPERSONAL: dict[type[Model], str] = {
    PolicyVersion: "Published texts.",
    ChangeSequence: "One counter.",
    Change: "Numbers of rows, gone within the hour.",
    Group: "Staff's roles.",
    Group.permissions.through: "What staff's roles allow.",
    Permission: "What roles may be given.",
    ContentType: "Names of tables.",
    SocialApp: "The operator's own log-in services.",
}
