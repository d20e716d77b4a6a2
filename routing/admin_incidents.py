"""Staff publish an incident and its end; those who used the models are told within a minute."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_fixed import Fixed
from routing import announcements
from routing.models import Incident, IncidentUpdate, Model

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Incident]
    UpdateBase = admin.ModelAdmin[IncidentUpdate]
    InlineBase = admin.TabularInline[IncidentUpdate, Incident]
    FormBase = forms.ModelForm[Incident]
    UpdateFormBase = forms.ModelForm[IncidentUpdate]
else:
    Base = UpdateBase = admin.ModelAdmin
    InlineBase = admin.TabularInline
    FormBase = UpdateFormBase = forms.ModelForm


class IncidentForm(FormBase):
    """An incident; the models are named one in a line."""

    slugs = forms.CharField(
        label="Affected models",
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        help_text="Canonical names, one in a line: openai/gpt-5.",
    )

    class Meta:
        model = Incident
        fields = ["title_en", "title_zh", "slugs", "began_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["slugs"] = "\n".join(self.instance.slugs or [])

    def clean_slugs(self) -> list[str]:
        """Return the names. Raises: ValidationError for one that is no model's."""
        wanted = sorted(set(str(self.cleaned_data["slugs"]).split()))
        known = set(Model.objects.filter(slug__in=wanted).values_list("slug", flat=True))
        if unknown := [slug for slug in wanted if slug not in known]:
            raise forms.ValidationError(f"No such model: {', '.join(unknown)[:200]}")
        return wanted


class Updates(Fixed, InlineBase):
    """What was said of it so far."""

    model = IncidentUpdate
    fields = readonly_fields = ("written_at", "text_en", "text_zh")
    ordering = ("-written_at",)
    extra = 0


@admin.register(Incident)
class IncidentAdmin(Base):
    """Incidents, latest first. Published ones are not rewritten: people have read them."""

    form = IncidentForm
    list_display = [
        "title_en", "began_at", "published_at", "told_at", "resolved_at", "resolution_told_at",
    ]  # fmt: skip
    list_filter = [
        ("published_at", admin.EmptyFieldListFilter), ("resolved_at", admin.EmptyFieldListFilter),
    ]  # fmt: skip
    search_fields = ["title_en", "title_zh"]
    ordering = ["-pk"]
    actions = ["publish", "resolve"]
    readonly_fields = [
        "published_at", "told_at", "resolved_at", "resolution_told_at", "reached", "more",
    ]  # fmt: skip
    inlines = [Updates]

    def has_change_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        is_fixed = obj is not None and obj.published_at is not None
        return not is_fixed and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        is_fixed = obj is None or obj.published_at is not None
        return not is_fixed and super().has_delete_permission(request, obj)

    @admin.display(description="accounts that are told")
    def reached(self, incident: Incident) -> int:
        """Count whom it would reach now."""
        return announcements.readers(incident.slugs, now=timezone.now())

    @admin.display(description="say more")
    def more(self, incident: Incident) -> SafeString | str:
        """Lead to the form of an update."""
        if incident.published_at is None:
            return "after it is published"
        url = reverse("admin:routing_incidentupdate_add")
        return format_html('<a href="{}?incident={}">write an update</a>', url, incident.pk)

    @admin.action(description="Publish: tell those who used the models", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        self._note(request, queryset.filter(published_at=None), "published_at", "Published")

    @admin.action(description="Resolve: tell them that it is over", permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        rows = queryset.filter(published_at__isnull=False, resolved_at=None)
        self._note(request, rows, "resolved_at", "Resolved")

    def _note(self, request: HttpRequest, rows: QuerySet[Incident], field: str, word: str) -> None:
        found = list(rows)
        for incident in found:
            Incident.objects.filter(pk=incident.pk, **{field: None}).update(
                **{field: timezone.now()}
            )
            self.log_change(request, incident, f"{word}.")
        messages.success(request, f"{word} {len(found)}; they are told within a minute.")


class UpdateForm(UpdateFormBase):
    """What is known by now, in both languages."""

    class Meta:
        model = IncidentUpdate
        fields = ["incident", "text_en", "text_zh"]
        widgets = {name: forms.Textarea(attrs={"rows": 4, "cols": 60}) for name in fields[1:]}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "incident" in self.fields:
            published = Incident.objects.filter(published_at__isnull=False).order_by("-pk")
            self.fields["incident"].queryset = published  # type: ignore[attr-defined]


@admin.register(IncidentUpdate)
class IncidentUpdateAdmin(UpdateBase):
    """Updates, the latest first: on the status page at once, so they are not rewritten."""

    form = UpdateForm
    list_display = ["written_at", "incident", "text_en"]
    list_select_related = ["incident"]
    ordering = ["-pk"]
    readonly_fields = ["written_at"]

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002  Django's signature
        obj: IncidentUpdate | None = None,  # noqa: ARG002
    ) -> bool:
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: IncidentUpdate | None = None,  # noqa: ARG002
    ) -> bool:
        return False
