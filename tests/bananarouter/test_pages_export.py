"""Settings > Privacy > a copy of one's data, as its user meets it."""

import asyncio
import datetime as dt
import io
import re
import zipfile

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import downloads, exports
from accounts.models import Export
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "settings_export"
QUERIES_MAX = 12


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.EXPORT_DIR = tmp_path / "exports"
    return settings.EXPORT_DIR


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def client(alice):
    found = Client()
    found.force_login(alice)
    return found


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def ready(client, alice) -> Export:
    """An export that was asked for on the page, with a file that a builder would have written."""
    client.post(reverse(PAGE))
    made = Export.objects.get(user=alice)
    exports._file(made).write_bytes(_zip())
    now = timezone.now()
    Export.objects.update(
        state="ready", sha256="ab" * 32, bytes=4_200_000, rows=1_234, ended_at=now,
        expires_at=now + exports.LIFETIME,
    )  # fmt: skip
    made.refresh_from_db()
    return made


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.json"), "{}" * 300_000)
    return file.getvalue()


def url(name, export) -> str:
    return reverse(name, args=[export.public_id])


def test_it_is_asked_for_once_however_often_the_button_is_pressed(alice, client):
    for _ in range(2):
        response = client.post(reverse(PAGE), follow=True)
    assert Export.objects.get(user=alice).state == "waiting"
    page = text_of(response)
    assert "Your copy is next" in page
    assert 'http-equiv="refresh"' in page
    assert "Make a copy" not in page


def test_progress_is_shown_and_asked_for_until_it_ends(
    alice, client, django_assert_max_num_queries
):
    client.post(reverse(PAGE))
    made = Export.objects.get(user=alice)
    builder = made.public_id
    Export.objects.update(
        state="building", builder=builder, beat_at=timezone.now(), rows_total=4_000, rows_done=1_000
    )
    with django_assert_max_num_queries(QUERIES_MAX):
        part = text_of(client.get(url("export_progress", made)))
    assert 'value="25"' in part
    assert "500 of 2,000 rows" in part
    assert "every 1s" in part
    Export.objects.update(state="failed", failure="disk_full")
    part = text_of(client.get(url("export_progress", made)))
    assert "no room for it on our disk" in part
    assert "every 1s" not in part


def test_it_is_canceled(alice, client):
    client.post(reverse(PAGE))
    made = Export.objects.get(user=alice)
    page = text_of(client.post(url("export_cancel", made), follow=True))
    made.refresh_from_db()
    assert made.state == "canceled"
    assert "Canceled. Nothing was kept." in page
    assert "Make a new copy" in page


def test_a_ready_one_is_downloaded_by_the_browser_that_asked(alice, client):
    made = ready(client, alice)
    page = text_of(client.get(reverse(PAGE)))
    assert "4.0 MB, 1,234 rows" in page
    response = client.get(url("export_download", made))
    assert response["Content-Disposition"] == 'attachment; filename="bananarouter-export.zip"'
    assert "no-store" in response["Cache-Control"]
    assert b"".join(response) == _zip()
    made.refresh_from_db()
    assert made.downloads == 1


def test_another_session_of_the_user_is_told_why_it_may_not(alice, client):
    made = ready(client, alice)
    other = Client()
    other.force_login(alice)
    response = other.get(url("export_download", made))
    assert response.status_code == 403
    assert "belongs to another session" in text_of(response)


def test_an_expired_link_says_so(alice, client):
    made = ready(client, alice)
    Export.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    response = client.get(url("export_download", made))
    assert response.status_code == 410
    assert "is not there any more" in text_of(response)
    assert "Your last copy was removed." in text_of(client.get(reverse(PAGE)))


@pytest.mark.parametrize("name", ["export_progress", "export_download"])
def test_anothers_export_does_not_exist(name, alice, client):
    made = ready(client, alice)
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    assert mallory.get(url(name, made)).status_code == 404
    assert mallory.post(url("export_cancel", made)).status_code == 404


def test_asking_and_downloading_need_a_fresh_log_in():
    pat = factories.user("pat", password=factories.PASSWORD)
    client = Client()
    client.force_login(pat)  # a session that somebody may have found open
    response = client.post(reverse(PAGE))
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    assert not Export.objects.exists()
    target = f"{reverse('account_reauthenticate')}?next={reverse(PAGE)}"
    client.post(target, {"password": factories.PASSWORD})
    made = Export.objects.get(user=pat)  # what was sent before goes on by itself
    now = timezone.now()
    Export.objects.update(
        state="ready", sha256="ab", ended_at=now, expires_at=now + exports.LIFETIME
    )
    exports._file(made).write_bytes(b"zip")
    assert b"".join(client.get(url("export_download", made))) == b"zip"
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 301
    session.save()
    response = client.get(url("export_download", made))
    assert response["Location"].startswith(reverse("account_reauthenticate"))


def test_too_many_on_a_day_are_refused_in_words(client, alice):
    for _ in range(exports.ASKED_PER_DAY_MAX):
        client.post(reverse(PAGE))
        Export.objects.update(state="canceled")
    page = text_of(client.post(reverse(PAGE), follow=True))
    assert "Try again tomorrow" in page


def test_an_asgi_server_reads_the_file_in_blocks(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (downloads.Answer.block_size + 1))

    async def sizes():
        response = downloads.Answer(path.open("rb"))
        found = [len(block) async for block in response]
        response.close()
        return found

    assert asyncio.run(sizes()) == [downloads.Answer.block_size, 1]
