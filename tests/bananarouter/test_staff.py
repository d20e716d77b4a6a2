"""The staff site's list of tables."""

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories


@pytest.mark.django_db
def test_no_two_groups_of_tables_have_one_name():
    person = factories.user("staff", is_staff=True)
    person.is_superuser = True
    person.save()
    client = Client()
    client.force_login(person)
    names = [app["name"] for app in client.get(reverse("admin:index")).context["app_list"]]
    assert "Log-in" in names
    assert len(names) == len(set(names)) > 5
