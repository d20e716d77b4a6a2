"""A list of requests is right, page after page, and reads its one index and no further."""

import datetime as dt
import random
import re
import uuid
from dataclasses import replace

import pytest
from django.db import connection, transaction

from accounts.timeids import bound
from logs import recorder, search
from logs.models import RequestLog
from logs.search import Wanted

pytestmark = pytest.mark.django_db
DAY = dt.datetime.now(dt.UTC)  # so that PostgreSQL has its partition
OURS, OTHERS = 7, 8
ANN, BEN = "a" * 32, "b" * 32


def request_id(number: int) -> uuid.UUID:
    return uuid.UUID(int=bound(DAY.date()).int + (number << 80))


def write(count: int, *, seed: int = 1) -> list[RequestLog]:
    """Requests of two accounts with every kind of label; return ours, newest first."""
    chance = random.Random(seed)
    rows = [
        recorder.Entry(
            request_id=request_id(number), created_at=DAY, surface="chat", total_ms=1,
            account_id=(account_id := chance.choice((OURS, OURS, OURS, OTHERS))),
            api_key_id=account_id * 10 + chance.randrange(3),
            model=chance.choice(("demo/a", "demo/b")), vendor=chance.choice(("demo", "acme")),
            status=chance.choice((200, 200, 200, 200, 402, 429, 503)),
            tag=chance.choice((None, None, None, "x", "y")),
            end_user=chance.choice((None, None, ANN, BEN)),
        )
        for number in range(count)
    ]  # fmt: skip
    recorder.write(rows)
    return list(RequestLog.objects.filter(account_id=OURS).order_by("-request_id"))


CASES: dict[str, tuple[Wanted, object]] = {
    "all": (Wanted(), lambda _: True),
    "answered": (Wanted(status=(100, 399)), lambda row: row.status < 400),
    "failed": (Wanted(status=(400, 599)), lambda row: row.status >= 400),
    "402": (Wanted(status=(402, 402)), lambda row: row.status == 402),
    "model": (Wanted(model="demo/a"), lambda row: row.model == "demo/a"),
    "vendor": (Wanted(vendor="acme"), lambda row: row.vendor == "acme"),
    "tag": (Wanted(tag="x"), lambda row: row.tag == "x"),
    "end user": (Wanted(end_users=(ANN,)), lambda row: row.end_user == ANN),
    "end users": (Wanted(end_users=(ANN, BEN)), lambda row: row.end_user in {ANN, BEN}),
    "key": (Wanted(key_ids=(71,)), lambda row: row.api_key_id == 71),
    "keys": (Wanted(key_ids=(70, 72)), lambda row: row.api_key_id in {70, 72}),
    "no key": (Wanted(key_ids=()), lambda _: False),
    "days": (
        Wanted(since=request_id(40), before=request_id(90)),
        lambda row: request_id(40) <= row.request_id < request_id(90),
    ),
    "everything": (
        Wanted(tag="x", end_users=(ANN,), key_ids=(70, 71), model="demo/a", status=(200, 200)),
        lambda row: row.tag == "x" and row.end_user == ANN and row.api_key_id in {70, 71}
        and row.model == "demo/a" and row.status == 200,
    ),
    "keys that failed": (
        Wanted(key_ids=(70, 72), status=(400, 599), vendor="demo"),
        lambda row: row.api_key_id != 71 and row.status >= 400 and row.vendor == "demo",
    ),
}  # fmt: skip


@pytest.fixture
def few(monkeypatch):
    """Return `few(count)`: no search looks at more rows than that."""

    def limit(count: int) -> None:
        monkeypatch.setattr(search, "FIRST_ROWS", count)
        monkeypatch.setattr(search, "SCAN_ROWS_MAX", count)
        monkeypatch.setattr(search, "SPARSE_ROWS_MAX", count)

    return limit


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("scan_rows_max", [7, 20_000])
def test_pages_hold_every_row_that_passes_once_and_in_order(name, scan_rows_max, few):
    """However little is looked at each time, going on finds all of it."""
    few(scan_rows_max)
    wanted, passes = CASES[name]
    expected = [row.request_id for row in write(150) if passes(row)]
    seen: list[uuid.UUID] = []
    for _ in range(150):
        found = search.find(OURS, wanted, rows_max=4)
        assert len(found.rows) <= 4
        assert found.is_cut == (found.older is not None and len(found.rows) < 4) or found.is_cut
        seen += [row.request_id for row in found.rows]
        if found.older is None:
            break
        wanted = replace(wanted, before=found.older)
    assert seen == expected


def test_a_search_that_was_cut_says_so_and_a_full_page_does_not(few):
    few(10)
    ours = write(60)
    found = search.find(OURS, Wanted(model="demo/none"), rows_max=4)
    assert found.is_cut
    assert not found.rows
    # Ten rows were looked at: the next search begins right behind them.
    assert ours[10].request_id < found.older <= ours[9].request_id
    assert not search.find(OURS, Wanted(), rows_max=4).is_cut
    assert not search.find(OURS, Wanted(tag="x"), rows_max=50).is_cut
    assert search.find(OURS, Wanted(tag="none"), rows_max=4) == search.Found(rows=[])


def test_a_search_that_reached_the_last_row_is_over(few):
    few(len(write(40)))
    assert search.find(OURS, Wanted(model="demo/none"), rows_max=4).older is None


def test_keys_beyond_the_bound_are_left_out(monkeypatch):
    monkeypatch.setattr(search, "KEYS_MAX", 1)
    write(60)
    rows = search.find(OURS, Wanted(key_ids=(72, 70)), rows_max=99).rows
    assert {row.api_key_id for row in rows} == {72}


# Which index


def plans(wanted: Wanted) -> list[str]:
    """How the database reads each query of a search, with its values bound as they are."""
    asked = []

    def note(execute, sql, params, many, context):
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        search.find(OURS, wanted, rows_max=50)
    word = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    found = []
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(f"{word} {sql}", params)
            found.append("\n".join(str(line[-1]) for line in cursor.fetchall()))
    return found


ACCOUNT, KEY = "account_id_request_id", "api_key_id_request_id"
TAG, END_USER = "account_id_tag_request_id", "account_id_end_user_request_id"
FAILED = "account_id_request_id_status"
# By their columns, as PostgreSQL names the index of a partition.
NAMES = {
    ACCOUNT: "request_log_by_account", KEY: "request_log_by_key", TAG: "request_log_by_tag",
    END_USER: "request_log_by_end_user", FAILED: "request_log_failed",
}  # fmt: skip
INDEXES = {
    "all": ACCOUNT, "answered": ACCOUNT, "model": ACCOUNT, "vendor": ACCOUNT, "days": ACCOUNT,
    "failed": FAILED, "402": FAILED, "tag": TAG, "end user": END_USER, "end users": END_USER,
    "key": KEY, "keys": KEY, "everything": END_USER, "keys that failed": KEY,
}  # fmt: skip


# Of several indexes, so that their rows must be put in order.
MERGED = {"keys", "end users", "keys that failed"}


@pytest.fixture(scope="module")
def many_rows(django_db_setup, django_db_blocker):
    """Requests of many accounts, of which we are one with few; for all tests from here on."""
    with django_db_blocker.unblock(), transaction.atomic():
        write_many()
        yield
        transaction.set_rollback(True)


def write_many() -> None:
    write(120)
    recorder.write(
        [
            recorder.Entry(
                request_id=request_id(n), created_at=DAY, account_id=1_000 + n % 90,
                api_key_id=1_000 + n % 90, surface="chat", total_ms=1, tag=f"t{n % 9}",
                status=200 + n % 2 * 203, end_user=f"{n % 99:032x}",
            )
            for n in range(1_000, 9_000)
        ]
    )  # fmt: skip
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE logs_requestlog")


@pytest.mark.usefixtures("many_rows")
@pytest.mark.parametrize("name", INDEXES)
def test_a_search_reads_one_index(name):
    """No scan of the table, of an account, or of a wider index than the one for the filter."""
    read = []
    for plan in plans(CASES[name][0]):
        if connection.vendor == "postgresql":
            day = f"logs_requestlog_{DAY:%Y%m%d}"
            assert f"Seq Scan on {day}" not in plan, plan
            used = re.findall(rf"{day}_(\w+?)_?idx", plan) + re.findall(rf"{day}_(pkey)", plan)
        else:
            assert not re.search(r"SCAN logs_|SCAN \w*requestlog", plan), plan
            used = re.findall(r"INDEX (\w+) \(", plan)
        read += [name for name in used if not is_by_id(name)]
    wanted = INDEXES[name]
    if connection.vendor == "postgresql" and name == "everything":
        read = [END_USER if index == TAG else index for index in read]  # it may take either
    assert set(read) == {wanted if connection.vendor == "postgresql" else NAMES[wanted]}


def is_by_id(index: str) -> bool:
    """The rows of a page by their ids, once several indexes told these."""
    return index == "pkey" or index.startswith("sqlite_autoindex")


@pytest.mark.usefixtures("many_rows")
@pytest.mark.skipif(connection.vendor == "postgresql", reason="SQLite says how it sorts")
@pytest.mark.parametrize("name", sorted(INDEXES.keys() - MERGED))
def test_an_index_gives_its_rows_in_order(name):
    for plan in plans(CASES[name][0]):
        assert "TEMP B-TREE" not in plan, plan
