"""Migrations that move rows keep what the rows say, there and back."""

import datetime as dt
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests import servers
from tests.conftest import IS_ON_POSTGRESQL

BEFORE, AFTER = "0020_closures", "0021_registers"
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def empty_database(transactional_db, tmp_path):
    """The connection, for one test on a database without a table."""
    if IS_ON_POSTGRESQL:
        with servers.fresh_database(servers.shared_postgresql_url(), template="template0") as url:
            yield from connected_to(urlsplit(url).path.removeprefix("/"))
    else:
        yield from connected_to(str(tmp_path / "empty.sqlite3"))


def connected_to(name):
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield connection
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def migrate(name):
    """Bring the app to a migration, with what it needs; return the models as they are then."""
    return MigrationExecutor(connection).migrate([("accounts", name)]).apps


def register(apps):
    """An order of a court that two agreed to, and one that nobody has read; return their people."""
    users, accounts = apps.get_model("accounts", "User"), apps.get_model("accounts", "Account")
    people = SimpleNamespace(
        **{
            name: users.objects.create(username=name, email=f"{name}@example.com")
            for name in ("author", "one", "two")
        }
    )
    disclosures = apps.get_model("accounts", "Disclosure").objects
    common = {
        "account": accounts.objects.create(name="A"), "kind": "court", "authority": "A court",
        "legal_basis": "A law", "created_at": NOW, "created_by": people.author,
    }  # fmt: skip
    approved = disclosures.create(
        reference="1", state="approved", first_approver=people.one, second_approver=people.two,
        **common,
    )  # fmt: skip
    disclosures.create(reference="2", **common)
    events = apps.get_model("accounts", "DisclosureEvent").objects
    for action, actor in (("opened", people.author), ("approved", people.one), ("told", None)):
        events.create(disclosure=approved, at=NOW, action=action, actor=actor)
    return people


def people_of(apps):
    """Who made and approved each order, and who did what."""
    disclosures = apps.get_model("accounts", "Disclosure").objects.order_by("reference")
    events = apps.get_model("accounts", "DisclosureEvent").objects.order_by("pk")
    return (
        list(disclosures.values_list("created_by", "first_approver", "second_approver")),
        list(events.values_list("action", "actor")),
    )


def test_the_register_names_the_same_people_by_what_outlives_their_accounts(empty_database):
    people = register(migrate(BEFORE))
    author, one, two = (f"staff:{each.pk}" for each in (people.author, people.one, people.two))
    after = migrate(AFTER)
    told = [(author, one, two), (author, "", "")]
    acts = [("opened", author), ("approved", one), ("told", "")]
    assert people_of(after) == (told, acts)
    # Who left meanwhile is nobody after the way back; the others are themselves again.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_user WHERE id = %s", [people.two.pk])
    disclosures = after.get_model("accounts", "Disclosure").objects
    disclosures.filter(reference="1").update(state="open")
    back = migrate(BEFORE)
    assert people_of(back) == (
        [(people.author.pk, people.one.pk, None), (people.author.pk, None, None)],
        [("opened", people.author.pk), ("approved", people.one.pk), ("told", None)],
    )
