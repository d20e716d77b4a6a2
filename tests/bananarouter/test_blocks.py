"""Staff's page that lets a blocked address in again."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts import sealing
from accounts.models import Change
from bananarouter import staff_roles
from routing import lifting
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    """A member of staff whose role is operations."""
    staff_roles.write()
    made = factories.user("operator", is_staff=True)
    made.groups.add(Group.objects.get(name="operations"))
    client = Client()
    client.force_login(made)
    return client


@pytest.mark.parametrize(
    ("typed", "told"),
    [("198.51.100.7", "198.51.100.7"), (" 2001:DB8::1 ", "2001:db8::1"),
     ("::ffff:198.51.100.7", "198.51.100.7")],
)  # fmt: skip
@pytest.mark.clause("2-abuse")
def test_an_address_is_told_to_every_worker_and_who_did_it_is_noted(operator, typed, told):
    answer = operator.post(reverse("admin:lift_block"), {"address": typed}, follow=True)
    assert "Every worker lets the address in within a second." in answer.content.decode()
    row = Change.objects.get(topic=Change.Topic.LIFT)
    assert sealing.unseal(row.ref, label=lifting.LABEL) == told
    (noted,) = LogEntry.objects.all()
    assert noted.change_message == "Let an address in again."
    assert noted.user.username == "operator"
    assert told not in str(LogEntry.objects.values())


@pytest.mark.parametrize("typed", ["", "nonsense", "198.51.100", "198.51.100.7/24"])
def test_what_is_no_address_is_told_beside_the_field_and_kept(operator, typed):
    shown = operator.post(reverse("admin:lift_block"), {"address": typed}).content.decode()
    assert 'class="errorlist' in shown
    assert f'value="{typed}"' in shown or not typed
    assert not Change.objects.filter(topic=Change.Topic.LIFT).exists()
    assert not LogEntry.objects.exists()


def test_the_index_leads_there_only_whom_it_lets_in(operator):
    url = reverse("admin:lift_block")
    assert url in operator.get(reverse("admin:index")).content.decode()
    other = Client()
    other.force_login(factories.user("other", is_staff=True))
    assert url not in other.get(reverse("admin:index")).content.decode()
    assert other.get(url).status_code == 403
    assert other.post(url, {"address": "198.51.100.7"}).status_code == 403
