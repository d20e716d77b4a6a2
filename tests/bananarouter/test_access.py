"""Who may open what: every route of the URLconf, for a stranger, a member and another's owner.

Nothing is listed here but what is public: a route that is new is held to the strictest rule.
"""

import pytest
from django.test import Client
from django.urls import reverse

from tests import site

# Which database it is makes no difference to who may.
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
OURS = site.ours()
PRIVATE = [route for route in OURS if route.name not in site.PUBLIC]
OBJECTS = [route for route in PRIVATE if route.arguments]
STAFF = [route for route in site.routes() if route.is_staff and not route.arguments]
REFUSED = {403, 404, 405}


def named(routes):
    return pytest.mark.parametrize("route", routes, ids=lambda route: route.name)


@pytest.fixture
def signed_in():
    def log_in(person):
        client = Client()
        client.force_login(person)
        return client

    return log_in


def test_every_public_name_is_a_route():
    assert site.PUBLIC - {route.name for route in OURS} == set()


def test_every_route_has_a_name():
    assert [route.pattern for route in OURS if route.name.endswith("None")] == []


@named(PRIVATE)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_log_in(route, method, whole_site):
    response = getattr(Client(), method)(whole_site.url(route))
    if response.status_code in {302, 303}:
        assert response["Location"].startswith(reverse("account_login")), response["Location"]
    else:
        assert response.status_code in REFUSED


@named(OBJECTS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_anothers_does_not_exist(route, method, whole_site, signed_in):
    response = getattr(signed_in(whole_site.mallory), method)(whole_site.url(route))
    assert response.status_code in REFUSED
    assert said_secrets(response, whole_site) == []


@named(OBJECTS)
def test_its_owner_finds_it(route, whole_site, signed_in):
    """Else the test above would pass for a wrong address."""
    assert signed_in(whole_site.alice).get(whole_site.url(route)).status_code != 404


@named(OURS)
def test_nobody_else_reads_what_an_account_holds(route, whole_site, signed_in):
    for client in (Client(), signed_in(whole_site.mallory)):
        assert said_secrets(client.get(whole_site.url(route)), whole_site) == []


def said_secrets(response, whole_site) -> list[str]:
    text = b"".join(response) if response.streaming else response.content
    return [word for word in whole_site.secrets if word.encode() in text]


def test_the_search_for_secrets_finds_them(whole_site, signed_in):
    page = signed_in(whole_site.alice).get(reverse("requests"))
    assert "demo/numbat" in said_secrets(page, whole_site)


@named(PRIVATE)
def test_a_private_page_is_in_no_cache(route, whole_site, signed_in):
    response = signed_in(whole_site.alice).get(whole_site.url(route))
    if response.status_code == 200:
        assert "no-store" in response["Cache-Control"]


@named(STAFF)
def test_the_staff_site_is_closed_to_members(route, whole_site, signed_in):
    url = reverse(route.name)
    for client in (Client(), signed_in(whole_site.alice)):
        response = client.get(url)
        assert response.status_code in {302, 403, 404, 405}
        assert said_secrets(response, whole_site) == []


@named([route for route in OURS if not route.arguments])
def test_a_form_without_its_token_is_refused(route, whole_site):
    client = Client(enforce_csrf_checks=True)
    client.force_login(whole_site.alice)
    assert client.post(whole_site.url(route)).status_code in REFUSED
