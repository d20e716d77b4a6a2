"""Sub-processors: who works with data for us on this installation, read from what is configured."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bananarouter.pages.words import Words
from billing.processors import registry
from routing import vendor_files
from routing.models import Channel

TRAINS: dict[str, Words] = {
    "no": _("Says that it does not train on API data."),
    "opt-in": _("Says that it trains on API data only if a customer asks for it."),
    "opt-out": _("Trains on API data unless a customer objects."),
    "yes": _("Trains on API data."),
    "unknown": _("Does not say clearly whether it trains on API data."),
    "operator": _("A server of the operator of this site."),
}
# Mail that never leaves the machine has no processor.
LOCAL_MAIL = ("console", "filebased", "locmem", "dummy")
SMS = {
    "twilio": ("Twilio", "https://www.twilio.com/en-us/legal/privacy"),
    "aliyun": ("Alibaba Cloud", "https://www.alibabacloud.com/help/en/legal/latest/privacy-policy"),
}
LOG_INS = {
    "github": (
        "GitHub",
        "https://docs.github.com/en/site-policy/privacy-policies/github-general-privacy-statement",
    ),
    "google": ("Google", "https://policies.google.com/privacy"),
}

PAYMENTS = {
    "stripe": ("Stripe", "https://stripe.com/privacy"),
    "alipay": ("Alipay", ""),
    "wechatpay": ("WeChat Pay", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor of models that requests may reach."""

    name: str
    jurisdictions: Sequence[str]
    trains: Words
    retention: str
    privacy_url: str
    terms_url: str
    reviewed_on: dt.date | None
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Somebody who provides a service to us; gets no content of API calls."""

    name: str
    service: Words
    data: Words
    url: str = ""


def vendors() -> list[Vendor]:
    """Return the vendors of all enabled channels, by name. One query."""
    places: dict[str, set[str]] = {}
    rows = Channel.objects.filter(is_enabled=True).values_list("vendor", "jurisdiction")
    for slug, jurisdiction in rows.distinct():
        places.setdefault(slug, set()).add(jurisdiction)
    found = [_vendor(vendor_files.get(slug), sorted(where)) for slug, where in places.items()]
    return sorted(found, key=lambda vendor: (vendor.is_own, vendor.name.lower()))


def _vendor(vendor: vendor_files.Vendor, jurisdictions: Sequence[str]) -> Vendor:
    is_own = "operator" in jurisdictions
    return Vendor(
        name=vendor.name,
        jurisdictions=[place for place in jurisdictions if place != "operator"],
        trains=TRAINS[vendor.trains],
        # [mem]: the file's own mark of what nobody has verified yet.
        retention=""
        if vendor.retention == "unknown"
        else vendor.retention.replace(" [mem]", " (?)"),
        privacy_url=_link(vendor.privacy_url),
        terms_url=_link(vendor.terms_url),
        # Nobody has read the pages of a vendor that no file tells of.
        reviewed_on=vendor.reviewed_on if vendor_files.known(vendor.slug) else None,
        is_own=is_own,
    )


def _link(stated: str) -> str:
    return "" if stated in vendor_files.STATED else stated


def providers() -> list[Provider]:
    """Return the other providers that the settings name."""
    found = []
    if settings.HOSTING_PROVIDER:
        found.append(
            Provider(
                name=settings.HOSTING_PROVIDER,
                service=_("Servers, database and network"),
                data=_("All that this site stores; content of calls passes through memory"),
            )
        )
    if not any(f".{word}." in settings.EMAIL_BACKEND for word in LOCAL_MAIL):
        found.append(
            Provider(
                name=settings.EMAIL_HOST,
                service=_("Sends our mail"),
                data=_("Your address and the text of the mail"),
            )
        )
    return [*found, *payment_processors(), *_text_messages(), *_log_ins()]


def payment_processors() -> list[Provider]:
    """Return who takes payments here; the sandbox is nobody."""
    if settings.PAYMENTS.is_sandbox:
        return []
    return [
        Provider(
            name=PAYMENTS[name][0],
            url=PAYMENTS[name][1],
            service=_("Takes payments"),
            data=_(
                "What you enter on its pages; from us the order number, the amount and currency"
            ),
        )
        for name in registry.offered()
    ]


def _text_messages() -> list[Provider]:
    backend = str(getattr(settings, "SMS_BACKEND", "")).lower()
    return [
        Provider(
            name=name,
            url=url,
            service=_("Sends text messages"),
            data=_("Your phone number and the text of the message"),
        )
        for word, (name, url) in SMS.items()
        if word in backend
    ]


def _log_ins() -> list[Provider]:
    apps = getattr(settings, "SOCIALACCOUNT_PROVIDERS", {})
    return [
        Provider(
            name=name,
            url=url,
            service=_("Log-in, if you choose it"),
            data=_("That you log in here; it tells us your name and address"),
        )
        for provider, (name, url) in LOG_INS.items()
        if apps.get(provider, {}).get("APPS")
    ]
