"""Liveness asks nobody, readiness asks what a paid request needs, metrics are not for all."""

import pytest
from django.db import connection
from django.test import RequestFactory

from bananarouter import health
from billing import bank
from tests.bananarouter.test_checks import GOOD


@pytest.fixture
def get():
    """Call a view as a loopback client would."""

    def call(view, *, address="127.0.0.1", **headers):
        request = RequestFactory().get("/", REMOTE_ADDR=address, headers=headers)
        return view(request)

    return call


@pytest.fixture
def draining():
    health.drain()
    yield
    health._Drain.is_draining = False


def test_livez_answers_without_a_database(get):
    """No django_db mark: a query would fail this test."""
    assert get(health.livez).status_code == 200


@pytest.mark.django_db
def test_readyz_refuses_while_no_money_can_be_held(get):
    assert bank.is_open() is False  # nothing started it here
    answer = get(health.readyz)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert b'"money": false' in answer.content
    assert b'"database": true' in answer.content


@pytest.mark.django_db
def test_readyz_says_that_the_worker_ends(get, draining):
    assert b'"serving": false' in get(health.readyz).content


@pytest.mark.postgresql
def test_readyz_says_that_the_database_is_away(get, transactional_db):
    """The session is killed and new ones are refused, as when the server has gone."""
    wrapper = connection
    port = wrapper.settings_dict["PORT"]
    wrapper.close()
    wrapper.settings_dict["PORT"] = "1"
    try:
        answer = get(health.readyz)
    finally:
        wrapper.settings_dict["PORT"] = port
    assert answer.status_code == 503
    assert b'"database": false' in answer.content


@pytest.mark.clause("2-monitor")
def test_metrics_are_for_this_machine(get):
    answer = get(health.metrics)
    assert answer.status_code == 200
    assert b"bnr_requests_in_flight" in answer.content
    assert get(health.metrics, address="::1").status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "", "unix:"])
def test_metrics_are_for_nobody_else(get, address):
    assert get(health.metrics, address=address).status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_on_this_machine_does_not_open_them(get, header):
    assert get(health.metrics, **{header: "192.0.2.7"}).status_code == 403


def test_nor_does_a_trusted_one_without_its_header(get, settings):
    settings.TRUSTED_PROXY_HOPS = 1
    assert get(health.metrics).status_code == 403


def test_the_token_opens_them_and_only_the_whole_token(get, settings):
    settings.METRICS_TOKEN = GOOD

    def status(token):
        return get(health.metrics, address="192.0.2.7", Authorization=token).status_code

    assert status(f"Bearer {GOOD}") == 200
    assert status(f"Bearer {GOOD[:-1]}") == 403
    assert status("Bearer ") == 403


def test_no_token_is_not_an_empty_token(get, settings):
    settings.METRICS_TOKEN = ""
    answer = get(health.metrics, address="192.0.2.7", Authorization="Bearer ")
    assert answer.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 403)])
def test_staff_may_read_them_from_anywhere(client, django_user_model, is_staff, status):
    user = django_user_model.objects.create_user("ann", "ann@example.com", "pw", is_staff=is_staff)
    client.force_login(user)
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == status


def test_only_reads_are_answered():
    assert health.livez(RequestFactory().post("/")).status_code == 405


@pytest.mark.django_db
def test_the_paths_are_those_that_probes_know(client):
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/metrics").status_code == 200
