"""Writing to the operator: opened once, followed by a link, and no right without a proof."""

import datetime as dt
import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import contact, contact_links
from accounts.models import ContactRequest
from bananarouter.pages.contact import limits, words
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def cold():
    cache.clear()


@pytest.fixture
def alice():
    return factories.user("alice", password=factories.PASSWORD)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def form_id(client, url):
    return re.search(r'name="form_id" value="([^"]+)"', client.get(url).content.decode())[1]


def fields(client, **changed):
    return {
        "kind": "question", "name": "Eve", "email": "eve@example.com", "message": "How?\nPlease",
        "website": "", "form_id": form_id(client, reverse("contact")), **changed,
    }  # fmt: skip


def send(client, **changed):
    return client.post(reverse("contact"), fields(client, **changed))


def ask(kind="question", **about):
    return contact.open_request(
        kind=kind, source="form", email="eve@example.com", subject="Hi", text="How?", now=NOW,
        **about,
    )  # fmt: skip


def track(asked):
    return reverse("contact_track", args=[contact_links.track(asked)])


def test_every_kind_and_state_has_its_words():
    assert set(words.KINDS) == set(ContactRequest.Kind)
    assert set(words.STATES) == set(words.BADGES) == set(ContactRequest.State)


# Opening


def test_a_stranger_opens_a_request_and_gets_the_link_by_mail_only():
    response = send(Client())
    assert response["Location"] == reverse("contact_sent")
    opened = ContactRequest.objects.get()
    assert (opened.kind, opened.source, opened.email) == ("question", "form", "eve@example.com")
    assert (opened.sender_name, opened.subject, opened.user) == ("Eve", "How?", None)
    assert contact_links.track(opened) in mail.outbox[0].body
    assert contact_links.track(opened) not in Client().get(response["Location"]).content.decode()


def test_sending_a_form_twice_opens_one():
    client = Client()
    sent = fields(client)
    for _ in range(2):
        assert client.post(reverse("contact"), sent).status_code == 302
    assert ContactRequest.objects.count() == len(mail.outbox) == 1
    assert ContactRequest.objects.get().messages.count() == 1


@pytest.mark.parametrize("word", ["", "forged"])
def test_a_form_without_its_id_still_opens_one(word):
    assert send(Client(), form_id=word).status_code == 302
    assert ContactRequest.objects.count() == 1


def test_a_signed_in_user_is_led_to_the_request(alice):
    client = signed_in(alice)
    response = send(client, email="mallory@example.com", name="Mallory")
    opened = ContactRequest.objects.get()
    assert response["Location"] == track(opened)
    # Who is signed in need not be asked, and cannot write as somebody else.
    assert (opened.email, opened.user) == ("alice@example.com", alice)
    assert opened.account == factories.account_of(alice)
    page = client.get(reverse("contact")).content.decode()
    assert track(opened) in page
    assert 'name="email"' not in page


def test_others_requests_are_not_listed(alice):
    ask(user=alice)
    page = signed_in(factories.user("mallory")).get(reverse("contact")).content.decode()
    assert "Your requests" not in page


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("email", "nobody", "valid email"), ("message", "", "required"),
     ("kind", "abuse", "valid choice"),
     ("message", "x" * 10_001, "10000"), ("email", "", "required"), ("message", "a\x00b", "Null")],
)  # fmt: skip
def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(field, value, told):
    response = send(Client(), **{field: value, "name": "Eve of the Plains"})
    page = response.content.decode()
    error = re.search(rf'id="id_{field}_error">([^<]+)<', page)[1]
    assert told in error
    assert "Eve of the Plains" in page
    assert not ContactRequest.objects.exists()


def test_robots_hear_the_same_and_open_nothing():
    response = send(Client(), website="https://spam.example")
    assert response["Location"] == reverse("contact_sent")
    assert not ContactRequest.objects.exists()
    assert mail.outbox == []


def test_the_answer_is_the_same_for_known_and_unknown_addresses(alice):
    answers = [
        send(Client(), email=email, kind="deletion") for email in (alice.email, "no@example.com")
    ]
    assert {(a.status_code, a["Location"], a.content) for a in answers} == {
        (302, reverse("contact_sent"), b"")
    }
    assert len(mail.outbox) == 2


def test_a_network_that_writes_too_often_is_asked_to_wait(monkeypatch):
    monkeypatch.setattr(limits, "REQUESTS_PER_HOUR", 2)
    answers = [send(Client(), message=f"number {n}") for n in range(3)]
    assert [a.status_code for a in answers] == [302, 302, 429]
    page = answers[-1].content.decode()
    assert "Too many messages" in page
    assert "number 2" in page
    assert ContactRequest.objects.count() == 2


def test_the_kind_may_come_with_the_link():
    page = Client().get(reverse("contact") + "?kind=deletion").content.decode()
    assert '<option value="deletion" selected>' in page
    assert Client().get(reverse("contact") + "?kind=<x>").status_code == 200


def test_a_report_of_abuse_names_the_api_request():
    client = Client()
    request_id = "019aabcd-1234-7abc-8def-0123456789ab"
    response = client.post(
        reverse("report_abuse"),
        {"reference": f"https://x.example/requests/{request_id}", "message": "Spam", "name": "",
         "email": "eve@example.com", "form_id": form_id(client, reverse("report_abuse"))},
    )  # fmt: skip
    assert response["Location"] == reverse("contact_sent")
    opened = ContactRequest.objects.get()
    assert (opened.kind, str(opened.request_id)) == ("abuse", request_id)
    assert opened.due_at - opened.created_at < dt.timedelta(days=2, minutes=1)


# Following


def test_the_page_shows_state_words_and_due_date(django_assert_max_num_queries):
    asked = ask()
    contact.answer(asked, text="<b>So</b>", author=factories.user("staff"), now=NOW)
    with django_assert_max_num_queries(4):
        response = Client().get(track(asked))
    page = response.content.decode()
    for words_ in ("How?", "&lt;b&gt;So&lt;/b&gt;", "answered", "2026-12-01", str(asked.public_id)):
        assert words_ in page
    assert "no-store" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex"
    assert "eve@example.com" not in page


def test_a_late_answer_is_admitted():
    asked = ask()
    ContactRequest.objects.update(due_at=NOW - dt.timedelta(days=400))
    assert "We are late" in Client().get(track(asked)).content.decode()


@pytest.mark.parametrize("word", ["x", "019aabcd12347abc8def0123456789ab", "a.b.c"])
@pytest.mark.parametrize("name", ["contact_track", "contact_withdraw", "contact_confirm"])
def test_a_forged_word_finds_nothing(name, word):
    assert Client().get(reverse("contact_track", args=[word])).status_code == 404
    assert Client().post(reverse(name, args=[word])).status_code == 404


def test_a_reply_is_added_once():
    asked = ask()
    client = Client()
    sent = {"message": "More", "website": "", "form_id": form_id(client, track(asked))}
    for _ in range(2):
        assert client.post(track(asked), sent)["Location"] == track(asked)
    assert [m.text for m in asked.messages.order_by("pk")] == ["How?", "More"]


def test_one_forms_id_serves_two_requests():
    """The id of a form is bound to its request: used on another page it breaks nothing."""
    one, other = ask(), ask()
    client = Client()
    word = form_id(client, track(one))
    for asked in (one, other):
        client.post(track(asked), {"message": "More", "form_id": word})
        assert asked.messages.count() == 2


def test_a_closed_request_takes_no_reply_and_says_so():
    asked = ask()
    client = Client()
    word = form_id(client, track(asked))
    assert (
        client.post(reverse("contact_withdraw", args=[contact_links.track(asked)])).status_code
        == 302
    )
    response = client.post(track(asked), {"message": "More", "form_id": word})
    page = response.content.decode()
    assert "This request is closed" in page
    assert "<textarea" not in page
    assert asked.messages.count() == 1


# Proving


def prove(client, asked):
    return client.post(reverse("contact_prove", args=[contact_links.track(asked)]))


@pytest.mark.clause("8-contact")
def test_nothing_is_proven_by_asking(alice):
    send(signed_in(alice), kind="access")
    send(Client(), kind="deletion", email=alice.email)
    assert [asked.proven_at for asked in ContactRequest.objects.all()] == [None, None]


def test_a_fresh_log_in_proves_the_account(alice):
    asked = ask("access")
    client = Client()
    entrance = prove(client, asked)["Location"]
    assert entrance == f"{reverse('account_login')}?next={track(asked)}"
    client.force_login(alice)
    response = prove(client, asked)
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    asked.refresh_from_db()
    assert asked.proven_at is None
    response = client.post(response["Location"], {"password": "wrong"})
    asked.refresh_from_db()
    assert (response.status_code, asked.proven_at) == (200, None)
    again = f"{reverse('account_reauthenticate')}?next={track(asked)}/prove"
    response = client.post(again, {"password": factories.PASSWORD})
    asked.refresh_from_db()
    assert asked.proven_at is not None
    assert asked.user == alice
    assert response["Location"] == track(asked)


def test_a_request_of_another_user_cannot_be_proven(alice):
    asked = ask("deletion", user=alice)
    client = Client()
    mallory = factories.user("mallory", password=factories.PASSWORD)
    client.force_login(mallory)
    client.post(reverse("account_reauthenticate"), {"password": factories.PASSWORD})
    assert prove(client, asked).status_code == 404
    asked.refresh_from_db()
    assert (asked.proven_at, asked.user) == (None, alice)
    assert "Yes, this is my account" not in client.get(track(asked)).content.decode()


def test_the_mailed_link_proves_when_it_is_confirmed_not_when_it_is_opened(alice):
    send(Client(), kind="deletion", email=alice.email)
    (path,) = re.findall(r"http://localhost:8000(/contact/confirm/\S+)", mail.outbox[0].body)
    page = Client().get(path).content.decode()
    assert "Delete my account and data" in page
    assert "alice@example.com" in page
    asked = ContactRequest.objects.get()
    assert asked.proven_at is None
    response = Client().post(path)
    asked.refresh_from_db()
    assert (response["Location"], asked.user) == (track(asked), alice)
    assert asked.proven_at is not None


def test_a_proof_for_a_closed_request_changes_nothing(alice):
    asked = ask("deletion")
    word = contact_links.prove(asked, alice)
    contact.close(asked, now=NOW)
    response = Client().post(reverse("contact_confirm", args=[word]))
    assert response["Location"] == track(asked)
    asked.refresh_from_db()
    assert (asked.proven_at, asked.user) == (None, None)


@pytest.mark.parametrize("kind", ["question", "security"])
def test_what_is_no_right_asks_for_no_proof(kind):
    assert "Prove that" not in Client().get(track(ask(kind))).content.decode()


def test_a_right_asks_for_it_until_it_is_there(alice):
    asked = ask("access")
    assert "Prove that" in Client().get(track(asked)).content.decode()
    contact.prove(asked, user=alice, now=NOW)
    page = Client().get(track(asked)).content.decode()
    assert "Prove that" not in page
    assert "Account proven" in page
