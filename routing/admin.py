"""Staff's view of channels, models and endpoints. A credential goes in and never comes out."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import changes
from accounts.models import Change
from billing import rates
from billing.money import decimal_usd
from billing.pricing import STANDARD, MissingRate
from billing.usage import UnitClass
from routing import (
    admin_incidents,
    channel_import,
    channel_probe,
    credentials,
    import_file,
    vendor_files,
)
from routing.channel_probe import Verdict
from routing.models import Channel, Endpoint, Model, ModelAlias

# Django finds the staff site's pages in this module alone.
__all__ = ["admin_incidents"]

if TYPE_CHECKING:  # generic for the type checker only
    ChannelBase = admin.ModelAdmin[Channel]
    ModelBase = admin.ModelAdmin[Model]
    AliasBase = admin.ModelAdmin[ModelAlias]
    EndpointBase = admin.ModelAdmin[Endpoint]
    AliasesBase = admin.TabularInline[ModelAlias, Model]
    ChannelFormBase = forms.ModelForm[Channel]
else:
    ChannelBase = ModelBase = AliasBase = EndpointBase = admin.ModelAdmin
    AliasesBase = admin.TabularInline
    ChannelFormBase = forms.ModelForm

MODELS_PER_FORM_MAX = 1_000
PROBES_MAX = 20
TOLD = {
    Verdict.WORKS: (messages.SUCCESS, "{name}: works, {models} models listed."),
    Verdict.REFUSED: (messages.ERROR, "{name}: answered {status} and refused the credential."),
    Verdict.UNPROVEN: (
        messages.WARNING,
        "{name}: answered {status} but lists no models, so the credential is not proven.",
    ),
    Verdict.SILENT: (messages.ERROR, "{name}: no usable answer within the deadline."),
    Verdict.LOCKED: (messages.ERROR, "{name}: the stored credential does not open."),
}


def _announce() -> None:
    changes.announce(Change.Topic.CATALOGUE)


class _Announced:
    """Tells every worker of what is saved or deleted here, in the same transaction."""

    @transaction.atomic
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        _announce()

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)  # type: ignore[misc]
        _announce()

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        super().delete_queryset(request, queryset)  # type: ignore[misc]
        _announce()

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, is_enabled=True)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, is_enabled=False)

    @transaction.atomic
    def _switch(self, request: HttpRequest, queryset: QuerySet[Any], *, is_enabled: bool) -> None:
        ids = list(queryset.exclude(is_enabled=is_enabled).values_list("pk", flat=True))
        count = queryset.model.objects.filter(pk__in=ids).update(is_enabled=is_enabled)
        if count:
            _announce()
        word = "Enabled" if is_enabled else "Disabled"
        messages.success(request, f"{word} {count}.")


TO_FILL_IN = ("api_key", "new_models")


class ChannelForm(ChannelFormBase):
    """A channel as the import reads it: the same rules, the same errors."""

    vendor = forms.ChoiceField()
    api_key = forms.CharField(
        label="Credential",
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Written once and never shown; empty keeps what is stored.",
    )
    new_models = forms.CharField(
        label="Add models",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        help_text="The vendor's names, one in a line. Prices come from the price source.",
    )

    class Meta:
        model = Channel
        fields = [
            "name", "vendor", "protocol", "base_url", "jurisdiction", "priority",
            "on_disconnect", "is_enabled",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = {slug: vendor.name for slug, vendor in vendor_files.all_vendors().items()}
        if self.instance.pk:
            slugs.setdefault(self.instance.vendor, f"{self.instance.vendor} (no vendor file)")
        if "vendor" in self.fields:
            choices = [(slug, f"{name} ({slug})") for slug, name in slugs.items()]
            self.fields["vendor"].choices = choices  # type: ignore[attr-defined]

    def clean_api_key(self) -> str:
        secret = str(self.cleaned_data["api_key"]).strip()
        try:
            if secret:
                credentials.seal(secret, channel_id=0)  # only tries: the row may have no id yet
        except credentials.CredentialError as error:
            raise forms.ValidationError(str(error)) from error
        return secret

    def clean_new_models(self) -> list[str]:
        lines = str(self.cleaned_data["new_models"]).splitlines()
        names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        if len(names) > MODELS_PER_FORM_MAX:
            raise forms.ValidationError("Use import_channels for so many.")
        return names

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors:
            try:
                self.entry()
            except import_file.ImportRefused as error:
                field = error.place.rpartition(".")[2]
                raise forms.ValidationError(
                    {field if field in self.fields else "new_models": error.reason}
                ) from error
        return cleaned

    def entry(self) -> import_file.ChannelEntry:
        """Return what the form says. Raises: ImportRefused."""
        data = self.cleaned_data
        document = {
            "name": data.get("name", self.instance.name),
            "vendor": data["vendor"],
            "protocol": data["protocol"],
            "base_url": data["base_url"],
            "api_key": data["api_key"] or None,
            "jurisdiction": data["jurisdiction"],
            "priority": data["priority"],
            "on_disconnect": data["on_disconnect"],
            "models": data["new_models"],
        }
        [entry] = import_file.read({"channels": [document]})
        return entry


@admin.register(Channel)
class ChannelAdmin(_Announced, ChannelBase):
    """Ways to vendors: add one, test it, switch it off."""

    form = ChannelForm
    list_display = [
        "name", "vendor", "protocol", "jurisdiction", "priority", "on_disconnect",
        "is_enabled", "is_demo", "key", "endpoint_count",
    ]  # fmt: skip
    list_filter = ["is_enabled", "is_demo", "protocol", "jurisdiction", "vendor"]
    search_fields = ["name", "vendor", "base_url"]
    search_help_text = "A name, a vendor or a base URL"
    ordering = ["priority", "name"]
    actions = ["test", "enable", "disable"]
    readonly_fields = ["key", "is_demo", "created_at"]
    fields = [*ChannelForm.Meta.fields, *TO_FILL_IN, *readonly_fields]

    def get_fields(self, request: HttpRequest, obj: Channel | None = None) -> list[Any]:
        fields = super().get_fields(request, obj)
        # To who may only look these say nothing, least of all that there is no credential.
        is_form = self.has_change_permission(request, obj)
        return [name for name in fields if is_form or name not in TO_FILL_IN]

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        # Prices, charges and logs know endpoints by the channel's name.
        return [*fields, "name"] if obj is not None else fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return super().get_queryset(request).annotate(endpoints_counted=Count("endpoints"))

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:  # noqa: ARG002
        return False  # its endpoints are part of what was charged; disable it

    @admin.display(description="credential")
    def key(self, channel: Channel) -> str:
        if not channel.credential:
            return "none"
        return f"…{channel.credential_last_four}" if channel.credential_last_four else "set"

    @admin.display(description="endpoints", ordering="endpoints_counted")
    def endpoint_count(self, channel: Channel) -> int:
        return int(getattr(channel, "endpoints_counted", 0))

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001
        report = channel_import.install([form.entry()])
        for warning in report.warnings:
            messages.warning(request, warning)
        row = Channel.objects.get(name=obj.name)
        if row.is_enabled != obj.is_enabled:
            row.is_enabled = obj.is_enabled
            row.save(update_fields=["is_enabled"])
        obj.pk = row.pk

    @admin.action(description="Test: list the vendor's models", permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        for channel in queryset[:PROBES_MAX]:
            finding = channel_probe.probe(channel)
            level, text = TOLD[finding.verdict]
            told = text.format(name=channel.name, status=finding.status, models=finding.models)
            messages.add_message(request, level, told)


class Aliases(AliasesBase):
    """A model's other names."""

    model = ModelAlias
    extra = 0


@admin.register(Model)
class ModelAdmin(_Announced, ModelBase):
    """Models by canonical name; endpoints and limits come with channels."""

    list_display = [
        "slug", "author", "context_tokens_max", "output_tokens_max", "is_enabled",
        "withdrawn_at", "endpoint_count", "created_at",
    ]  # fmt: skip
    list_filter = ["is_enabled", "created_at", "author"]
    search_fields = ["slug", "aliases__name"]
    search_help_text = "A canonical name or an alias"
    ordering = ["slug"]
    actions = ["enable", "disable"]
    inlines = [Aliases]
    readonly_fields = ["slug", "author", "context_tokens_max", "output_tokens_max", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).annotate(endpoints_counted=Count("endpoints"))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False  # a model exists where a channel has it

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    @admin.display(description="endpoints", ordering="endpoints_counted")
    def endpoint_count(self, model: Model) -> int:
        return int(getattr(model, "endpoints_counted", 0))


@admin.register(ModelAlias)
class ModelAliasAdmin(_Announced, AliasBase):
    """Other names of models."""

    list_display = ["name", "model"]
    list_select_related = ["model"]
    search_fields = ["name", "model__slug"]
    autocomplete_fields = ["model"]
    ordering = ["name"]


@admin.register(Endpoint)
class EndpointAdmin(_Announced, EndpointBase):
    """One model on one channel, with the price in force."""

    list_display = [
        "slug", "channel", "upstream_name", "priced_as", "price", "context_tokens_max",
        "output_tokens_max", "is_enabled",
    ]  # fmt: skip
    list_filter = ["is_enabled", "channel__vendor", "channel__protocol", "channel"]
    list_select_related = ["channel", "model"]
    search_fields = ["slug", "upstream_name", "priced_as"]
    search_help_text = "An endpoint, or the vendor's name of a model"
    ordering = ["slug"]
    actions = ["enable", "disable"]
    readonly_fields = ["slug", "channel", "model", "priced_as", "price"]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False  # added on a channel's page or by import_channels, with its price

    def has_delete_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:  # noqa: ARG002
        return False

    @admin.display(description="input / output, USD a million")
    def price(self, endpoint: Endpoint) -> str:
        try:
            card = rates.card_for(endpoint.slug, at=timezone.now())
        except rates.NoCard:
            return "no price: not served"
        found = []
        for unit_class in (UnitClass.INPUT, UnitClass.OUTPUT):
            try:
                rate = card.rate(unit_class, prompt_tokens=0, service_tier=STANDARD)
            except MissingRate:
                found.append("none")
            else:
                found.append(decimal_usd(rate.nusd_per_unit))
        return " / ".join(found)
