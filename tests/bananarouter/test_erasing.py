"""A user with a row in every declared store leaves: nothing is left that leads to the person."""

import contextlib
import datetime as dt
import itertools
import re
import zipfile

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from accounts import closures, contact, erased, erasure, keys, owners, personal_data, traces
from accounts.models import (
    Account,
    ApiKey,
    Closure,
    ContactRequest,
    Invitation,
    Membership,
    NotificationPreference,
    User,
)
from bananarouter import closing, erasing
from billing import ledger, subjects
from billing.models import Hold, LedgerEntry, Order, PaymentMethod, Receipt
from logs.models import RequestLog
from tests import factories, leaver, personal_rows
from tests.billing.payments import cashier
from tests.billing.processors import sandboxes
from tests.leaver import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.clause("5-delete")]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A payment service that keeps customers."""
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    settings.SECRETS_DIR = tmp_path / "secrets"
    settings.ERASURE = type(settings.ERASURE)(
        cooling=dt.timedelta(hours=72), list_file=tmp_path / "kept-apart" / "erased.jsonl"
    )
    return tmp_path


@pytest.fixture
def person(folder, settings, sandbox):
    """Somebody with a row in every store, and what was paid spent to the last cent."""
    settings.PAYMENTS = cashier.payments()
    made = leaver.person()
    account = factories.account_of(made)
    order = cashier.pay(account, now=NOW)
    cashier.spend(account, account.wallet.credit_nusd)
    leaver.with_money(made, order)
    made.key_text = leaver.with_work(made)
    personal_rows.complete(made, erasure.leaver(made, [account.pk]))
    settings.PAYMENTS = sandbox.payments
    return made


def begun(user: User) -> Closure:
    """A closure whose doors are shut."""
    account_ids = [account.pk for account in closures.ending(user)]
    asked = closing.ask(user, agreed_nusd=0, language="en", now=NOW)
    closing.begin(asked, now=NOW)
    assert asked.state == "closing", (asked.blocked_by, account_ids)
    return asked


def search_for(user: User) -> traces.Search:
    found = list(traces.of(user, erasure.leaver(user, [a.pk for a in closures.ending(user)])))
    texts = [
        f"email {leaver.EMAIL}", f"phone {leaver.PHONE}", f"name {leaver.NAME}",
        f"username {leaver.USERNAME}", f"ip {leaver.IP}", "ref cus_quagga", "ref pm_quagga",
        f"key {user.key_text}",
    ]  # fmt: skip
    return traces.Search([*found, *traces.parse("\n".join(texts))])


def found_by(search: traces.Search) -> list[str]:
    return [str(place) for place in erasing.places(search)]


def test_a_row_stands_in_every_declared_store(person):
    """Else the next test would prove less than it says."""
    subject = erasure.leaver(person, [factories.account_of(person).pk])
    empty = [s.name for s in personal_data.stores() if not s.rows(subject).exists()]
    assert empty == []


@pytest.mark.clause("5-delete")
def test_a_search_of_every_store_finds_nothing_afterwards(person):
    bob = factories.user("bob")
    search = search_for(person)
    before = found_by(search)
    assert {place.rpartition(": ")[2] for place in before} >= {
        "email", "phone", "name", "username", "ip", "key", "id", "digest", "ref",
    }  # fmt: skip
    sums = cashier.sums()
    closure = begun(person)
    assert closing.advance(closure, now=NOW) == "closed"
    assert found_by(search) == []
    assert ledger.audit() == []
    assert cashier.sums() == sums
    assert not User.objects.filter(pk=person.pk).exists()
    assert User.objects.filter(
        pk=bob.pk, accounts__isnull=False, emailaddress__isnull=False
    ).exists()
    assert RequestLog.objects.count() == 0


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_freed_pages_of_sqlite_hold_nothing_either(person):
    search = search_for(person)
    before = {str(place) for place in traces.in_database_files(search)}
    assert any(place.endswith(": email") for place in before)
    closing.advance(begun(person), now=NOW)
    assert [str(place) for place in traces.in_database_files(search)] == []


def test_the_cache_server_keeps_nothing_either(person, settings, valkey):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": valkey.url,
        }
    }  # fmt: skip
    cache.set(f"tries:{leaver.EMAIL}", 3)
    cache.set("stash", {"address": leaver.EMAIL})
    cache.set("other", "bob@example.com")
    search = search_for(person)
    assert "cache: email" in found_by(search)
    closing.advance(begun(person), now=NOW)
    assert found_by(search) == []
    assert cache.get("other") == "bob@example.com"


def test_books_keep_amounts_under_a_pseudonym(person):
    account = factories.account_of(person)
    order = Order.objects.get(account=account)
    entries = list(LedgerEntry.objects.filter(account__owner=account).values_list("amount_nusd"))
    was = account.public_id
    closing.advance(begun(person), now=NOW)
    account.refresh_from_db()
    assert re.fullmatch(r"closed [0-9a-f]{12}", account.name)
    assert account.public_id != was
    after = LedgerEntry.objects.filter(account__owner=account).values_list("amount_nusd")
    assert list(after) == entries
    kept = Order.objects.get(pk=order.pk)
    assert (kept.net_minor, kept.credit_nusd, kept.state) == (
        order.net_minor, order.credit_nusd, order.state,
    )  # fmt: skip
    paper = Receipt.objects.get(account=account, kind="receipt")
    assert paper.facts["net_minor"] == order.net_minor
    assert paper.facts["seller"]["name"]
    assert paper.facts["buyer"] == {
        "name": "", "address": "", "country": "CH", "email": "", "tax_id": "",
    }  # fmt: skip


@pytest.mark.parametrize("attests", [True, False])
def test_what_was_stated_of_country_and_owners_goes(person, attests):
    account = factories.account_of(person)
    owners.state_territory(account, country="CH", attests_ownership=attests, now=NOW)
    closing.advance(begun(person), now=NOW)
    account.refresh_from_db()
    assert account.country == ""
    said = (account.country_attested_at, account.ownership_attested_at, account.ownership_denied_at)
    assert said == (None, None, None)


def test_the_certificate_lists_stores_and_counts_and_names_nobody(person, client):
    closure = begun(person)
    link = closures.word(closure)
    assert "being erased" in client.get(reverse("closed", args=[link])).content.decode()
    assert client.get(reverse("certificate", args=[link])).status_code == 404
    closing.advance(closure, now=NOW)
    assert mail.outbox[-1].to == [leaver.EMAIL]
    assert f"/closed/{link}" in mail.outbox[-1].body
    page = client.get(reverse("closed", args=[link])).content.decode()
    told = client.get(reverse("certificate", args=[link])).json()
    rows = {one["store"]: one for one in told["stores"]}
    assert set(rows) >= {store.name for store in personal_data.stores()}
    assert not Invitation.objects.filter(email="g@example.com").exists()
    assert Invitation.objects.get(email="guest@example.com").invited_by is None
    assert rows["requests"]["rows"] == 3
    assert rows["payment_customers"]["rows"] == 1
    assert (rows["orders"]["ending"], rows["orders"]["rows"]) == ("pseudonymized", 1)
    assert all(one["why"] for one in told["stores"])
    assert (
        traces.Search(traces.parse(f"email {leaver.EMAIL}\nname {leaver.NAME}")).in_value(
            [told, page]
        )
        == set()
    )
    assert rows["requests"]["store"] in page


class Killed(BaseException):
    """Stands for kill -9: no handler of ours sees it."""


@contextlib.contextmanager
def killed_at(number):
    """Die at a statement of the database, counted from 0."""
    count = itertools.count()

    def counted(execute, *told):
        if next(count) == number:
            raise Killed
        return execute(*told)

    with connection.execute_wrapper(counted):
        yield


# A cursor of who was killed is closed by nobody.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_at_any_statement_it_ends_the_same(person):
    search = search_for(person)
    closure = begun(person)
    deaths = 0
    # Close together while it works outside the database, then along the one transaction.
    for number in (*range(0, 45, 3), *range(45, 10_000, 15)):
        try:
            with killed_at(number):
                closing.advance(Closure.objects.get(pk=closure.pk), now=NOW)
            break
        except Killed:
            deaths += 1
        assert User.objects.filter(pk=person.pk).exists()
        assert Closure.objects.get(pk=closure.pk).state == "closing"
    assert deaths > 20
    assert Closure.objects.get(pk=closure.pk).state == "closed"
    assert found_by(search) == []
    assert len(erased.read(erasing.settings.ERASURE.list_file)) == 1
    assert ledger.audit() == []
    assert closing.run_due(now=NOW) == 0


def test_a_payment_service_that_is_away_holds_it_up_and_nothing_is_half_done(person, settings):
    up = settings.PAYMENTS
    settings.PAYMENTS = cashier.payments()  # nobody listens there
    begun(person)
    assert closing.run_due(now=NOW) == 0
    person.refresh_from_db()
    assert (person.email, person.is_active) == (leaver.EMAIL, False)
    assert PaymentMethod.objects.filter(customer_ref="cus_quagga").exists()
    settings.PAYMENTS = up
    assert closing.run_due(now=NOW) == 1
    assert not User.objects.filter(username=leaver.USERNAME).exists()


@pytest.fixture
def stubborn():
    """A table whose rows the database does not delete, and says nothing."""
    table = NotificationPreference._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql "
                "AS 'BEGIN RETURN NULL; END'"
            )
            does = "EXECUTE FUNCTION stay()"
        else:
            does = "BEGIN SELECT RAISE(IGNORE); END"
        cursor.execute(f"CREATE TRIGGER stay BEFORE DELETE ON {table} FOR EACH ROW {does}")


@pytest.mark.usefixtures("stubborn")
def test_a_store_that_cannot_be_emptied_leaves_everything_as_it_was(person):
    closure = begun(person)
    with pytest.raises(erasing.Left, match="notification_preferences"):
        closing.advance(closure, now=NOW)
    person.refresh_from_db()
    assert person.email == leaver.EMAIL
    assert Account.objects.get(members=person).name == leaver.NAME
    assert Closure.objects.get(pk=closure.pk).state == "closing"


def test_colleagues_and_strangers_are_untouched(person):
    bob, mallory = factories.user("bob"), factories.user("mallory")
    theirs = factories.account_of(bob)
    factories.join(person, theirs)
    key, _ = keys.mint(account=theirs, created_by=person, name=f"of {leaver.NAME}")
    own, _ = keys.mint(account=theirs, created_by=bob, name="of bob")
    factories.request(theirs, api_key_id=key.pk, source_ip=leaver.IP)
    factories.request(theirs, api_key_id=own.pk, source_ip="198.51.100.9")
    stranger = factories.request(factories.account_of(mallory), source_ip="198.51.100.8")
    search = search_for(person)
    closing.advance(begun(person), now=NOW)
    assert found_by(search) == []
    key.refresh_from_db()
    assert (key.name, key.created_by, key.disabled_at) == (f"key {key.pk}", None, None)
    assert ApiKey.objects.get(pk=own.pk).created_by == bob
    assert [m.user for m in Membership.objects.filter(account=theirs)] == [bob]
    addresses = RequestLog.objects.filter(account_id=theirs.pk).order_by("request_id")
    assert list(addresses.values_list("source_ip", flat=True)) == [None, "198.51.100.9"]
    assert RequestLog.objects.get(pk=stranger).source_ip == "198.51.100.8"


def test_what_others_wrote_of_the_person_loses_the_name(person):
    staff = User.objects.get(username="stafferer")
    LogEntry.objects.create(
        user=staff, object_id="1", object_repr=f"key of {leaver.NAME}", action_flag=2,
        change_message="x",
    )  # fmt: skip
    kept = LogEntry.objects.create(
        user=staff, object_id="2", object_repr="zquaggas", action_flag=2, change_message="y"
    )
    contact.open_request(
        kind="question", source="mail", email=leaver.EMAIL, subject="again", text="?", now=NOW
    )
    search = search_for(person)
    closing.advance(begun(person), now=NOW)
    assert found_by(search) == []
    kept.refresh_from_db()
    assert kept.object_repr == "zquaggas"
    assert not ContactRequest.objects.filter(email=leaver.EMAIL).exists()


def test_the_reasons_that_staff_wrote_about_a_persons_rows_go(person):
    account = factories.account_of(person)
    order = Order.objects.filter(account=account).first()
    line = subjects.statement_rows(erasure.leaver(person, [account.pk])).first()
    hold = Hold.objects.get(pk=account.pk)
    others = factories.account_of(factories.user("zed"))
    other = cashier.order(others)
    staff = User.objects.get(username="stafferer")
    noted = {}
    for row in (order, order.fapiao, line, hold, other):
        noted[row] = LogEntry.objects.create(
            user=staff, content_type=ContentType.objects.get_for_model(type(row)),
            object_id=str(row.pk), object_repr="x", action_flag=2, change_message="because",
        )  # fmt: skip
    closing.advance(begun(person), now=NOW)
    left = {row: LogEntry.objects.get(pk=entry.pk).change_message for row, entry in noted.items()}
    assert list(left.values()) == ["", "", "", "", "because"]
    order.fapiao.refresh_from_db()
    assert (order.fapiao.asked_by, order.fapiao.email) == (None, "")


def test_a_restored_backup_is_erased_again_and_nobody_else(person, folder):
    account_id, pk, joined = factories.account_of(person).pk, person.pk, person.date_joined
    closing.advance(begun(person), now=NOW)
    # The backup brings the same rows back; meanwhile somebody else may have got a number.
    brought = User.objects.create(
        pk=pk, username=leaver.USERNAME, email=leaver.EMAIL, date_joined=joined
    )
    account = Account.objects.get(pk=account_id)
    Account.objects.filter(pk=account_id).update(name=leaver.NAME, is_active=True)
    Membership.objects.create(account=account, user=brought, role="owner")
    factories.give(account, 5_000_000_000)
    brought.key_text = keys.mint(account=account, created_by=brought, name="k")[1]
    Closure.objects.all().delete()
    sent = len(mail.outbox)
    search = search_for(brought)
    call_command("replay_erasures")
    assert found_by(search) == []
    assert not User.objects.filter(pk=pk).exists()
    assert ledger.audit() == []
    account.wallet.refresh_from_db()
    assert account.wallet.credit_nusd == account.wallet.debit_nusd
    assert len(mail.outbox) == sent
    other = User.objects.create(pk=pk, username="newcomer", email="new@example.com")
    call_command("replay_erasures")
    other.refresh_from_db()
    assert other.is_active


def test_a_line_that_a_crash_cut_off_does_not_hide_the_others(person, folder):
    closing.advance(begun(person), now=NOW)
    path = erasing.settings.ERASURE.list_file
    path.write_text(path.read_text() + '{"closure": "tr')
    assert len(erased.read(path)) == 1
    assert path.stat().st_mode & 0o077 == 0
    assert leaver.EMAIL not in path.read_text()


# The verifier


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("email zebedee.quagga@example.org", "accounts_user.email: email"),
        ("phone +41791234567", "accounts_user.phone: phone"),
        ("name Zebedee Quagga", "accounts_account.name: name"),
        ("username zquagga", "accounts_user.username: username"),
        ("ip 203.0.113.77", "usersessions_usersession.ip: ip"),
        ("ref cus_quagga", "billing_paymentmethod.customer_ref: ref"),
    ],
)
def test_the_verifier_fails_where_something_is_left(person, tmp_path, capsys, line, where):
    file = tmp_path / "secrets" / "traces"
    file.parent.mkdir()
    file.write_text(line)
    with pytest.raises(CommandError) as error:
        call_command("verify_erasure", str(file))
    assert error.value.returncode == 1
    out = capsys.readouterr().out
    assert where in out
    found = [said for said in out.splitlines() if not said.startswith("Out of reach: archive ")]
    assert line.partition(" ")[2] not in "\n".join(found)


def test_the_verifier_passes_after_the_erasure_and_looks_into_files(person, folder, capsys):
    file = folder / "secrets" / "traces"
    file.parent.mkdir()
    call_command("verify_erasure", str(file), collect=leaver.USERNAME)
    assert file.stat().st_mode & 0o077 == 0
    closing.advance(begun(person), now=NOW)
    call_command("verify_erasure", str(file))
    assert "none found" in capsys.readouterr().out
    (folder / "exports").mkdir()
    with zipfile.ZipFile(folder / "exports" / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", "x" * 999 + leaver.EMAIL)
    with pytest.raises(CommandError):
        call_command("verify_erasure", str(file))
    assert "exports/a.zip: email" in capsys.readouterr().out


def test_a_file_without_traces_proves_nothing(folder):
    (folder / "empty").write_text("\n")
    with pytest.raises(CommandError, match="no traces"):
        call_command("verify_erasure", str(folder / "empty"))
