"""Write to the operator, follow what became of it, prove an account, report abuse."""

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.generic import FormView, TemplateView

from accounts import contact, contact_links, contact_mail
from accounts.models import ContactRequest, User
from bananarouter.pages import shell
from bananarouter.pages.contact import limits, words
from bananarouter.pages.contact.forms import Ask, Reply, Report

if TYPE_CHECKING:  # generic for the type checker only
    WriteBase = FormView[Any]
    TrackBase = FormView[Reply]
else:
    WriteBase = TrackBase = FormView

TOO_OFTEN = _(
    "Too many messages came from your network. Wait an hour, or write to us by email instead."
)
OWN_MAX = 10


class Write(WriteBase):
    """A form that opens a request; the answer to a stranger never tells what we know of them."""

    source = ContactRequest.Source.FORM

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        add_never_cache_headers(response)  # each form has an id of its own
        return response

    @property
    def writer(self) -> User | None:
        """The signed-in user."""
        return self.request.user if isinstance(self.request.user, User) else None

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "is_signed_in": self.writer is not None}

    def form_valid(self, form: Any) -> HttpResponse:
        if form.is_robot:
            return redirect("contact_sent")
        if not limits.may(self.request, action="open", per_hour=limits.REQUESTS_PER_HOUR):
            form.add_error(None, TOO_OFTEN)
            return self.render_to_response(self.get_context_data(form=form), status=429)
        writer = self.writer
        opened = contact.open_request(
            source=self.source,
            email=writer.email if writer else form.cleaned_data["email"],
            sender_name=writer.get_full_name() if writer else form.cleaned_data["name"],
            user=writer,
            account=shell.of(self.request).account,
            public_id=form.cleaned_data["form_id"],
            now=timezone.now(),
            **self.matter(form),
        )
        contact_mail.acknowledge(opened)
        # The link of a stranger's request goes to the mailbox alone: it opens the answers, too.
        if writer and opened.user_id == writer.pk:
            messages.success(self.request, _("Your message is with us."))
            return redirect("contact_track", word=contact_links.track(opened))
        return redirect("contact_sent")

    def matter(self, form: Any) -> Any:
        """Return kind, subject, text and what else this form is about."""
        raise NotImplementedError


class Contact(Write):
    """Write to us."""

    template_name = "contact/contact.html"
    form_class = Ask

    def get_initial(self) -> dict[str, Any]:
        return {"kind": self.request.GET.get("kind", "")}

    def matter(self, form: Any) -> Any:
        message = form.cleaned_data["message"]
        return {
            "kind": form.cleaned_data["kind"],
            "subject": message.strip().split("\n")[0][: contact.SUBJECT_CHARS_MAX],
            "text": message,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        due = [(words.KINDS[kind], contact.DUE[kind]) for kind in words.ASKED]
        return super().get_context_data(
            due=due, own=_own(self.writer), contact_email=settings.CONTACT_EMAIL, **kwargs
        )


class ReportAbuse(Write):
    """Tell us of abuse."""

    template_name = "contact/report_abuse.html"
    form_class = Report

    def matter(self, form: Any) -> Any:
        return {
            "kind": words.Kind.ABUSE,
            "subject": form.cleaned_data["reference"],
            "text": form.cleaned_data["message"],
            "request_id": form.request_id,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(due_days=contact.DUE[words.Kind.ABUSE], **kwargs)


def _own(user: User | None) -> list[dict[str, Any]]:
    """Return a user's latest requests with the words of their pages."""
    if user is None:
        return []
    rows = ContactRequest.objects.filter(user=user).order_by("-pk")[:OWN_MAX]
    return [{"request": row, "word": contact_links.track(row), **_told(row)} for row in rows]


def _told(request: ContactRequest) -> dict[str, Any]:
    is_open = request.state == words.State.OPEN
    return {
        "kind": words.KINDS[request.kind],
        "state": words.STATES[request.state],
        "badge": words.BADGES[words.State(request.state)],
        "is_overdue": is_open and request.due_at < timezone.now(),
    }


class Sent(TemplateView):
    """The same for everybody: look into your mail."""

    template_name = "contact/sent.html"


class Tracked(View):
    """What belongs to the request that a signed word names."""

    @cached_property
    def tracked(self) -> ContactRequest:
        """The request. Raises: Http404 for a forged word."""
        found = contact_links.tracked(self.kwargs["word"])
        if found is None:
            raise Http404
        return found

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        add_never_cache_headers(response)
        response["X-Robots-Tag"] = "noindex"
        return response

    def back(self) -> HttpResponseRedirect:
        """Lead to the request's page."""
        return HttpResponseRedirect(reverse("contact_track", args=[self.kwargs["word"]]))


class Track(Tracked, TrackBase):
    """A request's page: its state, what was said, and room for more."""

    template_name = "contact/track.html"
    form_class = Reply

    def form_valid(self, form: Reply) -> HttpResponse:
        form_id = form.cleaned_data["form_id"]
        if form.is_robot:
            return self.back()
        if not limits.may(self.request, action="reply", per_hour=limits.REPLIES_PER_HOUR):
            return self._refuse(form, TOO_OFTEN)
        try:
            contact.add_message(
                self.tracked,
                text=form.cleaned_data["message"],
                author=self.request.user if isinstance(self.request.user, User) else None,
                mail_id=f"form:{self.tracked.pk}:{form_id}" if form_id else None,
                now=timezone.now(),
            )
        except contact.RequestClosed:
            return self._refuse(form, _("This request is closed. Write to us anew."))
        except contact.TooMuch:
            return self._refuse(form, _("This conversation has become too long. Start a new one."))
        messages.success(self.request, _("Added."))
        return self.back()

    def _refuse(self, form: Reply, why: Any) -> HttpResponse:
        form.add_error(None, why)
        return self.form_invalid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request = self.tracked
        is_mine = request.user_id in {None, self.request.user.pk}
        return super().get_context_data(
            tracked=request,
            word=self.kwargs["word"],
            said=list(request.messages.order_by("pk")),
            is_closed=request.state == words.State.CLOSED,
            wants_proof=request.kind in contact.RIGHTS and request.proven_at is None,
            may_prove=self.request.user.is_authenticated and is_mine,
            **_told(request),
            **kwargs,
        )


class Withdraw(Tracked):
    """Take a request back."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_words: Any) -> HttpResponse:
        if contact.withdraw(self.tracked, now=timezone.now()):
            messages.success(request, _("Your request is closed."))
        return self.back()


@method_decorator(reauthentication_required, name="post")
class Prove(LoginRequiredMixin, Tracked):
    """Prove by logging in anew that the account is yours."""

    http_method_names = ["post"]

    def handle_no_permission(self) -> HttpResponseRedirect:
        return redirect_to_login(self.back().url)

    def post(self, request: HttpRequest, **_words: Any) -> HttpResponse:
        user = request.user
        if not isinstance(user, User) or self.tracked.user_id not in {None, user.pk}:
            raise Http404
        return _record_proof(request, self.tracked, user)


class Confirm(TemplateView):
    """Prove by a mailed link that the account is yours; opening the link alone does nothing."""

    template_name = "contact/confirm.html"

    @cached_property
    def found(self) -> tuple[ContactRequest, User]:
        """Request and user. Raises: Http404 for a forged or old link."""
        found = contact_links.proven(self.kwargs["proof"])
        if found is None:
            raise Http404
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request, user = self.found
        return super().get_context_data(tracked=request, holder=user, **_told(request), **kwargs)

    def post(self, request: HttpRequest, **_words: Any) -> HttpResponse:
        return _record_proof(request, *self.found)


def _record_proof(request: HttpRequest, tracked: ContactRequest, user: User) -> HttpResponse:
    try:
        stands = contact.prove(tracked, user=user, now=timezone.now())
    except contact.RequestClosed:
        stands = tracked
        messages.warning(request, _("This request is closed. Write to us anew."))
    else:
        messages.success(request, _("Thank you: we know that the account is yours."))
    return redirect("contact_track", word=contact_links.track(stands))
