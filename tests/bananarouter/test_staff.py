"""The staff site's pages, as each role sees them: they offer nothing that would be refused."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import contact
from bananarouter import staff_roles
from routing.models import Channel
from tests import factories
from tests.billing.payments import cashier

pytestmark = pytest.mark.django_db


def staff(role=""):
    """The browser of who has a role, or of who may do everything."""
    person = factories.user(role.replace(" ", "") or "staff", is_staff=True)
    person.is_superuser = not role
    person.save()
    staff_roles.write()
    if role:
        person.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(person)
    return client


def test_no_two_groups_of_tables_have_one_name():
    names = [app["name"] for app in staff().get(reverse("admin:index")).context["app_list"]]
    assert "Log-in" in names
    assert len(names) == len(set(names)) > 5


def test_our_own_pages_stand_above_the_tables_for_who_may_open_them():
    shown = staff().get(reverse("admin:index")).content.decode()
    assert shown.index(reverse("admin:lift_block")) < shown.index('id="content-main"')
    assert reverse("admin:policy_publish") in shown
    assert "content-pages" not in staff("finance").get(reverse("admin:index")).content.decode()


def test_recent_actions_name_rows_by_number_and_say_what_was_done():
    alice, client = factories.user("alice"), staff()
    client.get(reverse("admin:accounts_user_change", args=[alice.pk]))
    shown = client.get(reverse("admin:index")).content.decode()
    assert f">User {alice.pk}</a>" in shown
    assert "Read." in shown


def test_who_may_only_look_at_a_channel_is_shown_no_field_to_fill_in():
    row = Channel.objects.create(
        name="demo", vendor="acme", protocol="openai-chat", base_url="http://x/v1",
        credential=b"sealed",
    )  # fmt: skip
    url = reverse("admin:routing_channel_change", args=[row.pk])
    shown = staff("operations").get(url).content.decode()
    assert "http://x/v1" in shown
    assert "New models" not in shown
    assert "Api key" not in shown
    assert 'name="api_key"' in staff().get(url).content.decode()


def test_wallets_lead_to_their_leases_for_who_may_see_them(settings):
    settings.PAYMENTS = cashier.payments()
    cashier.pay(factories.account_of(factories.user("alice")))
    wallets, leases = (reverse(f"admin:billing_{name}_changelist") for name in ("wallet", "lease"))
    for role, leads_there in (("finance", False), ("", True)):
        shown = staff(role).get(wallets).content.decode()
        assert "alice" in shown
        assert (f'href="{leases}?wallet' in shown) is leads_there


def test_a_row_of_another_table_is_a_link_for_who_may_open_it():
    alice = factories.user("alice")
    asked = contact.open_request(
        kind="question", source="page", email=alice.email, subject="?", text="?", user=alice,
        now=timezone.now(),
    )  # fmt: skip
    page = reverse("admin:accounts_contactrequest_change", args=[asked.pk])
    person = reverse("admin:accounts_user_change", args=[alice.pk])
    for role, leads_there in (("support", False), ("privacy", True)):
        shown = staff(role).get(page).content.decode()
        assert ">alice<" in shown
        assert (f'href="{person}"' in shown) is leads_there, role
