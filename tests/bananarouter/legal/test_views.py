"""The foot of each page, and where security reports go."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

pytestmark = pytest.mark.django_db
LINKS = ["privacy", "terms", "acceptable_use", "subprocessors", "contact", "report_abuse", "trust"]


def test_the_foot_of_a_page_leads_to_all_of_it():
    page = Client().get(reverse("home")).content.decode()
    for name in LINKS:
        assert f'href="{reverse(name)}"' in page


def test_no_filing_number_is_invented():
    page = Client().get(reverse("home")).content.decode()
    assert "beian" not in page
    assert 'class="filings"' not in page


def test_filing_numbers_lead_to_their_authorities(settings):
    settings.ICP_NUMBER = "沪ICP备2026000001号-1"
    settings.PUBLIC_SECURITY_NUMBER = "沪公网安备31010602000001号"
    settings.GENERATIVE_AI_NUMBER = "Shanghai-Example-202611260001"
    page = Client().get(reverse("home")).content.decode()
    assert (
        'href="https://beian.miit.gov.cn/" rel="noopener noreferrer">沪ICP备2026000001号-1<' in page
    )
    assert "https://beian.mps.gov.cn/#/query/webSearch?code=31010602000001" in page
    assert "<span>Shanghai-Example-202611260001</span>" in page


def test_security_txt_says_whom_to_tell_and_until_when(settings):
    settings.PUBLIC_URL = "https://api.example.com"
    settings.CONTACT_EMAIL = "desk@example.com"
    response = Client().get("/.well-known/security.txt")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    fields = [line.split(": ", 1) for line in response.content.decode().splitlines()]
    told = dict(reversed(fields))
    assert told["Contact"] == "https://api.example.com/contact?kind=security"
    assert ["Contact", "mailto:desk@example.com"] in fields
    expires = dt.datetime.fromisoformat(told["Expires"])
    # RFC 9116: less than a year ahead.
    assert dt.timedelta(days=150) < expires - timezone.now() < dt.timedelta(days=365)
