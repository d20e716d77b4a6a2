"""Pages may ask the browser for passkeys, and for nothing else."""

from django.http import HttpResponse
from django.test import Client, RequestFactory

from bananarouter.permissions import HEADER, PermissionsPolicy, written


def test_every_page_forbids_sensors_and_devices():
    value = Client().get("/livez")[HEADER]
    policy = dict(part.split("=", 1) for part in value.split(", "))
    for feature in ("camera", "microphone", "geolocation", "payment", "usb", "display-capture"):
        assert policy[feature] == "()"
    for feature in ("publickey-credentials-create", "publickey-credentials-get"):
        assert policy[feature] == "(self)"
    assert "*" not in value


def test_a_page_may_say_more_itself():
    def view(_request):
        return HttpResponse(headers={HEADER: "camera=(self)"})

    response = PermissionsPolicy(view)(RequestFactory().get("/"))
    assert response[HEADER] == "camera=(self)"


def test_a_policy_is_written_as_the_standard_says():
    policy = {"camera": (), "usb": ("self", '"https://a.example"')}
    assert written(policy) == 'camera=(), usb=(self "https://a.example")'
