import sys
import textwrap

import pytest
from django.apps import apps
from django.core import checks as django_checks
from django.db import connection

from accounts import personal_data
from accounts.checks import declarations
from accounts.models import Account, ApiKey, Membership
from accounts.personal_data import Ending, Subject
from tests import factories


def ids(found):
    return sorted(message.id for message in found)


def store(name):
    return next(each for each in personal_data.stores() if each.name == name)


APP = {
    "apps": """
        from django.apps import AppConfig

        class DiaryConfig(AppConfig):
            name = "diary"
            default_auto_field = "django.db.models.BigAutoField"
            personal_data = "diary.stores"
    """,
    "models": """
        from django.db import models

        class Page(models.Model):
            text = models.TextField()
            seal = models.BinaryField()
    """,
    "stores": """
        from accounts.models import Account
        from accounts.personal_data import Ending, Retention, Store, Withheld
        from diary.models import Page

        def pages(name="diary", fields=("id", "text"), withheld=("seal",)):
            return Store(
                name=name, title="Diary", model=Page, rows=lambda subject: Page.objects.none(),
                fields=fields, withheld=dict.fromkeys(withheld, Withheld.SEALED),
                retention=Retention.ACCOUNT, ending=Ending.ERASED, why="Its writer leaves.",
            )
    """,
}


@pytest.fixture
def diary(tmp_path, monkeypatch, settings):
    """Return `diary(declared)`: install an app that somebody wrote, whose stores.py ends so."""
    folder = tmp_path / "diary"
    monkeypatch.syspath_prepend(tmp_path)

    def install(declared):
        folder.mkdir()
        for name, source in APP.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))
        with (folder / "stores.py").open("a") as stores:
            stores.write(declared)
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "diary"]
        return apps.get_model("diary", "page")

    yield install
    apps.all_models.pop("diary", None)
    for name in [each for each in sys.modules if each.split(".")[0] == "diary"]:
        del sys.modules[name]


def test_every_model_and_column_is_declared():
    assert declarations() == []


def test_an_app_that_declares_all_it_keeps_passes_the_check(diary):
    diary("STORES, IMPERSONAL = (pages(),), {}")
    assert declarations() == []


def test_a_model_that_nobody_declares_fails_the_check_that_every_command_runs(diary):
    undeclared = diary("STORES, IMPERSONAL = (), {}")
    found = [error for error in django_checks.run_checks() if error.id == "accounts.E010"]
    assert [error.obj for error in found] == [undeclared]
    assert "stores.py" in found[0].hint


def test_a_model_declared_both_ways_fails_the_check(diary):
    diary("STORES, IMPERSONAL = (pages(),), {Account: 'Not so.'}")
    assert ids(declarations()) == ["accounts.E010"]


def test_two_stores_of_one_name_fail_the_check(diary):
    diary("STORES, IMPERSONAL = (pages(name='consents'),), {}")
    assert ids(declarations()) == ["accounts.E011"]


def test_a_column_that_a_store_forgets_fails_the_check(diary):
    diary("STORES, IMPERSONAL = (pages(fields=('id',)),), {}")
    (found,) = declarations()
    assert found.id == "accounts.E012"
    assert "text" in found.msg


def test_a_store_that_exports_a_digest_fails_the_check(diary):
    diary("STORES, IMPERSONAL = (pages(fields=('id', 'text', 'seal'), withheld=()),), {}")
    assert ids(declarations()) == ["accounts.E013"]


def test_no_store_exports_what_its_name_calls_a_secret():
    for each in personal_data.stores():
        for name in each.fields:
            for word in (
                "digest",
                "password",
                "secret",
                "session_key",
                "credential",
                "session_data",
            ):
                assert word not in name, (each.name, name)


def test_whoever_stays_says_why_and_whoever_is_kept_names_the_law():
    for each in personal_data.stores():
        assert len(each.why) > 20, each.name
        if each.ending is Ending.KEPT:
            assert "Art." in each.why


def test_what_erasure_clears_are_columns_of_rows_that_stay():
    for each in personal_data.stores():
        columns = {column.name for column in each.model._meta.concrete_fields}
        assert set(each.clears) <= columns, each.name
        assert each.ending is not Ending.ERASED or not each.clears, each.name


@pytest.mark.django_db
def test_every_store_can_be_read_by_its_fields():
    subject = personal_data.subject_of(factories.user("alice"))
    for each in personal_data.stores():
        assert isinstance(list(each.rows(subject).values_list(*each.fields)[:5]), list)


@pytest.mark.django_db
def test_a_subject_is_a_person_with_the_accounts_that_nobody_else_owns():
    alice, bob = factories.user("alice"), factories.user("bob")
    own, bobs = factories.account_of(alice), factories.account_of(bob)
    team = Account.objects.create(name="Team", is_organization=True)
    both = Account.objects.create(name="Both", is_organization=True)
    factories.join(alice, team, Membership.Role.OWNER)
    factories.join(bob, team)
    factories.join(alice, both, Membership.Role.OWNER)
    factories.join(bob, both, Membership.Role.OWNER)
    factories.join(alice, bobs)
    assert personal_data.subject_of(alice) == Subject(
        user_id=alice.pk,
        emails=("alice@example.com",),
        alone=(own.pk,),
        owned=tuple(sorted([own.pk, team.pk])),
        reach=tuple(sorted([own.pk, team.pk, both.pk, bobs.pk])),
    )


def key(account, person, name):
    return ApiKey.objects.create(
        account=account, created_by=person, name=name, digest=name.encode(), pepper_version=1,
        last_four="abcd",
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.clause("5-access")
def test_of_a_shared_account_a_person_gets_the_rows_of_own_keys_only():
    alice, bob = factories.user("alice"), factories.user("bob")
    own = factories.account_of(alice)
    team = Account.objects.create(name="Team", is_organization=True)
    factories.join(alice, team, Membership.Role.OWNER)
    factories.join(bob, team)
    hers, his = key(team, alice, "hers"), key(team, bob, "his")
    made = factories.request(team, api_key_id=hers.pk)
    factories.request(team, api_key_id=his.pk)
    factories.request(team)  # by nobody knows whom
    alone = factories.request(own)
    rows = store("requests").rows(personal_data.subject_of(alice))
    assert set(rows.values_list("request_id", flat=True)) == {made, alone}
    assert [row.name for row in store("api_keys").rows(personal_data.subject_of(alice))] == ["hers"]


@pytest.mark.django_db
def test_a_person_keeps_the_right_to_rows_made_in_an_account_left_long_ago():
    alice, bob = factories.user("alice"), factories.user("bob")
    team = factories.account_of(bob)
    hers = key(team, alice, "hers")
    made = factories.request(team, api_key_id=hers.pk)
    factories.request(team)
    rows = store("requests").rows(personal_data.subject_of(alice))
    assert list(rows.values_list("request_id", flat=True)) == [made]


@pytest.mark.django_db
def test_an_address_that_is_not_proved_brings_no_rows_of_its_owner():
    alice, mallory = factories.user("alice"), factories.user("mallory")
    mallory.emailaddress_set.create(email="alice2@example.com", verified=False)
    assert personal_data.subject_of(mallory).emails == ("mallory@example.com",)
    assert personal_data.subject_of(alice).user_id == alice.pk


@pytest.mark.django_db
def test_requests_are_read_along_their_index():
    factories.request(factories.account_of(alice := factories.user("alice")))
    plan = store("requests").rows(personal_data.subject_of(alice)).explain()
    if connection.vendor == "sqlite":
        assert "request_log_by_account" in plan
        assert "TEMP B-TREE" not in plan
