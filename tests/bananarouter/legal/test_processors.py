"""The list of sub-processors names who is set up, and nobody else."""

import pytest
from django.test import Client
from django.urls import reverse

from bananarouter.pages.legal import processors
from routing.models import Channel
from routing.vendor_files import TRAINS

pytestmark = pytest.mark.django_db


def channel(vendor, jurisdiction, *, name="", is_enabled=True):
    return Channel.objects.create(
        name=name or f"{vendor} {jurisdiction}", vendor=vendor, protocol="openai-chat",
        base_url="https://example.com", jurisdiction=jurisdiction, is_enabled=is_enabled,
    )  # fmt: skip


def page(language="en"):
    return Client().get(reverse("subprocessors"), headers={"accept-language": language})


def test_every_word_on_training_is_said():
    assert set(processors.TRAINS) == TRAINS


def test_names_vendors_of_enabled_channels_only(django_assert_num_queries):
    channel("openai", "US")
    channel("openai", "US", name="second")
    channel("openai", "EU")
    channel("deepseek", "CN")
    channel("anthropic", "US", is_enabled=False)
    with django_assert_num_queries(1):
        found = processors.vendors()
    assert [(v.name, v.jurisdictions) for v in found] == [
        ("DeepSeek", ["CN"]), ("OpenAI", ["EU", "US"])
    ]  # fmt: skip
    shown = page().content.decode()
    assert "https://openai.com/policies/privacy-policy/" in shown
    assert "Anthropic" not in shown
    assert "[mem]" not in shown


def test_a_vendor_without_a_file_is_not_passed_over():
    channel("acme", "FR")
    (vendor,) = processors.vendors()
    assert (vendor.name, vendor.jurisdictions, vendor.retention) == ("acme", ["FR"], "")
    assert vendor.reviewed_on is None
    assert "Does not say clearly" in page().content.decode()


def test_our_own_server_is_said_to_be_one():
    channel("demo", "operator")
    (vendor,) = processors.vendors()
    assert vendor.is_own
    assert "where this site runs" in page().content.decode()


def test_an_installation_that_uses_nobody_says_so(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert processors.providers() == []
    shown = page().content.decode()
    for words in ("No vendor is connected", "No other service", "has not named a hosting"):
        assert words in shown


def test_names_host_mail_text_messages_and_log_ins(settings):
    settings.HOSTING_PROVIDER = "Example Hosting GmbH (DE)"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "smtp.example.net"
    settings.SMS_BACKEND = "accounts.sms_backends.Twilio"
    settings.SOCIALACCOUNT_PROVIDERS = {"github": {"APPS": [{"client_id": "x"}]}, "google": {}}
    names = [provider.name for provider in processors.providers()]
    assert names == ["Example Hosting GmbH (DE)", "smtp.example.net", "Twilio", "GitHub"]
    for language in ("en", "zh-hans"):
        shown = page(language).content.decode()
        assert all(name in shown for name in names)
        assert "Google" not in shown
