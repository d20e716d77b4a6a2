"""Staff publish an incident and its end; those who used the models are told within a minute."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from routing import announcements
from routing.models import Incident, Model

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Incident]
    FormBase = forms.ModelForm[Incident]
else:
    Base = admin.ModelAdmin
    FormBase = forms.ModelForm


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
    readonly_fields = ["published_at", "told_at", "resolved_at", "resolution_told_at", "reached"]

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
