"""Changes are announced through a real database, and through a real Valkey where one matters."""

import datetime as dt
import subprocess
import sys
import threading
import time

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from accounts import changes, keys, metrics
from accounts.models import Change, ChangeSequence
from bananarouter import env
from tests.servers import free_port, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Topic = Change.Topic


class Heard:
    """A listener that writes down what it is told."""

    def __init__(self, *topics, poll_s=0.05):
        self.told = []
        self.listener = changes.Listener(poll_s=poll_s)
        for topic in topics or (Topic.KEY, Topic.WALLET):
            self.listener.subscribe(topic, lambda ref, topic=topic: self.told.append((topic, ref)))

    def __enter__(self):
        self.listener.start()
        wait_until(lambda: self.told, what="the first round")
        self.told.clear()
        return self

    def __exit__(self, *_):
        self.listener.stop()

    def wait_for(self, *expected, timeout_s=5):
        wait_until(lambda: len(self.told) >= len(expected), timeout_s=timeout_s, what=str(expected))
        assert self.told == list(expected)


def announce_and_roll_back(ref):
    with transaction.atomic():
        changes.announce(Topic.KEY, ref)
        transaction.set_rollback(True)


def in_thread(call):
    """Run a call on a thread with a database connection of its own."""

    def run():
        try:
            call()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_numbers_have_no_holes_after_a_rollback():
    changes.announce(Topic.KEY, "1")
    announce_and_roll_back("2")
    changes.announce(Topic.KEY, "3")
    first, second = Change.objects.order_by("seq").values_list("seq", "ref")
    assert (first[1], second[1]) == ("1", "3")
    assert second[0] == first[0] + 1


def test_the_sequence_counts_on_when_its_row_is_lost():
    changes.announce(Topic.KEY)
    before = Change.objects.latest("seq").seq
    ChangeSequence.objects.all().delete()
    changes.announce(Topic.KEY)
    assert Change.objects.latest("seq").seq == before + 1


@pytest.mark.postgresql
def test_a_number_is_visible_only_after_all_lower_ones():
    started, finish = threading.Event(), threading.Event()

    def first():
        with transaction.atomic():
            changes.announce(Topic.KEY, "first")
            started.set()
            finish.wait(5)

    one = in_thread(first)
    assert started.wait(5)
    two = in_thread(lambda: changes.announce(Topic.KEY, "second"))
    time.sleep(0.2)
    assert not Change.objects.exists()  # the second waits for the first
    finish.set()
    one.join(5)
    two.join(5)
    assert list(Change.objects.order_by("seq").values_list("ref", flat=True)) == ["first", "second"]


def test_tells_each_subscriber_its_topic_in_order_and_once():
    with Heard(Topic.KEY, Topic.WALLET) as heard:
        changes.announce(Topic.KEY, "1")
        changes.announce(Topic.RECALL, "9")  # nobody asked
        changes.announce(Topic.WALLET, "2")
        changes.announce(Topic.KEY, "3")
        wait_until(lambda: len(heard.told) >= 3, what="three changes")
        time.sleep(0.15)
        assert sorted(heard.told) == [(Topic.KEY, "1"), (Topic.KEY, "3"), (Topic.WALLET, "2")]
        assert heard.told.index((Topic.KEY, "1")) < heard.told.index((Topic.KEY, "3"))


def test_a_change_of_a_rolled_back_transaction_is_never_told():
    with Heard() as heard:
        announce_and_roll_back("never")
        changes.announce(Topic.KEY, "told")
        heard.wait_for((Topic.KEY, "told"))


def test_the_same_change_twice_in_one_round_is_told_once():
    with Heard(poll_s=0.5) as heard:
        with transaction.atomic():
            changes.announce(Topic.KEY, "1")
            changes.announce(Topic.KEY, "1")
        heard.wait_for((Topic.KEY, "1"))


def test_begins_by_telling_everything():
    changes.announce(Topic.KEY, "before")
    told = []
    listener = changes.Listener(poll_s=0.05)
    listener.subscribe(Topic.KEY, told.append)
    listener.start()
    try:
        wait_until(lambda: told, what="the first round")
        time.sleep(0.2)
        assert told == [""]
    finally:
        listener.stop()


def test_a_gap_tells_everything():
    with Heard() as heard:
        changes.announce(Topic.KEY, "1")
        heard.wait_for((Topic.KEY, "1"))
        heard.told.clear()
        seen = Change.objects.latest("seq").seq
        # Rows that came and were pruned while this listener stood still.
        ChangeSequence.objects.update(seq=seen + 10)
        changes.announce(Topic.KEY, "x")
        wait_until(lambda: len(heard.told) >= 2, what="both topics")
        assert sorted(heard.told) == [(Topic.KEY, ""), (Topic.WALLET, "")]


def test_an_emptied_database_tells_everything_once():
    with Heard() as heard:
        changes.announce(Topic.KEY, "1")
        heard.wait_for((Topic.KEY, "1"))
        heard.told.clear()
        Change.objects.all().delete()
        ChangeSequence.objects.all().delete()
        wait_until(lambda: len(heard.told) >= 2, what="both topics")
        time.sleep(0.2)
        assert sorted(heard.told) == [(Topic.KEY, ""), (Topic.WALLET, "")]
        heard.told.clear()
        changes.announce(Topic.KEY, "again")
        heard.wait_for((Topic.KEY, "again"))


def test_more_changes_than_one_poll_reads_all_arrive(monkeypatch):
    monkeypatch.setattr(changes, "ROWS_MAX", 7)
    with Heard() as heard:
        with transaction.atomic():
            for number in range(30):
                changes.announce(Topic.KEY, str(number))
        heard.wait_for(*[(Topic.KEY, str(number)) for number in range(30)])


def test_a_callback_that_fails_is_told_again_and_stops_nobody(caplog):
    failures, told, others = [], [], []

    def fails_once(ref):
        if ref == "1" and not failures:
            failures.append(ref)
            raise OperationalError("gone")
        told.append(ref)

    listener = changes.Listener(poll_s=0.05)
    listener.subscribe(Topic.KEY, fails_once)
    listener.subscribe(Topic.KEY, others.append)
    listener.start()
    try:
        wait_until(lambda: others, what="the first round")
        changes.announce(Topic.KEY, "1")
        wait_until(lambda: len(others) == 3, what="the second telling")
        assert told == ["", ""]
        assert others == ["", "1", ""]
        assert [record.message for record in caplog.records] == ["change callback failed"]
    finally:
        listener.stop()


def test_a_slow_topic_does_not_hold_up_a_key():
    release, told = threading.Event(), []
    listener = changes.Listener(poll_s=0.05)
    listener.subscribe(Topic.CATALOGUE, lambda _: release.wait(10))
    listener.subscribe(Topic.KEY, told.append)
    listener.start()
    try:
        wait_until(lambda: told, what="the first round")
        changes.announce(Topic.CATALOGUE)
        changes.announce(Topic.KEY, "5")
        wait_until(lambda: "5" in told, timeout_s=2, what="the key")
    finally:
        release.set()
        listener.stop()


def test_a_slow_topic_is_told_once_for_many_changes_meanwhile():
    release, told = threading.Event(), []

    def slow(ref):
        told.append(ref)
        release.wait(10)

    listener = changes.Listener(poll_s=0.02)
    listener.subscribe(Topic.CATALOGUE, slow)
    listener.start()
    try:
        wait_until(lambda: told, what="the first round")
        for _ in range(5):
            changes.announce(Topic.CATALOGUE)
            time.sleep(0.05)
        release.set()
        wait_until(lambda: len(told) == 2, what="the second round")
        time.sleep(0.2)
        assert told == ["", ""]
    finally:
        release.set()
        listener.stop()


def test_a_slow_callback_that_fails_is_told_again(monkeypatch):
    monkeypatch.setattr(changes, "RETRY_S", 0.05)
    told = []

    def fails_twice(ref):
        told.append(ref)
        if len(told) < 3:
            raise OperationalError("gone")

    listener = changes.Listener(poll_s=0.05)
    listener.subscribe(Topic.CATALOGUE, fails_twice)
    listener.start()
    try:
        wait_until(lambda: len(told) == 3, what="the third try")
    finally:
        listener.stop()


def test_prunes_what_is_older_than_an_hour_but_the_newest():
    for ref in "1234":
        changes.announce(Topic.KEY, ref)
    now = timezone.now()
    old = list(Change.objects.order_by("seq"))
    Change.objects.filter(seq__lte=old[1].seq).update(created_at=now - dt.timedelta(hours=2))
    assert changes.prune(now=now) == 2
    Change.objects.update(created_at=now - dt.timedelta(hours=2))
    assert changes.prune(now=now) == 1
    assert Change.objects.get().ref == "4"
    assert changes.prune(now=now) == 0


def test_the_listener_prunes_by_itself(monkeypatch):
    for ref in "12":
        changes.announce(Topic.KEY, ref)
    Change.objects.update(created_at=timezone.now() - dt.timedelta(hours=2))
    monkeypatch.setattr(changes, "PRUNE_EVERY_S", 0.0)
    with Heard():
        wait_until(lambda: Change.objects.count() == 1, what="the pruning")


def test_survives_a_database_that_is_away_and_then_tells_everything():
    with Heard() as heard:
        table = Change._meta.db_table
        with connection.schema_editor() as editor:
            editor.alter_db_table(Change, table, "away")
        before = metrics.CHANGE_POLL_FAILURES._value.get()
        try:
            wait_until(
                lambda: metrics.CHANGE_POLL_FAILURES._value.get() > before, what="a failed poll"
            )
        finally:
            with connection.schema_editor() as editor:
                editor.alter_db_table(Change, "away", table)
        wait_until(lambda: len(heard.told) >= 2, what="both topics")
        assert set(heard.told) == {(Topic.KEY, ""), (Topic.WALLET, "")}
        heard.told.clear()
        changes.announce(Topic.KEY, "1")
        heard.wait_for((Topic.KEY, "1"))


@pytest.mark.postgresql
def test_survives_a_connection_that_was_cut():
    with Heard() as heard:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] >= 1
        changes.announce(Topic.KEY, "1")
        wait_until(lambda: len(heard.told) >= 2, what="both topics")
        assert set(heard.told) <= {(Topic.KEY, ""), (Topic.WALLET, ""), (Topic.KEY, "1")}
        heard.told.clear()
        changes.announce(Topic.KEY, "2")
        heard.wait_for((Topic.KEY, "2"))


def test_stop_ends_the_threads():
    with Heard() as heard:
        pass
    assert not heard.listener._thread.is_alive()
    assert not heard.listener._slow.is_alive()


def test_redis_wakes_the_listener_long_before_its_poll(valkey, settings):
    settings.REDIS_URL = valkey.url
    with Heard(poll_s=30) as heard:
        time.sleep(0.3)  # let it subscribe
        began = time.monotonic()
        changes.announce(Topic.KEY, "1")
        heard.wait_for((Topic.KEY, "1"))
        assert time.monotonic() - began < 1


def test_redis_that_dies_costs_only_the_hurry(valkey, settings, monkeypatch):
    monkeypatch.setattr(changes, "REDIS_PAUSE_S", 0.2)
    settings.REDIS_URL = valkey.url
    with Heard(poll_s=0.2) as heard:
        valkey.stop()
        before = metrics.CHANGE_FAILURES._value.get()
        began = time.monotonic()
        changes.announce(Topic.KEY, "1")
        heard.wait_for((Topic.KEY, "1"))
        assert time.monotonic() - began < 1
        assert metrics.CHANGE_FAILURES._value.get() == before + 1
        valkey.start()
        time.sleep(0.5)
        heard.told.clear()
        changes.announce(Topic.KEY, "2")
        heard.wait_for((Topic.KEY, "2"))


def test_redis_that_was_never_there_costs_nobody_time(settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    began = time.monotonic()
    for _ in range(20):
        changes.announce(Topic.KEY)
    assert time.monotonic() - began < 2


OTHER_PROCESS = """
import asyncio, sys, time
import django
django.setup()
from django.db import connections
connections.settings["default"]["NAME"] = sys.argv[1]
from accounts import changes, keys
text = sys.stdin.readline().strip()
listener = changes.Listener()
keys.connect(listener)
listener.start()
async def watch():
    while True:
        try:
            await keys.verify(text, source_ip="127.0.0.1", now=time.time())
        except keys.KeyRefused as refused:
            print(refused.reason, time.time(), flush=True)
            return
        if watch.first and listener.heard_at:
            watch.first = False
            print("serving", flush=True)
        await asyncio.sleep(0.005)
watch.first = True
asyncio.run(watch())
listener.stop()
keys.close()
"""


def test_a_revocation_reaches_another_process_within_a_second_without_redis(account, settings):
    assert not settings.REDIS_URL
    key, text = keys.mint(account=account, created_by=None, name="k")
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(connection.settings_dict["NAME"])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR,
        env=env.child({}),
    )  # fmt: skip
    try:
        process.stdin.write(text + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "serving\n"
        revoked_at = time.time()
        keys.revoke(key)
        reason, at = process.stdout.readline().split()
        assert reason == "disabled"
        assert float(at) - revoked_at < 1
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
