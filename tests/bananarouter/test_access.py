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
def test_a_stranger_is_sent_to_log_in(route, method, scene):
    response = getattr(Client(), method)(scene.url(route))
    if response.status_code in {302, 303}:
        assert response["Location"].startswith(reverse("account_login")), response["Location"]
    else:
        assert response.status_code in REFUSED


@named(OBJECTS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_anothers_does_not_exist(route, method, scene, signed_in):
    response = getattr(signed_in(scene.mallory), method)(scene.url(route))
    assert response.status_code in REFUSED
    assert said_secrets(response, scene) == []


@named(OBJECTS)
def test_its_owner_finds_it(route, scene, signed_in):
    """Else the test above would pass for a wrong address."""
    assert signed_in(scene.alice).get(scene.url(route)).status_code != 404


@named(OURS)
def test_nobody_else_reads_what_an_account_holds(route, scene, signed_in):
    for client in (Client(), signed_in(scene.mallory)):
        assert said_secrets(client.get(scene.url(route)), scene) == []


def said_secrets(response, scene) -> list[str]:
    text = b"".join(response) if response.streaming else response.content
    return [word for word in scene.secrets if word.encode() in text]


def test_the_search_for_secrets_finds_them(scene, signed_in):
    page = signed_in(scene.alice).get(reverse("requests"))
    assert "demo/numbat" in said_secrets(page, scene)


@named(PRIVATE)
def test_a_private_page_is_in_no_cache(route, scene, signed_in):
    response = signed_in(scene.alice).get(scene.url(route))
    if response.status_code == 200:
        assert "no-store" in response["Cache-Control"]


@named(STAFF)
def test_the_staff_site_is_closed_to_members(route, scene, signed_in):
    url = reverse(route.name)
    for client in (Client(), signed_in(scene.alice)):
        response = client.get(url)
        assert response.status_code in {302, 403, 404, 405}
        assert said_secrets(response, scene) == []


@named([route for route in OURS if not route.arguments])
def test_a_form_without_its_token_is_refused(route, scene):
    client = Client(enforce_csrf_checks=True)
    client.force_login(scene.alice)
    assert client.post(scene.url(route)).status_code in REFUSED
