"""Requests to the operator: opened once, due in time, answered, closed."""

import datetime as dt
import uuid

import pytest
from django.utils import translation

from accounts import contact
from accounts.models import ContactMessage, ContactRequest
from tests import factories

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=3)


def ask(kind="question", *, text="How do I pay?", now=NOW, **about):
    return contact.open_request(
        kind=kind,
        source="form",
        email="a@example.com",
        subject="Hello",
        text=text,
        now=now,
        **about,
    )


def texts(request):
    return list(request.messages.order_by("pk").values_list("text", flat=True))


@pytest.mark.parametrize(("kind", "days"), contact.DUE.items())
def test_every_kind_is_due_in_its_time(kind, days):
    opened = ask(kind)
    assert opened.state == "open"
    assert opened.due_at == NOW + dt.timedelta(days=days)
    assert (opened.proven_at, opened.closed_at) == (None, None)
    assert texts(opened) == ["How do I pay?"]


def test_every_kind_has_a_due_time():
    assert set(contact.DUE) == set(ContactRequest.Kind)


def test_strangers_open_as_many_as_they_ask():
    assert ask("deletion").pk != ask("deletion").pk


def test_a_dispute_of_one_request_is_one():
    alice = factories.user("alice")
    account = factories.account_of(alice)
    about = {"user": alice, "account": account, "request_id": uuid.uuid4()}
    first = ask("dispute", **about)
    assert ask("dispute", **about).pk == first.pk
    assert texts(first) == ["How do I pay?"]
    ask("dispute", text="And it was slow.", **about)
    assert texts(first) == ["How do I pay?", "And it was slow."]
    assert ask("dispute", **{**about, "request_id": uuid.uuid4()}).pk != first.pk


def test_a_dispute_of_two_accounts_is_two():
    request_id = uuid.uuid4()
    made = [
        ask("dispute", user=user, account=factories.account_of(user), request_id=request_id)
        for user in (factories.user("alice"), factories.user("mallory"))
    ]
    assert made[0].pk != made[1].pk


def test_a_closed_dispute_opens_again_when_asked_again():
    alice = factories.user("alice")
    about = {
        "user": alice, "account": factories.account_of(alice), "request_id": uuid.uuid4()
    }  # fmt: skip
    first = ask("dispute", **about)
    contact.withdraw(first, now=NOW)
    again = ask("dispute", now=LATER, **about)
    assert (again.pk, again.state, again.closed_at) == (first.pk, "open", None)
    assert again.due_at == LATER + dt.timedelta(days=contact.DUE["dispute"])


@pytest.mark.parametrize("kind", ["access", "deletion"])
def test_a_right_is_asked_once_until_it_is_closed(kind):
    alice = factories.user("alice")
    first = ask(kind, user=alice)
    again = ask(kind, user=alice, proven=True, now=LATER)
    assert again.pk == first.pk
    assert again.proven_at == LATER
    assert ask(kind, user=factories.user("mallory")).pk != first.pk
    contact.close(first, now=NOW)
    assert ask(kind, user=alice).pk != first.pk


def test_a_second_kind_of_right_is_another_request():
    alice = factories.user("alice")
    assert ask("access", user=alice).pk != ask("deletion", user=alice).pk
    assert ask("question", user=alice).pk != ask("question", user=alice).pk


def test_the_same_form_or_mail_again_changes_nothing():
    public_id = uuid.uuid4()
    form = ask(public_id=public_id)
    mail = ask(mail_id="<1@example.com>")
    contact.add_message(form, text="More.", now=NOW)
    contact.close(mail, now=NOW)
    assert ask(public_id=public_id).pk == form.pk
    assert ask(mail_id="<1@example.com>").pk == mail.pk
    mail.refresh_from_db()
    assert mail.state == "closed"
    assert texts(form) == ["How do I pay?", "More."]
    assert ContactMessage.objects.count() == 3


def test_another_users_question_is_never_taken_for_the_same():
    """A repeated form id finds that form's request, not another one of the same user."""
    alice = factories.user("alice")
    ask(user=alice)
    public_id = uuid.uuid4()
    second = ask(user=alice, public_id=public_id)
    assert ask(user=alice, public_id=public_id).pk == second.pk


def test_an_answer_settles_and_a_reply_puts_it_back():
    staff = factories.user("staff", is_staff=True)
    opened = ask()
    contact.answer(opened, text="With Alipay.", author=staff, now=NOW)
    opened.refresh_from_db()
    assert opened.state == "answered"
    contact.add_message(opened, text="And with a card?", now=LATER)
    opened.refresh_from_db()
    assert opened.state == "open"
    assert opened.due_at == LATER + dt.timedelta(days=contact.DUE["question"])
    said = opened.messages.order_by("pk").values_list("is_from_staff", "author")
    assert list(said) == [(False, None), (True, staff.pk), (False, None)]


def test_a_reply_to_an_open_request_does_not_move_its_due_date():
    opened = ask()
    contact.add_message(opened, text="Hello?", now=LATER)
    opened.refresh_from_db()
    assert opened.due_at == NOW + dt.timedelta(days=contact.DUE["question"])


@pytest.mark.parametrize("end", [contact.close, contact.withdraw])
def test_a_closed_request_takes_nothing_more(end):
    staff = factories.user("staff", is_staff=True)
    opened = ask()
    assert end(opened, now=NOW) is True
    assert end(opened, now=LATER) is False
    assert (opened.state, opened.closed_at) == ("closed", NOW)
    with pytest.raises(contact.RequestClosed):
        contact.add_message(opened, text="More.", now=NOW)
    with pytest.raises(contact.RequestClosed):
        contact.answer(opened, text="No.", author=staff, now=NOW)
    assert texts(opened) == ["How do I pay?"]


def test_a_mail_is_added_once():
    opened = ask()
    for _ in range(2):
        contact.add_message(opened, text="By mail.", now=NOW, mail_id="<2@example.com>")
    assert texts(opened) == ["How do I pay?", "By mail."]


def test_proof_names_the_user():
    alice = factories.user("alice")
    opened = ask("access")
    proven = contact.prove(opened, user=alice, now=LATER)
    assert (proven.pk, proven.user, proven.proven_at) == (opened.pk, alice, LATER)


def test_proof_joins_what_the_user_asked_before():
    alice = factories.user("alice")
    first = ask("access", user=alice)
    second = ask("access", text="From outside.")
    proven = contact.prove(second, user=alice, now=LATER)
    assert (proven.pk, proven.proven_at) == (first.pk, LATER)
    assert texts(first) == ["How do I pay?", "From outside."]
    second.refresh_from_db()
    assert second.state == "closed"


def test_a_closed_request_cannot_be_proven():
    opened = ask("access")
    contact.close(opened, now=NOW)
    with pytest.raises(contact.RequestClosed):
        contact.prove(opened, user=factories.user("alice"), now=NOW)
    opened.refresh_from_db()
    assert opened.proven_at is None


def test_texts_and_conversations_have_limits(monkeypatch):
    with pytest.raises(contact.TooMuch):
        ask(text="x" * (contact.TEXT_CHARS_MAX + 1))
    assert not ContactRequest.objects.exists()
    monkeypatch.setattr(contact, "MESSAGES_MAX", 2)
    opened = ask()
    contact.add_message(opened, text="2", now=NOW)
    with pytest.raises(contact.TooMuch):
        contact.add_message(opened, text="3", now=NOW)
    assert texts(opened) == ["How do I pay?", "2"]


def test_keeps_the_language_and_cuts_the_subject():
    with translation.override("zh-hans"):
        opened = contact.open_request(
            kind="question", source="form", email="a@example.com", subject="x" * 300, text="?",
            now=NOW,
        )  # fmt: skip
    assert (opened.language, len(opened.subject)) == ("zh-hans", 200)
