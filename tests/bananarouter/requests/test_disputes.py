"""A charge can be disputed once, talked about, and withdrawn; by those who see it only."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import contact, keys
from accounts.models import ContactRequest
from tests import factories
from tests.bananarouter.requests.charging import charge
from tests.bananarouter.test_pages import QUERIES_MAX, text_of

pytestmark = pytest.mark.django_db
ASKED = {"reason": "tokens", "text": "I expected 12 tokens."}


@pytest.fixture
def request_id(account):
    request_id = factories.request(account)
    charge(request_id, account, cost_nusd=317_000)
    return request_id


@pytest.fixture
def url(request_id):
    return reverse("request_dispute", args=[request_id])


def dispute() -> ContactRequest:
    return ContactRequest.objects.get()


def said() -> list[str]:
    return list(dispute().messages.order_by("pk").values_list("text", flat=True))


def test_a_dispute_is_opened_from_its_request_and_found_there_again(
    client, alice, account, request_id, url
):
    page = reverse("request", args=[request_id])
    assert url in client.get(page).content.decode()
    form = text_of(client.get(url))
    assert "Do not paste prompts" in form
    response = client.post(url, ASKED, follow=True)
    assert response.redirect_chain == [(url, 302)]
    shown = text_of(response)
    assert "I expected 12 tokens." in shown
    assert "The number of tokens is wrong" in shown
    assert "waits for our answer" in shown
    found = dispute()
    assert (found.kind, found.source, found.account, found.user) == (
        "dispute", "page", account, alice,
    )  # fmt: skip
    assert found.request_id == request_id
    assert found.proven_at is not None
    assert "(tokens)" in found.subject
    assert request_id.hex in found.subject
    assert "waits for our answer" in text_of(client.get(page))
    assert "Dispute this charge" not in text_of(client.get(page))


def test_a_form_that_is_sent_twice_opens_one_dispute_with_one_message(client, url):
    for _ in range(2):
        client.post(url, ASKED)
    assert len(said()) == 1
    for _ in range(2):
        client.post(url, {"text": "More."})
    assert said()[1:] == ["More."]


def test_more_may_be_said_while_it_is_open(client, url):
    client.post(url, ASKED)
    contact.answer(
        dispute(), text="Which ones?", author=factories.user("staff"), now=timezone.now()
    )
    shown = text_of(client.get(url))
    assert "Which ones?" in shown
    assert "Support" in shown
    assert "staff" not in shown.replace("is_staff", "").replace('"card staff"', "")
    client.post(url, {"text": "The output."})
    assert said()[1:] == ["Which ones?", "The output."]
    assert dispute().state == "open"


@pytest.mark.parametrize(
    "wrong",
    [{"reason": "tokens"}, {**ASKED, "reason": "bogus"}, {**ASKED, "reason": ""},
     {**ASKED, "text": "x" * 2_001}],
)  # fmt: skip
def test_a_wrong_form_keeps_what_was_typed_and_opens_nothing(wrong, client, url):
    response = client.post(url, wrong)
    assert response.status_code == 200
    assert response.context["form"].errors
    assert wrong.get("text", "") in response.content.decode()
    assert not ContactRequest.objects.exists()


def test_a_dispute_is_withdrawn_once_and_may_be_opened_again(client, request_id, url):
    client.post(url, ASKED)
    withdraw = reverse("request_dispute_withdraw", args=[request_id])
    assert "is withdrawn" in text_of(client.post(withdraw, follow=True))
    assert dispute().state == "closed"
    assert "is withdrawn" not in text_of(client.post(withdraw, follow=True))
    shown = text_of(client.get(url))
    assert "Dispute: closed" in shown
    assert "Withdraw the dispute" not in shown
    client.post(url, {**ASKED, "text": "Once more."})
    assert dispute().state == "open"
    assert "Once more." in said()[-1]


@pytest.mark.parametrize("fields", [{"cost_nusd": 0, "state": "voided"},
                                    {"state": "open", "reason": None}])  # fmt: skip
def test_what_cost_nothing_cannot_be_disputed(fields, client, account):
    request_id = factories.request(account, cost_nusd=0)
    charge(request_id, account, **fields)
    url = reverse("request_dispute", args=[request_id])
    assert "Nothing was charged" in text_of(client.get(url))
    assert client.post(url, ASKED).status_code == 302
    assert not ContactRequest.objects.exists()


def test_others_can_neither_read_nor_write_it(client, account, alice, request_id, url, looking):
    client.post(url, ASKED)
    withdraw = reverse("request_dispute_withdraw", args=[request_id])
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    _, bob = looking("developer")  # the key is not his
    for other in (mallory, bob):
        assert other.get(url).status_code == 404
        assert other.post(url, {"text": "sly"}).status_code == 404
        assert other.post(withdraw).status_code == 404
    assert len(said()) == 1
    assert dispute().state == "open"


def test_who_made_the_key_may_dispute_what_it_did(account, looking):
    bob, client = looking("developer")
    key, _ = keys.mint(account=account, created_by=bob, name="bob's")
    request_id = factories.request(account, api_key_id=key.pk)
    charge(request_id, account, cost_nusd=5)
    client.post(reverse("request_dispute", args=[request_id]), ASKED)
    assert (dispute().account, dispute().user) == (account, bob)


def test_the_page_stays_within_its_queries(client, url, django_assert_max_num_queries):
    client.post(url, ASKED)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(url)
