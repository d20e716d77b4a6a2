"""Staff see how the archive is fed and what it tells, and are told when it tells nothing."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import owners
from accounts.timeids import DAY
from logs.archive import feed, report, sinks
from logs.archive.base import Config
from logs.models import ArchiveBatch
from tests import factories
from tests.logs.archive.test_feed import HOUR, write

QUERIES_MAX = 12


@pytest.fixture
def staff(client, transactional_db):
    user, _ = owners.make_staff(email="root@example.com")
    client.force_login(user)
    return client


@pytest.fixture
def fed(archive):
    """Requests of yesterday: 30 answered by one model, 5 failures and 5 refusals of another."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - 24 * HOUR
    write(hour=hour, rows=30, total_ms=100)
    write(hour=hour + HOUR, rows=5, model="slow/one", vendor="slow", total_ms=9_000, status=502)
    write(hour=hour + HOUR, rows=5, model="slow/one", vendor="slow", total_ms=9_000, status=429)
    feed.run(now=timezone.now())
    return archive


def page(client, name, **options):
    return client.get(reverse(f"admin:logs_archivebatch_{name}"), options)


def test_analytics_tell_models_latency_and_error_rates(fed):
    found = report.read(sinks.connect(fed.config), today=timezone.now().date(), days=7)
    assert [(line.name, line.requests) for line in found.models] == [
        ("openai/gpt-5", 30), ("slow/one", 10),
    ]  # fmt: skip
    quick, slow = found.models
    assert (slow.errors, slow.failures) == (10, 5)
    assert (quick.errors, quick.failures) == (0, 0)
    assert 100 <= quick.p50_ms <= 120
    assert 9_000 <= slow.p99_ms <= 10_800
    assert found.total.requests == sum(line.requests for line in found.days) == 40
    assert len(found.days) == 7
    assert [line.name for line in found.vendors] == ["openai", "slow"]


def test_no_day_is_counted_from_rows_and_sums(fed):
    now = timezone.now()
    for account_id in range(1, 25):
        write(hour=now - 3 * DAY, rows=1, account_id=account_id)
    feed.run(now=now + DAY)
    before = report.read(sinks.connect(fed.config), today=now.date(), days=90).total
    feed.run(now=now + 29 * DAY)  # sums of the oldest day, rows of the newer ones
    after = report.read(sinks.connect(fed.config), today=now.date(), days=90).total
    assert (after.requests, after.cost_nusd) == (before.requests, before.cost_nusd)


def test_the_pages_are_shown(staff, fed, django_assert_max_num_queries):
    for name in ("analytics", "health", "changelist"):
        with django_assert_max_num_queries(QUERIES_MAX):
            answer = page(staff, name)
        assert answer.status_code == 200
    assert "in step" in page(staff, "health").content.decode()
    text = page(staff, "analytics", days=90).content.decode()
    assert "slow/one" in text
    assert "25.00%" in text
    assert page(staff, "analytics", days="nonsense").context["days"] == 30


def test_the_pages_say_that_there_is_no_archive(staff, settings):
    settings.ARCHIVE = Config()
    for name in ("analytics", "health"):
        assert "There is no archive" in page(staff, name).content.decode()


def test_the_pages_say_that_the_archive_is_away(staff, fed):
    write(hour=timezone.now() - 5 * HOUR, rows=1)
    ArchiveBatch.objects.update(due_at=timezone.now())
    fed.go_away()
    try:
        feed.run(now=timezone.now())
        assert "The archive is away" in page(staff, "analytics").content.decode()
        text = page(staff, "health").content.decode()
        assert "cannot be reached" in text
        assert "in step" not in text
    finally:
        fed.come_back()


def test_only_staff_with_the_permission_see_them(client, archive):
    user = factories.user("helper", is_staff=True)
    client.force_login(user)
    for name in ("analytics", "health"):
        assert page(client, name).status_code == 403


def test_metrics_tell_the_lag(fed, client):
    write(hour=timezone.now() - 5 * HOUR, rows=1)
    ArchiveBatch.objects.update(due_at=timezone.now(), sent_at=None)
    text = client.get(reverse("metrics")).content.decode()
    (line,) = [each for each in text.splitlines() if each.startswith("bnr_archive_lag_seconds ")]
    assert float(line.split()[1]) > dt.timedelta(hours=20).total_seconds()
