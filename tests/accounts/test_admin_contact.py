"""Staff's desk: requests by due date, answered and closed, and nothing rewritten."""

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import contact, contact_links
from accounts.models import ContactRequest
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "admin:accounts_contactrequest_changelist"


@pytest.fixture
def staff():
    cache.clear()
    user = factories.user("staff", is_staff=True)
    user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def ask(kind="question", *, days_ago=0, subject="Hello", email="eve@example.com", **about):
    return contact.open_request(
        kind=kind, source="mail", email=email, subject=subject, text="How <b>?",
        now=timezone.now() - dt.timedelta(days=days_ago), **about,
    )  # fmt: skip


def change(asked):
    return reverse("admin:accounts_contactrequest_change", args=[asked.pk])


def answer(client, asked, **changed):
    url = reverse("admin:accounts_contactrequest_answer", args=[asked.pk])
    return client.post(url, {"text": "With Alipay.", **changed})


def act(client, action, *asked):
    ids = [request.pk for request in asked]
    return client.post(reverse(LIST), {"action": action, "_selected_action": ids}, follow=True)


def shown(client, **query):
    page = client.get(reverse(LIST), query).context["cl"].queryset
    return [row.subject for row in page]


def test_what_waits_comes_first_by_due_date(staff):
    ask(subject="late", days_ago=9)
    ask(subject="new")
    ask("security", subject="soon")
    answered = ask(subject="answered", days_ago=20)
    contact.answer(answered, text="x", author=staff.user, now=timezone.now())
    assert shown(staff) == ["late", "soon", "new", "answered"]
    page = staff.get(reverse(LIST)).content.decode()
    assert page.count('class="overdue"') == 1


def test_filters_and_search_find(staff):
    late = ask(subject="late", days_ago=9)
    ask("deletion", subject="right", email="bob@example.com")
    contact.close(ask(subject="closed", days_ago=9), now=timezone.now())
    assert shown(staff, overdue="yes") == ["late"]
    assert shown(staff, overdue="no") == ["right", "closed"]
    assert shown(staff, kind__exact="deletion") == ["right"]
    assert shown(staff, state__exact="closed") == ["closed"]
    assert shown(staff, source__exact="form") == []
    assert shown(staff, q="bob@exam") == ["right"]
    assert shown(staff, q=str(late.public_id)) == ["late"]
    assert shown(staff, q="Hello") == []


def test_nothing_of_a_request_can_be_rewritten(staff):
    asked = ask()
    page = staff.get(change(asked)).content.decode()
    assert "How &lt;b&gt;?" in page
    assert 'name="_save"' not in page
    assert 'name="subject"' not in page
    assert staff.post(change(asked), {"subject": "x", "state": "closed"}).status_code == 403
    assert staff.get(reverse("admin:accounts_contactrequest_add")).status_code == 403
    delete = reverse("admin:accounts_contactrequest_delete", args=[asked.pk])
    assert staff.post(delete, {"post": "yes"}).status_code == 403
    asked.refresh_from_db()
    assert (asked.subject, asked.state) == ("Hello", "open")


def test_an_answer_is_kept_and_mailed(staff):
    asked = ask()
    assert (
        staff.get(reverse("admin:accounts_contactrequest_answer", args=[asked.pk])).status_code
        == 200
    )
    assert answer(staff, asked)["Location"] == change(asked)
    asked.refresh_from_db()
    said = asked.messages.order_by("pk").last()
    assert (asked.state, said.text, said.is_from_staff) == ("answered", "With Alipay.", True)
    assert said.author == staff.user
    (sent,) = mail.outbox
    assert sent.to == ["eve@example.com"]
    assert sent.body.startswith("With Alipay.")
    assert contact_links.track(asked) in sent.body


def test_an_answer_may_close(staff):
    asked = ask()
    answer(staff, asked, close="on")
    asked.refresh_from_db()
    assert asked.state == "closed"
    assert len(mail.outbox) == 1


def test_an_empty_answer_or_one_to_a_closed_request_is_not_sent(staff):
    asked = ask()
    assert "required" in answer(staff, asked, text=" ").content.decode()
    contact.close(asked, now=timezone.now())
    answer(staff, asked)
    assert asked.messages.count() == 1
    assert mail.outbox == []
    assert "answer/" not in staff.get(change(asked)).content.decode()


def test_an_answer_about_rights_is_warned_of_without_a_proof(staff):
    asked = ask("access")
    url = reverse("admin:accounts_contactrequest_answer", args=[asked.pk])
    assert "has not proven" in staff.get(url).content.decode()
    contact.prove(asked, user=factories.user("alice"), now=timezone.now())
    assert "has not proven" not in staff.get(url).content.decode()


def test_several_are_closed_at_once(staff):
    one, other = ask(), ask()
    contact.close(other, now=timezone.now())
    assert "Closed 1 requests" in act(staff, "close", one, other).content.decode()
    one.refresh_from_db()
    assert one.state == "closed"


@pytest.mark.parametrize("kind", ["access", "correction", "deletion"])
def test_a_mail_is_filed_as_the_right_that_it_asks_for(staff, kind):
    asked = ask(days_ago=1)
    act(staff, f"as_{kind}", asked)
    asked.refresh_from_db()
    assert asked.kind == kind
    assert asked.due_at == asked.created_at + dt.timedelta(days=30)
    assert "must prove" in mail.outbox[0].body


def test_what_is_closed_or_asked_twice_is_not_filed(staff):
    alice = factories.user("alice")
    ask("deletion", user=alice)
    twice, closed = ask(user=alice), ask()
    contact.close(closed, now=timezone.now())
    page = act(staff, "as_deletion", twice, closed).content.decode()
    assert "Filed 0 requests" in page
    assert mail.outbox == []
    assert ContactRequest.objects.filter(kind="deletion").count() == 1


def test_staff_who_may_only_look_cannot_answer():
    viewer = factories.user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_contactrequest"))
    client = Client()
    client.force_login(viewer)
    asked = ask()
    assert client.get(change(asked)).status_code == 200
    assert answer(client, asked).status_code == 403
    assert b"as_deletion" not in client.get(reverse(LIST)).content
    act(client, "close", asked)
    asked.refresh_from_db()
    assert (asked.state, mail.outbox) == ("open", [])


def test_strangers_and_members_cannot_answer():
    asked = ask()
    client = Client()
    assert answer(client, asked).status_code == 302
    client.force_login(factories.user("alice"))
    assert answer(client, asked).status_code in {302, 403}
    assert asked.messages.count() == 1


def test_an_answer_to_nothing_is_a_404(staff):
    url = reverse("admin:accounts_contactrequest_answer", args=[12345])
    assert staff.post(url, {"text": "x"}).status_code == 404
