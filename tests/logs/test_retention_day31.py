"""Day 31: with the database and every secret in hand, nothing in a log leads to a person.

The tables are asked one by one, so that one that comes later is searched as well.
"""

import datetime as dt
import re

import pytest
from django.apps import apps
from django.db import connection

from accounts import end_users, keys, persons
from accounts.timeids import DAY, midnight
from logs import removal, sums
from logs.models import RetentionRun
from tests import factories

TODAY = dt.date(2031, 3, 31)
IP, V6 = "198.51.100.77", "2001:db8:77::9"
# What stays in these is an account's, as long as it lives: sums by hour, without address or
# request. Their own ends are the account's (erasure).
SUMS = {"logs_usagehour", "logs_latencyday", "logs_labelhour"}


def _everything(table):
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {quoted}")  # noqa: S608
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _text(value):
    return bytes(value).hex() if isinstance(value, (bytes, memoryview)) else str(value)


@pytest.mark.clause("4.3-retention")
@pytest.mark.clause("4.3-legal-hold")
def test_on_day_31_nothing_links_a_row_to_a_person(transactional_db, settings):
    settings.LOG_RETENTION_DAYS = 30
    settings.JURISDICTION = ""
    alice = factories.user("alice")
    account = factories.account_of(alice)
    key, _ = keys.mint(account=account, created_by=alice, name="k")
    hashed = end_users.digest("carol@example.com", account_id=account.pk)
    then = midnight(TODAY - 31 * DAY) + dt.timedelta(hours=9)
    made = [
        factories.request(
            account, at=then, api_key_id=key.pk, source_ip=ip, end_user=hashed, tag="t"
        )
        for ip in (IP, V6)
    ]
    RetentionRun.objects.create(
        started_at=midnight(TODAY) - DAY, actor="t", is_complete=True, running=None
    )
    traces = {
        IP, V6, persons.network(IP), persons.network(V6), IP.rpartition(".")[0], hashed,
        persons.network_digest(IP).hex(), persons.network_digest(V6).hex(), key.last_four,
        bytes(key.digest).hex(), *(one.hex for one in made), *map(str, made),
    }  # fmt: skip
    tables = [model._meta.db_table for model in apps.get_app_config("logs").get_models()]
    found = [row for table in tables for row in _everything(table)]
    assert any(IP in map(_text, row.values()) for row in found)  # the search finds what is there
    sums.fold(today=TODAY)
    report = removal.run(now=midnight(TODAY) + dt.timedelta(minutes=5), actor="test")
    assert report.is_complete
    assert report.removed["request_log"] == 2
    for table in tables:
        for row in _everything(table):
            told = {_text(value) for value in row.values()}
            assert not told & traces, f"{table} still knows {told & traces}"
            joined = " ".join(told)
            assert not re.search(re.escape(IP.rpartition(".")[0]), joined), table
            if table not in SUMS:
                assert row.get("account_id") is None, f"{table} still names the account"
                assert row.get("api_key_id") is None, table
