"""Staff's desk for what people ask: by due date, to be answered and closed, never rewritten."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import contact, contact_mail
from accounts.admin_exports import StartsExports
from accounts.admin_fixed import Fixed, Unlinked
from accounts.models import ContactMessage, ContactRequest, User

if TYPE_CHECKING:  # generic for the type checker only
    RequestBase = admin.ModelAdmin[ContactRequest]
    MessagesBase = admin.StackedInline[ContactMessage, ContactRequest]
else:
    RequestBase = admin.ModelAdmin
    MessagesBase = admin.StackedInline

PERMISSION = "accounts.change_contactrequest"


class Messages(Fixed, MessagesBase):
    """What was said, oldest first."""

    model = ContactMessage
    fields = ["created_at", "is_from_staff", "author", "text"]
    readonly_fields = ("created_at", "is_from_staff", "author", "text")
    ordering = ["pk"]
    extra = 0


class Overdue(admin.SimpleListFilter):
    """By whether the due date has passed."""

    title = "overdue"
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("yes", "yes"), ("no", "no")]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[ContactRequest],
    ) -> QuerySet[ContactRequest]:
        late = {"state": contact.State.OPEN, "due_at__lt": timezone.now()}
        match self.value():
            case "yes":
                return queryset.filter(**late)
            case "no":
                return queryset.exclude(**late)
            case _:
                return queryset


class Answer(forms.Form):
    """What staff write to the sender."""

    text = forms.CharField(
        label="Answer",
        max_length=contact.TEXT_CHARS_MAX,
        help_text="Mailed to the sender, in your words; the link to the request's page is added.",
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}),
    )
    close = forms.BooleanField(label="Close the request with it", required=False)


@admin.register(ContactRequest)
class ContactRequestAdmin(Fixed, StartsExports, Unlinked, RequestBase):
    """Requests; those that wait for us come first, by due date; so the overdue ones lead."""

    change_form_template = "admin/contact_request.html"
    list_display = ["due", "kind", "subject", "state", "is_proven", "email", "source", "created_at"]
    list_display_links = ["due", "subject"]
    list_filter = ["state", Overdue, "kind", "source", ("proven_at", admin.EmptyFieldListFilter)]
    search_fields = ["=public_id", "email"]
    search_help_text = "A request's number, or a part of the sender's address"
    ordering = [Case(When(state=contact.State.OPEN, then=0), default=1), "due_at"]
    readonly_fields = (
        "public_id", "kind", "state", "subject", "email", "sender_name", "language", "user",
        "account", "request_id", "source", "created_at", "due", "proven_at", "closed_at",
    )  # fmt: skip
    fields = readonly_fields
    inlines = [Messages]
    actions = ["close", "start_export", "as_access", "as_correction", "as_deletion"]

    @admin.display(description="due", ordering="due_at")
    def due(self, row: ContactRequest) -> SafeString | str:
        day = f"{row.due_at:%Y-%m-%d}"
        if row.state != contact.State.OPEN or row.due_at >= timezone.now():
            return day
        return format_html('{} <strong class="overdue">overdue</strong>', day)

    @admin.display(description="account proven", boolean=True, ordering="proven_at")
    def is_proven(self, row: ContactRequest) -> bool | None:
        return row.proven_at is not None if row.kind in contact.RIGHTS else None

    def get_urls(self) -> list[URLPattern]:
        answer = path(
            "<int:pk>/answer/",
            self.admin_site.admin_view(self.answer),
            name="accounts_contactrequest_answer",
        )
        return [answer, *super().get_urls()]

    def answer(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the form of an answer; send it."""
        if not request.user.has_perm(PERMISSION) or not isinstance(request.user, User):
            raise PermissionDenied
        asked = ContactRequest.objects.filter(pk=pk).first()
        if asked is None:
            raise Http404
        form = Answer(request.POST or None)
        if form.is_valid():
            return self._send(request, asked, form)
        context = {
            **self.admin_site.each_context(request),
            "title": "Answer",
            "form": form,
            "asked": asked,
            "said": asked.messages.order_by("pk"),
            "opts": self.model._meta,
            "needs_proof": asked.kind in contact.RIGHTS and asked.proven_at is None,
        }
        return TemplateResponse(request, "admin/contact_answer.html", context)

    def _send(self, request: HttpRequest, asked: ContactRequest, form: Answer) -> HttpResponse:
        text, now = form.cleaned_data["text"], timezone.now()
        back = reverse("admin:accounts_contactrequest_change", args=[asked.pk])
        try:
            contact.answer(asked, text=text, author=self._staff(request), now=now)
        except contact.RequestClosed:
            self.message_user(request, "It was closed before your answer.", messages.ERROR)
            return HttpResponseRedirect(back)
        contact_mail.send_answer(asked, text)
        if form.cleaned_data["close"]:
            contact.close(asked, now=now)
        self.message_user(request, f"Sent to {asked.email}.", messages.SUCCESS)
        return HttpResponseRedirect(back)

    @staticmethod
    def _staff(request: HttpRequest) -> User:
        if not isinstance(request.user, User):  # answer() lets nobody else through
            raise PermissionDenied
        return request.user

    def has_answer_permission(self, request: HttpRequest) -> bool:
        """Tell who may use the actions (Django asks by this name)."""
        return request.user.has_perm(PERMISSION)

    @admin.action(description="Close", permissions=["answer"])
    def close(self, request: HttpRequest, queryset: QuerySet[ContactRequest]) -> None:
        now: dt.datetime = timezone.now()
        count = sum(contact.close(row, now=now) for row in queryset)
        self.message_user(request, f"Closed {count} requests.", messages.SUCCESS)

    @admin.action(description="File as access to data; ask for proof", permissions=["answer"])
    def as_access(self, request: HttpRequest, queryset: QuerySet[ContactRequest]) -> None:
        self._refile(request, queryset, kind=contact.Kind.ACCESS)

    @admin.action(description="File as correction of data; ask for proof", permissions=["answer"])
    def as_correction(self, request: HttpRequest, queryset: QuerySet[ContactRequest]) -> None:
        self._refile(request, queryset, kind=contact.Kind.CORRECTION)

    @admin.action(description="File as deletion; ask for proof", permissions=["answer"])
    def as_deletion(self, request: HttpRequest, queryset: QuerySet[ContactRequest]) -> None:
        self._refile(request, queryset, kind=contact.Kind.DELETION)

    def _refile(
        self, request: HttpRequest, queryset: QuerySet[ContactRequest], *, kind: str
    ) -> None:
        filed = 0
        for row in queryset:
            try:
                contact.refile(row, kind=kind)
            except (contact.RequestClosed, contact.AlreadyAsked):
                self.message_user(request, f"{row} is closed, or asked twice.", messages.WARNING)
                continue
            contact_mail.ask_proof(row)
            filed += 1
        self.message_user(request, f"Filed {filed} requests as {kind}.", messages.SUCCESS)
