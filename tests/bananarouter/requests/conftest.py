"""Alice, her account, and others who look at it."""

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def looking(account):
    """Return `looking(role)`: bob, and his client that looks at alice's account in that role."""

    def enter(role: str):
        bob = factories.user("bob")
        factories.join(bob, account, role)
        client = Client()
        client.force_login(bob)
        client.post(reverse("switch_account"), {"account": str(account.public_id)})
        return bob, client

    return enter
