"""The register of what authorities ask about an account: two people allow it, both sides know it.

A request names one account. It is written down by one member of the privacy staff and allowed by
two others; what is handed over is signed; the account is told, if need be after a prohibition.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, TypedDict

from django.db import transaction
from django.db.models import Count, Model, Q, QuerySet
from django.db.models.functions import ExtractYear

from accounts import downloads, notifications, personal_data, roles, signatures
from accounts.models import Account, Disclosure, DisclosureEvent, User
from accounts.notifications import Notice

Action, Kind, State = DisclosureEvent.Action, Disclosure.Kind, Disclosure.State

# The staff group whose members alone see the register; superusers who are not in it do not.
ROLE = "privacy"
NOTE_CHARS_MAX = 400
SIGNING_LABEL = b"signs what is handed to authorities"
TOLD_MAX = 200


class NotPrivacyStaff(Exception):
    """Only staff in the role `privacy` may do this."""


class WrongState(Exception):
    """The request is not in a state in which this can be done."""


class OwnRequest(Exception):
    """Who wrote a request down, or has allowed it once, cannot allow it."""


class NoReason(ValueError):
    """A refusal or a prohibition to tell needs a reason, a prohibition also an end to come."""


class Asked(TypedDict):
    """What the authority's letter says."""

    kind: str
    authority: str
    reference: str
    legal_basis: str
    secrecy_reason: str
    secrecy_until: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """How many requests of a kind came in a year, and what became of them."""

    year: int
    kind: str
    received: int
    delivered: int
    refused: int
    told: int


def is_privacy_staff(user: Any) -> bool:
    """Tell whether somebody is staff in the role `privacy`."""
    return (
        isinstance(user, User)
        and user.is_active
        and user.is_staff
        and user.groups.filter(name=ROLE).exists()
    )


def mark(user_pk: int) -> str:
    """Return what the register calls a member of staff: it outlives the user, and names nobody."""
    return f"staff:{user_pk}"


def name_of(marked: str) -> str:
    """Return a mark with the name of whoever bears it, as long as that account is there."""
    number = marked.removeprefix("staff:")
    user = User.objects.filter(pk=number).first() if number.isdecimal() else None
    return f"{user.username} ({marked})" if user else marked


def _admit(user: User) -> None:
    if not is_privacy_staff(user):
        raise NotPrivacyStaff


@transaction.atomic
def record(*, account: Account, by: User, asked: Asked, now: dt.datetime) -> Disclosure:
    """Write a request down. Raises: NotPrivacyStaff; NoReason."""
    _admit(by)
    until = asked["secrecy_until"]
    if bool(asked["secrecy_reason"]) != (until is not None) or (until is not None and until <= now):
        raise NoReason
    made = Disclosure.objects.create(
        account=account, created_by=mark(by.pk), created_at=now, **asked
    )
    _note(made, Action.OPENED, by=by, now=now)
    return made


@transaction.atomic
def approve(disclosure: Disclosure, *, by: User, now: dt.datetime) -> Disclosure:
    """Allow a request; the second person's word lets it be handed over.

    Raises: NotPrivacyStaff; OwnRequest; WrongState.
    """
    _admit(by)
    row = Disclosure.objects.select_for_update().get(pk=disclosure.pk)
    if row.state != State.OPEN:
        raise WrongState
    if mark(by.pk) in {row.created_by, row.first_approver}:
        raise OwnRequest
    if not row.first_approver:
        row.first_approver = mark(by.pk)
    else:
        row.second_approver, row.state = mark(by.pk), State.APPROVED
    row.save(update_fields=["first_approver", "second_approver", "state"])
    _note(row, Action.APPROVED, by=by, now=now)
    return row


@transaction.atomic
def refuse(disclosure: Disclosure, *, by: User, reason: str, now: dt.datetime) -> None:
    """Refuse a request that was not handed over. Raises: NotPrivacyStaff; NoReason; WrongState."""
    _admit(by)
    if not reason.strip():
        raise NoReason
    rows = Disclosure.objects.filter(pk=disclosure.pk, state__in=[State.OPEN, State.APPROVED])
    if not rows.update(state=State.REFUSED):
        raise WrongState
    _note(disclosure, Action.REFUSED, by=by, now=now, note=reason[:NOTE_CHARS_MAX])


@transaction.atomic
def note_read(disclosure: Disclosure, *, by: User, now: dt.datetime) -> None:
    """Record that a member of staff read a request. Raises: NotPrivacyStaff."""
    _admit(by)
    _note(disclosure, Action.READ, by=by, now=now)


def hand_over(disclosure: Disclosure, *, by: User, now: dt.datetime) -> IO[bytes]:
    """Return the open ZIP of what we hold about the request's account, signed and recorded.

    It is written in flat memory, as exports are, to a file without a name that goes when it is
    closed. The signature is that of its manifest, which has the SHA-256 of every other file; both
    stand in the history of each hand-over. No transaction is open. Raises: NotPrivacyStaff;
    WrongState; CannotSeal; downloads.DiskFull.
    """
    _admit(by)
    seal = _Seal(public_key())
    rows = Disclosure.objects.filter(pk=disclosure.pk).exclude(second_approver="")
    ready = rows.filter(state__in=[State.APPROVED, State.DELIVERED])
    if not ready.exists():
        raise WrongState
    content = downloads.Content(
        parts=held(disclosure.account), head=_head(disclosure, now=now), seal=seal.write
    )
    file = downloads.unnamed()
    try:
        downloads.pack(file, content, downloads.Progress())
        with transaction.atomic():
            if not ready.update(state=State.DELIVERED):  # refused meanwhile
                raise WrongState
            rows.filter(delivered_at=None).update(delivered_at=now)
            _note(disclosure, Action.EXPORTED, by=by, now=now, note=seal.told)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


class _Seal:
    """Signs a manifest, and remembers what the history keeps of it."""

    def __init__(self, public: str) -> None:
        self._public, self.told = public, ""

    def write(self, manifest: bytes) -> Mapping[str, bytes]:
        """Return the files that prove a manifest. Raises: CannotSeal."""
        signature = signatures.sign(manifest, label=SIGNING_LABEL)
        self.told = f"{hashlib.sha256(manifest).hexdigest()} {signature}"
        return {
            "manifest.json.sig": f"{signature}\n".encode(),
            "public_key.pem": self._public.encode(),
        }


def held(account: Account) -> list[downloads.Part]:
    """Return what every app declares to hold about one account, and who its members are.

    A store that says nothing about a single account is left out: of its members' other accounts
    nothing is said.
    """
    found: list[downloads.Part] = []
    seen = set()
    for store in personal_data.stores():
        rows = _of_account(store.model, account)
        if rows is None or store.model in seen:
            continue
        seen.add(store.model)
        found.append(downloads.Part(store=store, rows=rows.order_by("pk")))
    return found


def _of_account(model: type[Model], account: Account) -> QuerySet[Any] | None:
    """Return the rows about an account, None where a model's rows are about no single one."""
    rows: QuerySet[Any] = QuerySet(model)
    if model is Account:
        return rows.filter(pk=account.pk)
    if model is User:
        return rows.filter(memberships__account=account).distinct()
    columns = {column.attname: column for column in model._meta.concrete_fields}
    column = columns.get("account_id")
    if column is None or column.related_model not in {None, Account}:
        return None
    return rows.filter(account_id=account.pk)


def _head(disclosure: Disclosure, *, now: dt.datetime) -> dict[str, str]:
    return {
        "disclosure": str(disclosure.public_id),
        "authority": disclosure.authority,
        "reference": disclosure.reference,
        "legal_basis": disclosure.legal_basis,
        "account": str(disclosure.account.public_id),
        "made_at": now.isoformat(timespec="seconds"),
    }


def public_key() -> str:
    """Return the public key (PEM) that proves what we handed over. Raises: CannotSeal."""
    return signatures.public_key(label=SIGNING_LABEL)


def tell_due(*, now: dt.datetime) -> int:
    """Tell accounts of requests that nothing forbids to tell; return how many."""
    allowed = Q(secrecy_until=None) | Q(secrecy_until__lte=now)
    done = [State.APPROVED, State.DELIVERED]
    waiting = Disclosure.objects.filter(allowed, state__in=done, told_at=None)
    return sum(_tell(row, now=now) for row in waiting.select_related("account")[:TOLD_MAX])


@transaction.atomic
def _tell(row: Disclosure, *, now: dt.datetime) -> bool:
    if not Disclosure.objects.filter(pk=row.pk, told_at=None).update(told_at=now):
        return False  # another worker just did
    notice = Notice(
        kind="security",
        key=f"disclosure:{row.public_id}",
        name="disclosure",
        facts={
            "account": row.account.name,
            "authority": row.authority,
            "reference": row.reference,
            "basis": row.legal_basis,
            "was_forbidden": bool(row.secrecy_reason),
        },
        path="/trust",
    )
    notifications.tell_account(account=row.account, roles=roles.may_own, notice=notice, now=now)
    _note(row, Action.TOLD, by=None, now=now)
    return True


def years() -> list[Year]:
    """Count requests by year and kind, newest first; one query."""
    rows = (
        Disclosure.objects.annotate(year=ExtractYear("created_at"))
        .values("year", "kind")
        .annotate(
            received=Count("pk"),
            delivered=Count("pk", filter=Q(state=State.DELIVERED)),
            refused=Count("pk", filter=Q(state=State.REFUSED)),
            told=Count("pk", filter=Q(told_at__isnull=False)),
        )
        .order_by("-year", "kind")
    )
    return [Year(**row) for row in rows]


def _note(
    disclosure: Disclosure, action: str, *, by: User | None, now: dt.datetime, note: str = ""
) -> None:
    DisclosureEvent.objects.create(
        disclosure=disclosure, action=action, actor=mark(by.pk) if by else "", at=now, note=note
    )
