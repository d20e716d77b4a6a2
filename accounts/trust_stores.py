"""Personal data in the registers of trust: leaks, authorities' requests, decisions about abuse."""

from functools import partial

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import disclosures
from accounts.models import Disclosure, DisclosureEvent, LeakedKey, Takedown
from accounts.personal_data import Ending, Retention, Store, apart, names

_REGISTER = partial(
    Store,
    retention=Retention.STAFF_LOG,
    ending=Ending.KEPT,
    why="What was given to whom must be provable (GDPR Art. 5(2)); it names the account's row.",
)

STORES = (
    Store(
        name="leaked_keys",
        title=_("Public places where keys of yours were found"),
        model=LeakedKey,
        rows=lambda subject: LeakedKey.objects.filter(api_key__in=subject.keys()),
        fields=names("api_key_id source url received_at"),
        withheld=apart(inner="id"),
        retention=Retention.ACCOUNT,
        ending=Ending.ERASED,
        why="Nothing needs it once the user is gone.",
    ),
    _REGISTER(
        name="disclosures",
        title=_("Requests of authorities about your accounts"),
        model=Disclosure,
        # What may not be told yet is not told by an export either.
        rows=lambda subject: Disclosure.objects.filter(
            account_id__in=subject.owned, told_at__isnull=False
        ),
        fields=names(
            "public_id kind authority reference legal_basis account_id state created_at "
            "secrecy_reason secrecy_until delivered_at told_at"
        ),
        withheld=apart(inner="id", others="created_by first_approver second_approver"),
    ),
    _REGISTER(
        name="disclosure_history",
        title=_("What was done with requests of authorities"),
        model=DisclosureEvent,
        rows=lambda subject: DisclosureEvent.objects.filter(
            Q(disclosure__account_id__in=subject.owned, disclosure__told_at__isnull=False)
            | Q(actor=disclosures.mark(subject.user_id))
        ),
        fields=names("disclosure__public_id at action"),
        withheld=apart(inner="id", others="actor note"),
    ),
    Store(
        name="takedowns",
        title=_("Decisions about reports of abuse"),
        model=Takedown,
        rows=lambda subject: Takedown.objects.filter(account_id__in=subject.owned),
        fields=names("account_id api_key_id decision reason decided_at lifted_at lifted_reason"),
        withheld=apart(inner="id report_id appeal_id", others="decided_by_id lifted_by_id"),
        retention=Retention.STAFF_LOG,
        ending=Ending.PSEUDONYMIZED,
        why="What was decided stays countable; of the key and the reason nothing stays.",
        clears={"api_key": None, "reason": "", "appeal": None},
    ),
)
