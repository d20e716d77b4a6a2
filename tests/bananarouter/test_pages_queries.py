"""Every page asks the database at most twelve times, with something of everything on it.

The pages are those of the URLconf, so that a new one is held to it; tests/site.py makes the scene:
its owner has debug mode on, a notice, a paid order, members.
"""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import contact
from billing.models import Attempt, Charge, Rate, RateCard
from routing.models import Endpoint
from tests import site

# Databases are asked the same, but for a savepoint.
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
QUERIES_MAX = 12
PAGES = [route for route in site.ours() if route.name != "metrics"]


@pytest.fixture
def client(whole_site):
    signed_in = Client()
    signed_in.force_login(whole_site.alice)
    return signed_in


def asked(client, url):
    """What a page asks once its session knows what it remembers; empty for what is no page."""
    if client.get(url).status_code != 200:
        return []
    with CaptureQueriesContext(connection) as found:
        client.get(url).getvalue()
    return [query["sql"] for query in found.captured_queries]


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.name)
def test_a_page_asks_at_most_twelve_times(route, whole_site, client):
    found = asked(client, whole_site.url(route))
    assert len(found) <= QUERIES_MAX, "\n".join(found)


def test_the_page_of_a_request_does_with_all_that_can_be_on_it(whole_site, client):
    request_id = whole_site.values["request_id"]
    card = RateCard.objects.create(endpoint="acme:x", valid_from="2026-01-01T00:00Z", source="t")
    Rate.objects.create(
        card=card, unit_class="input", unit="mtok", nusd_per_unit=1, vendor_nusd_per_unit=1
    )
    # A crash's charge that was corrected, tried twice, disputed, its content kept.
    Charge.objects.create(
        request_id=request_id, lease_id=1, wallet_id=whole_site.account.pk,
        hold_nusd=9, cost_nusd=9, state="estimated", reason="crash", corrected=True,
        rate_card=card.pk, endpoint="acme:x",
    )  # fmt: skip
    channel = Endpoint.objects.select_related("channel").get().channel
    for n, endpoint in ((1, "gone:x"), (2, f"{channel.name}:x")):
        Attempt.objects.create(request_id=request_id, n=n, endpoint=endpoint, outcome="timeout")
    contact.open_request(
        kind="dispute", source="page", email=whole_site.alice.email, subject="?", text="Wrong",
        user=whole_site.alice, account=whole_site.account, request_id=request_id, proven=True,
        now=timezone.now(),
    )  # fmt: skip
    page = client.get(f"/requests/{request_id}")
    story = page.context["story"]
    assert [attempt.vendor for attempt in story.attempts] == ["", channel.vendor]
    assert page.context["content"]
    assert story.dispute
    found = asked(client, f"/requests/{request_id}")
    assert 10 <= len(found) <= QUERIES_MAX, "\n".join(found)
