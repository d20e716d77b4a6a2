"""The whole life of an export, and what is in its file."""

import base64
import csv
import datetime as dt
import hashlib
import io
import json
import stat
import threading
import uuid
import zipfile

import pytest
from django.db import connection, models
from django.utils import timezone

from accounts import downloads, exports, owners, personal_data
from accounts.models import ApiKey, Export, Notification
from billing.models import LedgerAccount, LedgerEntry
from logs.models import RequestLog
from tests import factories, personal_rows

pytestmark = pytest.mark.django_db(transaction=True)
SESSION = "s" * 32
State = Export.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.EXPORT_DIR = tmp_path / "exports"
    settings.EXPORT_FREE_BYTES_MIN = 0
    return settings.EXPORT_DIR


def now():
    return timezone.now()


def built(user) -> Export:
    made = exports.ask(user=user, session_key=SESSION, now=now())
    assert exports.build_next(now=now())
    made.refresh_from_db()
    return made


def archive(export) -> zipfile.ZipFile:
    return zipfile.ZipFile(exports.open_file(export, session_key=SESSION, now=now()))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("attests", "column"), [(True, "ownership_attested_at"), (False, "ownership_denied_at")]
)
def test_it_holds_what_was_stated_of_country_and_owners(attests, column):
    alice = factories.user("alice")
    said_at = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
    owners.state_territory(
        factories.account_of(alice), country="FR", attests_ownership=attests, now=said_at
    )
    with archive(built(alice)) as found:
        (account,) = json.loads(found.read("data/accounts.json"))
    assert account["country"] == "FR"
    for name in ("country_attested_at", column):
        assert dt.datetime.fromisoformat(account[name]) == said_at
    assert [account["ownership_attested_at"], account["ownership_denied_at"]].count(None) == 1


@pytest.mark.clause("5-access")
def test_it_holds_every_row_of_the_users_and_none_of_anothers():
    alice = personal_rows.person("alice")
    personal_rows.person("mallory")
    halves = {
        store.model: store.model._default_manager.count() // 2 for store in personal_data.stores()
    }
    with archive(built(alice)) as found:
        manifest = json.loads(found.read("manifest.json"))
        whole = b"\n".join(found.read(name) for name in found.namelist())
        tables = {s["name"]: json.loads(found.read(f"data/{s['name']}.json"))
                  for s in manifest["stores"]}  # fmt: skip
    assert b"mallory" not in whole
    assert b"alice-mark" in whole
    assert {name for name, rows in tables.items() if not rows} == set()
    of_both = {
        store.model: sum(len(tables[each.name]) for each in personal_data.stores()
                         if each.model is store.model)
        for store in personal_data.stores()
    }  # fmt: skip
    own = factories.account_of(alice)
    else_than_half = {
        LedgerAccount: LedgerAccount.objects.filter(owner=own).count(),
        LedgerEntry: LedgerEntry.objects.filter(account__owner=own).count(),
        Export: halves[Export] + 1,  # the one being built stands in it, too
    }
    for model, count in of_both.items():
        assert count == else_than_half.get(model, halves[model]), model


@pytest.mark.clause("5-access")
def test_it_holds_no_secret_and_no_digest():
    alice = personal_rows.person("alice")
    with archive(built(alice)) as found:
        whole = b"\n".join(found.read(name) for name in found.namelist())
    alice.refresh_from_db()
    assert alice.password.encode() not in whole
    assert b"secret-of" not in whole
    assert f"key{alice.pk:029}".encode() not in whole
    digests = 0
    for store in personal_data.stores():
        for column in store.model._meta.concrete_fields:
            if isinstance(column, models.BinaryField):
                for value in store.model._default_manager.values_list(column.name, flat=True):
                    digests += 1
                    raw = bytes(value)
                    if raw:
                        assert raw not in whole
                        assert raw.hex().encode() not in whole
                        assert base64.b64encode(raw).rstrip(b"=") not in whole
    assert digests > 8


def test_the_manifest_lists_every_file_with_its_size_rows_and_digest():
    made = built(personal_rows.person("alice"))
    path = exports.open_file(made, session_key=SESSION, now=now())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == made.sha256
    assert path.stat().st_size == made.bytes
    with archive(made) as found:
        manifest = json.loads(found.read("manifest.json"))
        listed = [file for store in manifest["stores"] for file in store["files"]]
        listed += manifest["files"]
        assert sorted([*(file["name"] for file in listed), "manifest.json"]) == sorted(
            found.namelist()
        )
        for file in listed:
            data = found.read(file["name"])
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
        for store in manifest["stores"]:
            rows = json.loads(found.read(f"data/{store['name']}.json"))
            text = found.read(f"data/{store['name']}.csv").decode("utf-8-sig")
            table = list(csv.reader(io.StringIO(text)))
            assert len(rows) == len(table) - 1 == store["rows"]
            assert not rows or list(rows[0]) == table[0]
        assert made.rows == sum(store["rows"] for store in manifest["stores"])
        assert "你的数据副本" in found.read("README.zh-Hans.txt").decode()
        assert "A copy of your data" in found.read("README.en.txt").decode()


def test_money_is_a_decimal_string_and_a_formula_is_made_harmless():
    alice = factories.user("alice")
    account = factories.account_of(alice)
    factories.request(account, cost_nusd=9_007_199_254_740_993)
    RequestLog.objects.update(tag="=HYPERLINK(1)")
    with archive(built(alice)) as found:
        (row,) = json.loads(found.read("data/requests.json"))
        text = found.read("data/requests.csv").decode("utf-8-sig")
    assert (row["cost_nusd"], row["tag"]) == ("9007199254740993", "=HYPERLINK(1)")
    assert ",'=HYPERLINK(1)," in text


def test_only_the_servers_user_can_read_it(folder):
    made = built(factories.user("alice"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]
    assert names_in(folder) == [f"{made.public_id}.zip"]


def test_its_user_is_told_once_it_is_ready():
    alice = factories.user("alice")
    made = built(alice)
    (told,) = Notification.objects.filter(user=alice)
    assert (told.kind, told.key) == ("security", f"export:{made.public_id}")
    assert told.name == "export_ready"
    assert made.expires_at - made.ended_at == dt.timedelta(hours=24)


def test_one_is_under_way_for_a_user():
    alice, bob = factories.user("alice"), factories.user("bob")
    exports.ask(user=alice, session_key=SESSION, now=now())
    exports.ask(user=bob, session_key=SESSION, now=now())
    with pytest.raises(exports.AlreadyRunning):
        exports.ask(user=alice, session_key=SESSION, now=now())


def test_a_user_asks_a_few_times_a_day():
    alice = factories.user("alice")
    for _ in range(exports.ASKED_PER_DAY_MAX):
        exports.cancel(exports.ask(user=alice, session_key=SESSION, now=now()), now=now())
    with pytest.raises(exports.TooMany):
        exports.ask(user=alice, session_key=SESSION, now=now())
    tomorrow = now() + dt.timedelta(days=1, seconds=1)
    exports.ask(user=alice, session_key=SESSION, now=tomorrow)


def test_a_new_one_removes_the_one_before(folder):
    alice = factories.user("alice")
    first, second = built(alice), built(alice)
    first.refresh_from_db()
    assert first.state == State.EXPIRED
    assert names_in(folder) == [f"{second.public_id}.zip"]


def test_it_is_for_the_session_that_asked_and_for_a_day(folder):
    made = built(factories.user("alice"))
    with pytest.raises(exports.OtherSession):
        exports.open_file(made, session_key="x" * 32, now=now())
    with pytest.raises(exports.Gone):
        exports.open_file(made, session_key=SESSION, now=made.expires_at)
    assert exports.open_file(made, session_key=SESSION, now=now()).is_file()
    made.refresh_from_db()
    assert made.downloads == 1
    assert exports.sweep(now=made.expires_at - dt.timedelta(seconds=1)) == 0
    assert exports.sweep(now=made.expires_at) == 1
    assert names_in(folder) == []
    made.refresh_from_db()
    assert made.state == State.EXPIRED


def stale(user, *, attempts: int) -> Export:
    """An export whose builder was killed a while ago, with its half-written file."""
    long_ago = now() - exports.SILENCE - dt.timedelta(seconds=1)
    made = Export.objects.create(
        user=user, state=State.BUILDING, builder=uuid.uuid4(), beat_at=long_ago,
        asked_at=long_ago, attempts=attempts,
    )  # fmt: skip
    part = exports._folder() / exports._part_name(made.public_id, made.builder)
    part.write_text("half")
    return made


def test_what_a_killed_builder_left_is_taken_up_and_removed(folder):
    made = stale(factories.user("alice"), attempts=1)
    assert exports.build_next(now=now())
    made.refresh_from_db()
    assert (made.state, made.attempts) == (State.READY, 2)
    exports.sweep(now=now())
    assert names_in(folder) == [f"{made.public_id}.zip"]


def test_a_builder_that_lives_is_left_alone():
    made = stale(factories.user("alice"), attempts=1)
    Export.objects.update(beat_at=now())
    assert not exports.build_next(now=now())
    exports.sweep(now=now())
    made.refresh_from_db()
    assert made.state == State.BUILDING


def test_what_kills_its_builders_is_given_up():
    made = stale(factories.user("alice"), attempts=exports.ATTEMPTS_MAX)
    assert not exports.build_next(now=now())
    made.refresh_from_db()
    assert (made.state, made.failure) == (State.FAILED, exports.CRASHED)


def test_a_full_disk_is_told_and_nothing_stays(folder, settings):
    settings.EXPORT_FREE_BYTES_MIN = 1 << 60
    made = built(factories.user("alice"))
    assert (made.state, made.failure) == (State.FAILED, exports.DISK_FULL)
    assert names_in(folder) == []


def test_canceled_before_it_begins_it_is_not_built(folder):
    made = exports.ask(user=factories.user("alice"), session_key=SESSION, now=now())
    assert exports.cancel(made, now=now())
    assert not exports.cancel(made, now=now())
    assert not exports.build_next(now=now())
    with pytest.raises(exports.Gone):
        exports.open_file(made, session_key=SESSION, now=now())


def test_canceled_while_it_is_built_it_leaves_nothing(folder, monkeypatch):
    """While the first row is read it is canceled, and the builder's heart hears of it."""
    alice = factories.user("alice")
    made = exports.ask(user=alice, session_key=SESSION, now=now())
    monkeypatch.setattr(exports, "BEAT_S", 0.02)
    first = f'FROM "{personal_data.stores()[0].model._meta.db_table}"'
    reads = []

    def slow(execute, sql, *told):
        if first in sql and not reads:
            reads.append(sql)
            elsewhere(lambda: exports.cancel(made, now=now()))
            threading.Event().wait(0.5)
        return execute(sql, *told)

    with connection.execute_wrapper(slow):
        exports.build_next(now=now())
    assert reads
    made.refresh_from_db()
    assert made.state == State.CANCELED
    assert names_in(folder) == []
    assert not Notification.objects.exists()


def test_erasure_removes_rows_and_files_of_the_user_only(folder):
    alice, bob = factories.user("alice"), factories.user("bob")
    built(alice)
    stays = built(bob)
    (store,) = [each for each in personal_data.stores() if each.name == "exports"]
    assert store.erase(personal_data.subject_of(alice)) == 1
    assert names_in(folder) == [f"{stays.public_id}.zip"]
    assert list(Export.objects.all()) == [stays]


def elsewhere(work):
    """Do something on a connection of its own, and wait for it."""

    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_a_snapshot_sees_no_later_change_and_lets_others_write():
    alice = factories.user("alice")
    account = factories.account_of(alice)
    with downloads.snapshot():
        before = ApiKey.objects.count()
        elsewhere(lambda: ApiKey.objects.create(
            account=account, name="later", digest=b"d", pepper_version=1, last_four="abcd",
        ))  # fmt: skip
        assert ApiKey.objects.count() == before == 0
    assert ApiKey.objects.count() == 1


def test_a_process_builds_in_one_thread_of_its_own():
    made = exports.ask(user=factories.user("alice"), session_key=SESSION, now=now())
    exports.build_in_background()
    exports.build_in_background()
    threads = list(exports._builders)
    for thread in threads:
        thread.join()
    made.refresh_from_db()
    assert (len(threads), made.state, made.attempts) == (1, State.READY, 1)
