"""Staff's queue of abuse reports: found by request or key, decided once, lifted on appeal."""

import re
import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest
from django.utils import timezone

from accounts import contact, takedowns
from accounts.admin_contact import PERMISSION, Messages, Overdue
from accounts.admin_decisions import Decisions, Refused, Tool, staff
from accounts.admin_fixed import Fixed
from accounts.models import AbuseReport, Account, ApiKey, Takedown
from bananarouter import staff_audit
from logs.models import RequestLog

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Takedown]
    LogBase = admin.ModelAdmin[LogEntry]
else:
    Base = LogBase = admin.ModelAdmin

Decision = Takedown.Decision
_LAST_FOUR = re.compile(r"[0-9A-Za-z]{4}")
REASON = forms.CharField(
    max_length=takedowns.REASON_CHARS_MAX,
    widget=forms.Textarea(attrs={"rows": 3}),
    help_text="The account reads it. Do not name who reported.",
)


class Verdict(forms.Form):
    """What becomes of a report."""

    decision = forms.ChoiceField(choices=Decision.choices, widget=forms.RadioSelect)
    target = forms.CharField(
        required=False,
        max_length=60,
        label="About",
        help_text="A request's id, an account's public id, or the last four characters of a key.",
    )
    reason = REASON


class Lifting(forms.Form):
    """Why a decision ends."""

    reason = REASON


def find(text: str) -> takedowns.Target:
    """Find whom a request's id, an account's id or a key's last four mean. Raises: Refused."""
    text = text.strip()
    if not text:
        return takedowns.Target()
    if _LAST_FOUR.fullmatch(text):
        return _by_last_four(text)
    try:
        number = uuid.UUID(text)
    except ValueError as error:
        raise Refused("This is neither an id nor the last four characters of a key.") from error
    account = Account.objects.filter(public_id=number).first()
    if account is not None:
        return takedowns.Target(account=account)
    row = RequestLog.objects.filter(request_id=number).first()
    if row is None or row.account_id is None:
        raise Refused("No request and no account has this id; requests are kept 30 days.")
    keys = ApiKey.objects.filter(pk__in=[row.api_key_id] if row.api_key_id else [])
    key = keys.select_related("account").first()
    return takedowns.Target(account=Account.objects.get(pk=row.account_id), api_key=key)


def _by_last_four(text: str) -> takedowns.Target:
    keys = list(ApiKey.objects.filter(last_four=text).select_related("account")[:2])
    if len(keys) != 1:
        raise Refused("No key ends so." if not keys else "Several keys end so: name a request.")
    return takedowns.Target(account=keys[0].account, api_key=keys[0])


@admin.register(AbuseReport)
class AbuseReportAdmin(Decisions):
    """Reports of abuse; those that wait for a decision come first, by due date."""

    is_noted = False
    list_display = ("due_at", "subject", "state", "decided", "email", "created_at")
    list_display_links = ("due_at", "subject")
    list_filter = (
        ("takedown", admin.EmptyFieldListFilter), Overdue, "takedown__decision", "created_at",
    )  # fmt: skip
    search_fields = ("=public_id", "email", "subject", "=request_id")
    list_select_related = ("takedown",)
    ordering = [Case(When(state=contact.State.OPEN, then=0), default=1), "due_at"]
    fields = readonly_fields = (
        "public_id", "subject", "state", "request_id", "email", "created_at", "due_at", "decided",
    )  # fmt: skip
    inlines = (Messages,)

    @admin.display(description="decision")
    def decided(self, row: AbuseReport) -> str:
        found = getattr(row, "takedown", None)
        if found is None:
            return "-"
        return f"{found} (lifted)" if found.lifted_at else f"{found}: {found.reason}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AbuseReport]:
        rows: QuerySet[AbuseReport] = super().get_queryset(request)
        return rows.filter(kind=contact.Kind.ABUSE)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return request.user.has_perm(PERMISSION)

    def tools(self, request: HttpRequest, row: AbuseReport) -> list[Tool]:  # noqa: ARG002
        found = getattr(row, "takedown", None)
        if found is None:
            return [Tool(slug="decide", name="Decide", form=Verdict, use=self._decide)]
        if found.lifted_at is None and found.decision != Decision.NONE:
            return [Tool(slug="lift", name="Lift", form=Lifting, use=self._lift)]
        return []

    def facts(self, row: AbuseReport) -> list[tuple[str, str]]:
        return [
            ("Reported", row.subject),
            ("Request", str(row.request_id or "-")),
            ("Due", f"{row.due_at:%Y-%m-%d}"),
            ("Decision", self.decided(row)),
        ]

    def _decide(self, request: HttpRequest, row: AbuseReport, said: dict[str, Any]) -> None:
        target = find(said["target"] or str(row.request_id or ""))
        try:
            takedowns.decide(
                row, decision=said["decision"], target=target, reason=said["reason"],
                by=staff(request), now=timezone.now(),
            )  # fmt: skip
        except takedowns.AlreadyDecided as error:
            raise Refused("Somebody has decided it in the meantime.") from error
        except takedowns.NoTarget as error:
            raise Refused("Say which account, or which key, this is about.") from error
        self.message_user(request, "Decided; the account is told.", messages.SUCCESS)

    def _lift(self, request: HttpRequest, row: AbuseReport, said: dict[str, Any]) -> None:
        try:
            takedowns.lift(
                row.takedown, by=staff(request), reason=said["reason"], now=timezone.now()
            )
        except takedowns.NotInForce as error:
            raise Refused("It was lifted before.") from error


@admin.register(LogEntry)
class LogEntryAdmin(Fixed, LogBase):
    """What staff changed and read, latest first; rows by number, people by no name."""

    list_display = ("action_time", "user", "did", "content_type", "object_id", "change_message")
    list_filter = ("action_time", "action_flag", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("=user__username", "=object_id")
    search_help_text = "The username of one of the staff, or a row's number"
    ordering = ("-pk",)
    exclude = ("object_repr",)
    show_full_result_count = False

    @admin.display(description="did", ordering="action_flag")
    def did(self, row: LogEntry) -> str:
        return staff_audit.WORDS.get(row.action_flag, "")


@admin.register(Takedown)
class TakedownAdmin(Fixed, Base):
    """Decisions, latest first."""

    list_display = ("decided_at", "decision", "account", "api_key", "reason", "decided_by",
                    "lifted_at")  # fmt: skip
    list_filter = ("decision", ("lifted_at", admin.EmptyFieldListFilter), "decided_at")
    list_select_related = ("account", "api_key", "decided_by")
    search_fields = ("account__name", "=account__public_id", "=api_key__last_four")
    ordering = ("-pk",)
