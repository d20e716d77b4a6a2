"""The trust page: what is proved and what is not, and zero where nothing was asked."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import contact, disclosures
from bananarouter import clauses, trust
from tests import factories

pytestmark = pytest.mark.django_db
QUERIES_MAX = 4


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def report(settings, tmp_path):
    """Another report, where the page reads it."""
    settings.BASE_DIR = tmp_path
    trust.path().parent.mkdir()
    broken = trust.Break(
        file="accounts/keys.py", before="<b>before</b>", after="", on="2026-11-26", version="abc"
    )
    proof = trust.Proof(test="tests/test_x.py::test_it_holds", databases=["sqlite"])
    proofs = {
        "2-keys": [trust.Proof(test=proof.test, databases=["sqlite"], breaks=[broken])],
        "4.1-regions": [trust.Proof(test=proof.test, databases=["sqlite"], breaks=[broken])],
        "2-route": [proof],
    }
    made = trust.Report(version="abc", made_at="2026-11-26T22:00:00+00:00", proofs=proofs)
    trust.write(made)
    return trust.read()


def test_each_promise_stands_there_with_its_state(report, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES_MAX):
        response = Client().get(reverse("trust"))
    page = response.content.decode()
    for name, clause in clauses.BY_ID.items():
        assert f'id="{name}"' in page
        assert str(clause.promise) in text_of(response)
    assert report.totals() == {"proved": 1, "partly": 1, "open": len(clauses.BY_ID) - 2}
    assert "Last run on 2026-11-26, at version abc." in text_of(response)
    assert "It waits for: Running it in several regions" in text_of(response)


def test_a_test_that_never_failed_proves_nothing(report):
    assert report.state(clauses.BY_ID["2-route"]) == trust.State.OPEN
    page = Client().get(reverse("trust")).content.decode()
    assert page.count('class="proof"') == 2
    assert "it holds" in page


def test_code_is_shown_as_text(report):
    page = Client().get(reverse("trust")).content.decode()
    assert "&lt;b&gt;before&lt;/b&gt;" in page
    assert "(nothing)" in page


def test_zero_is_shown_as_zero():
    page = text_of(Client().get(reverse("trust")))
    year = timezone.now().year
    assert f"{year} All kinds 0 0 0 0" in page
    assert re.search(rf"Lifted {year} 0 0 0 0 0 0 ", page)


def test_what_authorities_asked_is_counted_without_naming_anybody():
    alice = factories.user("alice")
    role, _ = Group.objects.get_or_create(name=disclosures.ROLE)
    pia = factories.user("pia", is_staff=True)
    pia.groups.add(role)
    asked = disclosures.Asked(
        kind="court", authority="Court of Quokka", reference="7 K", legal_basis="Section 1",
        secrecy_reason="", secrecy_until=None,
    )  # fmt: skip
    now = timezone.now()
    disclosures.record(account=factories.account_of(alice), by=pia, asked=asked, now=now)
    contact.open_request(
        kind="abuse", source="form", email="e@example.com", subject="?", text="?", now=now
    )
    page = text_of(Client().get(reverse("trust")))
    assert f"{now.year} Court order 1 0 0 0" in page
    assert f"{now.year} 1 0 0 0 0 0" in page
    assert "Quokka" not in page
    assert "All kinds" not in page


def test_it_reads_chinese():
    client = Client(headers={"accept-language": "zh-hans"})
    page = client.get(reverse("trust")).content.decode()
    assert "以及证明它的测试" in page
