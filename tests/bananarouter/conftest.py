"""An account whose requests are charged and logged, as the gateway leaves them."""

import itertools
import uuid

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys, members
from billing import closing
from billing.models import Charge, Lease, Wallet
from routing import catalogue, channel_import, import_file
from routing.models import Channel
from tests import factories, site

_count = itertools.count(1)


class Desk:
    """Charges requests of one account on one lease, until it is closed."""

    def __init__(self, person):
        self.person = person
        self.account = factories.account_of(person)
        factories.give(self.account, 10**12)
        self.lease = None

    def key(self, name, *, by=None, **fields):
        key, _ = keys.mint(account=self.account, created_by=by or self.person, name=name)
        for field, value in fields.items():
            setattr(key, field, value)
        key.save()
        return key

    def request(self, *, key=None, cost_nusd=1_000, is_charged=True, **fields):
        """A request in the log and, unless told otherwise, in the charges."""
        key_id = key.pk if key else None
        values = {"api_key_id": key_id, "cost_nusd": cost_nusd, **fields}
        request_id = factories.request(self.account, **values)
        if is_charged:
            self._charge(request_id, key_id, cost_nusd, fields.get("endpoint", "demo:demo/banana"))
        return request_id

    def _charge(self, request_id, key_id, cost_nusd, endpoint):
        if self.lease is None:
            Wallet.objects.filter(pk=self.account.pk).update(leased_nusd=10**11)
            self.lease = Lease.objects.create(
                worker=uuid.uuid4(), wallet_id=self.account.pk, amount_nusd=10**11,
                created_at=timezone.now(),
            )  # fmt: skip
        Charge.objects.create(
            request_id=request_id, lease_id=self.lease.pk, wallet_id=self.account.pk,
            api_key_id=key_id, hold_nusd=cost_nusd, cost_nusd=cost_nusd, endpoint=endpoint,
            state="settled", reason="normal",
        )  # fmt: skip

    def close(self):
        """Close the lease: what was spent is posted."""
        closing.close(self.lease, state=Lease.State.CLOSED)
        self.lease = None


@pytest.fixture
def desk(db):
    Channel.objects.create(
        name="demo", vendor="acme", protocol="openai-chat", base_url="http://x/v1"
    )
    return Desk(factories.user("alice"))


@pytest.fixture(scope="module")
def whole_site(django_db_setup, django_db_blocker):
    """The site with something of everything (tests/site.py): made once for the tests of a module.

    Each test's own changes are undone to what it was.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield site.build()
        transaction.set_rollback(True)


@pytest.fixture
def openai_on_offer():
    """A channel of a vendor whose rules exclude some countries."""
    model = {"name": "openai/m", "prices": {"input": "1", "output": "1"}}
    channel = {
        "name": "us", "vendor": "openai", "protocol": "openai-chat", "api_key": "sk-1",
        "base_url": "https://openai.example/v1", "models": [model],
    }  # fmt: skip
    channel_import.install(import_file.read({"channels": [channel]}))
    catalogue.refresh()
    yield
    Channel.objects.all().delete()
    catalogue.refresh()


@pytest.fixture
def acme(alice):
    """An organization: made later, so that nothing was asked of it."""
    return members.found(founder=alice, name="Acme", public_id=uuid.uuid4())


@pytest.fixture
def client_of(acme):
    """Return `log_in(person, role=None)`: a client that looks at Acme, in a role if given."""

    def log_in(person, role: str | None = None) -> Client:
        if role is not None:
            factories.join(person, acme, role)
        client = Client()
        client.force_login(person)
        client.post(reverse("switch_account"), {"account": str(acme.public_id)})
        return client

    return log_in
