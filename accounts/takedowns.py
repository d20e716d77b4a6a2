"""Decisions about reports of abuse: made once, with a reason, told to the account, and liftable.

The account is told in a tracked conversation of its own, where it may object; it never learns who
reported it.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.db.models.functions import ExtractYear
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import changes, contact, contact_mail, keys, notice_words, roles
from accounts.models import Account, ApiKey, Change, ContactRequest, Takedown, User

Decision = Takedown.Decision
REASON_CHARS_MAX = 400


class NoTarget(ValueError):
    """This decision needs an account, or a key of it."""


class AlreadyDecided(Exception):
    """The report has its decision."""


class NotInForce(Exception):
    """The decision was lifted, or there is nothing of it to lift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a report is about."""

    account: Account | None = None
    api_key: ApiKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """How many reports came in a year, and what was decided."""

    year: int
    received: int
    none: int
    warned: int
    paused: int
    suspended: int
    lifted: int

    @classmethod
    def empty(cls, year: int) -> "Year":
        """Return a year in which nothing was reported."""
        return cls(year=year, received=0, none=0, warned=0, paused=0, suspended=0, lifted=0)


@transaction.atomic
def decide(
    report: ContactRequest,
    *,
    decision: str,
    target: Target,
    reason: str,
    by: User,
    now: dt.datetime,
) -> Takedown:
    """Decide about a report, carry it out and tell the account. Raises: AlreadyDecided; NoTarget.

    A paused key and a suspended account are refused on every worker within a second.
    """
    _require(decision, target)
    try:
        with transaction.atomic():
            made = Takedown.objects.create(
                report_id=report.pk,
                decision=decision,
                account=target.account,
                api_key=target.api_key,
                reason=reason[:REASON_CHARS_MAX],
                decided_by=by,
                decided_at=now,
            )
    except IntegrityError as error:
        raise AlreadyDecided from error
    contact.close(report, now=now)
    if made.account is not None and decision != Decision.NONE:
        _tell(made, made.account, by=by, now=now)
    _carry_out(made)
    return made


def _require(decision: str, target: Target) -> None:
    needs_account = decision != Decision.NONE
    is_foreign = target.api_key is not None and (
        target.account is None or target.api_key.account_id != target.account.pk
    )
    if is_foreign or (needs_account and target.account is None):
        raise NoTarget
    if decision == Decision.PAUSE_KEY and target.api_key is None:
        raise NoTarget


def _carry_out(made: Takedown) -> None:
    """Refuse the key or the account; last in the transaction, since it announces a change."""
    if made.decision == Decision.PAUSE_KEY and made.api_key is not None:
        keys.set_paused(made.api_key, is_paused=True)
    elif made.decision == Decision.SUSPEND and made.account_id is not None:
        _set_active(made.account_id, is_active=False)


def _set_active(account_id: int, *, is_active: bool) -> None:
    rows = Account.objects.filter(pk=account_id, is_active=not is_active)
    if rows.update(is_active=is_active):
        changes.announce(Change.Topic.ACCOUNT, str(account_id))


def _tell(made: Takedown, account: Account, *, by: User, now: dt.datetime) -> None:
    """Open the conversation about a decision with each who runs the account; keep the first."""
    for place in account.memberships.filter(user__is_active=True).select_related("user"):
        if not roles.may_change_account(place.role):
            continue
        with translation.override(notice_words.language_of(place.user)):
            opened = _open(made, account, place.user, by=by, now=now)
        if made.appeal_id is None:
            made.appeal = opened
            made.save(update_fields=["appeal"])


def _open(
    made: Takedown, account: Account, user: User, *, by: User, now: dt.datetime
) -> ContactRequest:
    title = _("A decision about your account")
    opened = contact.open_request(
        kind=contact.Kind.QUESTION,
        source=ContactRequest.Source.PAGE,
        email=user.email,
        subject=title,
        text=title,
        now=now,
        user=user,
        account=account,
    )
    text = "\n\n".join(_words(made))
    contact.answer(opened, text=text, author=by, now=now)
    contact_mail.send_answer(opened, text)
    return opened


def _words(made: Takedown) -> list[str]:
    name = made.api_key.name if made.api_key else ""
    done = {
        Decision.WARN: _("This is a warning. Nothing was switched off."),
        Decision.PAUSE_KEY: _("The key “%(name)s” is paused.") % {"name": name},
        Decision.SUSPEND: _("The account is suspended: its keys are refused."),
    }[Decision(made.decision)]
    return [
        _("We examined a report that this account was used against our acceptable use policy."),
        done,
        _("Our reason: %(reason)s") % {"reason": made.reason},
        _("If you think that we are wrong, reply and say why: another look is due within five "
          "days."),
    ]  # fmt: skip


@transaction.atomic
def lift(takedown: Takedown, *, by: User, reason: str, now: dt.datetime) -> None:
    """End a decision that was wrong or has done its work. Raises: NotInForce."""
    rows = Takedown.objects.filter(pk=takedown.pk, lifted_at=None).exclude(decision=Decision.NONE)
    lifted = {"lifted_at": now, "lifted_by": by, "lifted_reason": reason[:REASON_CHARS_MAX]}
    if not reason.strip() or not rows.update(**lifted):
        raise NotInForce
    takedown.refresh_from_db()
    if takedown.appeal is not None:
        _tell_lifted(takedown.appeal, by=by, now=now)
    _undo(takedown)


def _undo(ended: Takedown) -> None:
    """Take the key or the account again, unless another decision still holds it."""
    held = Takedown.objects.filter(lifted_at=None, decision=ended.decision)
    if ended.decision == Decision.PAUSE_KEY and ended.api_key is not None:
        if not held.filter(api_key=ended.api_key).exists():
            keys.set_paused(ended.api_key, is_paused=False)
        return
    if ended.decision == Decision.SUSPEND and ended.account_id is not None:
        if held.filter(account=ended.account_id).exists():
            return
        _set_active(ended.account_id, is_active=True)


def _tell_lifted(appeal: ContactRequest, *, by: User, now: dt.datetime) -> None:
    with translation.override(appeal.language):
        text = _("Our decision is lifted.")
    try:
        contact.answer(appeal, text=text, author=by, now=now)
    except contact.RequestClosed:
        return  # who closed it wanted to hear no more
    contact_mail.send_answer(appeal, text)


def years() -> list[Year]:
    """Count reports and decisions by year, newest first; one query."""

    def decided(decision: str) -> Count:
        return Count("pk", filter=Q(takedown__decision=decision))

    rows = (
        ContactRequest.objects.filter(kind=contact.Kind.ABUSE)
        .annotate(year=ExtractYear("created_at"))
        .values("year")
        .annotate(
            received=Count("pk"),
            none=decided(Decision.NONE),
            warned=decided(Decision.WARN),
            paused=decided(Decision.PAUSE_KEY),
            suspended=decided(Decision.SUSPEND),
            lifted=Count("pk", filter=Q(takedown__lifted_at__isnull=False)),
        )
        .order_by("-year")
    )
    return [Year(**row) for row in rows]
