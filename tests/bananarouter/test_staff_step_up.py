"""Before staff move money or decide they prove that it is them; nothing typed is lost by that."""

import re
import uuid

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import contact, step_up
from accounts.models import Takedown, User
from billing.models import (
    FapiaoRequest,
    Hold,
    PromotionCode,
    Refund,
    StaffCredit,
    StatementRow,
    Suspense,
    Wallet,
)
from tests import factories, second_factor
from tests.billing.payments import cashier
from tests.billing.payments.cashier import NOW, USD, pay

pytestmark = pytest.mark.django_db
AGAIN = reverse("account_reauthenticate")
CODE = reverse("mfa_reauthenticate")
PASSKEY = reverse("mfa_reauthenticate_webauthn")
STALE = 15


@pytest.fixture(autouse=True)
def configured(settings):
    settings.PAYMENTS = cashier.payments()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick


@pytest.fixture
def root():
    person = factories.user("root", is_staff=True, password=factories.PASSWORD)
    person.is_superuser = True
    person.save()
    return person


@pytest.fixture
def stale(client, root):
    """Staff who may do everything and logged in a quarter of an hour ago."""
    factories.log_in(client, root, minutes_ago=STALE)
    return client


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


def do(row, slug) -> str:
    name = f"{row._meta.app_label}_{row._meta.model_name}_do"
    return reverse(f"admin:{name}", args=[row.pk, slug])


def prove(client, leads_to):
    """Type the password on the page that a redirect led to."""
    assert leads_to.status_code == 302
    address, _, query = leads_to["Location"].partition("?next=")
    assert address == AGAIN
    return client.post(address, {"password": factories.PASSWORD, "next": query})


def text(answer) -> str:
    return answer.content.decode()


def every_decision(account) -> list[str]:
    """The pages on which staff decide about money, and about a report."""
    order = pay(account, processor="alipay", minor=10_000)
    common = {"processor": "stripe", "currency": "USD"}
    rows = {
        "refund": order,
        "resolve": Suspense.objects.create(
            ref="paid:x", cause="paid_twice", opened_at=NOW, **common
        ),
        "answer": FapiaoRequest.objects.create(
            order=order, title="x", email="t@example.com", created_at=NOW, updated_at=NOW
        ),
        "decide": StaffCredit.objects.create(
            account=account, amount_nusd=USD, reason="r", form_id=uuid.uuid4(),
            needs_second=True, asked_by="staff:0", asked_at=NOW,
        ),
    }  # fmt: skip
    line = StatementRow.objects.create(
        row_ref="r", day=NOW.date(), kind="payment", amount_minor=1, verdict="missing_local",
        **common,
    )  # fmt: skip
    report = contact.open_request(
        kind="abuse", source="form", email="eve@example.com", subject="Spam", text="It sends.",
        now=timezone.now(),
    )  # fmt: skip
    return [
        *(do(row, slug) for slug, row in rows.items()),
        do(line, "resolve"),
        reverse("admin:accounts_abusereport_do", args=[report.pk, "decide"]),
        reverse("admin:billing_staffcredit_add"),
        reverse("admin:billing_promotioncode_add"),
    ]


def test_every_page_of_decisions_asks_who_logged_in_a_while_ago(client, root, alice):
    pages = every_decision(alice)
    for minutes, opens in ((STALE - 1, True), (STALE, False)):
        factories.log_in(client, root, minutes_ago=minutes)
        for url in pages:
            answer = client.get(url)
            leads_to = answer.headers.get("Location", "")
            assert (answer.status_code, leads_to) == (
                (200, "") if opens else (302, f"{AGAIN}?next={url}")
            ), (minutes, url)
            if not opens:
                assert client.post(url, {"decision": "none"})["Location"] == leads_to
    assert not Takedown.objects.exists()


def test_what_was_typed_is_shown_again_after_the_proof_and_not_carried_out(stale, alice):
    order = pay(alice)
    url = do(order, "refund")
    sent = {"amount": "4.00", "reason": "asked by mail", "refunded_minor": 0, "is_forced": "on"}
    back = prove(stale, stale.post(url, sent))
    assert back["Location"] == url
    shown = text(stale.get(url))
    assert "Nothing was done yet" in shown
    for typed in ('value="4.00"', 'value="asked by mail"', "checked"):
        assert typed in shown
    assert not Refund.objects.exists()
    assert step_up.KEPT in stale.session
    assert not stale.session[step_up.KEPT]
    again = text(stale.get(url))
    assert "Nothing was done yet" not in again
    assert 'value="10.00"' in again


@pytest.mark.parametrize("is_recovery", [False, True])
def test_who_has_a_second_factor_proves_it_too_and_finds_what_was_typed(
    client, root, alice, is_recovery
):
    second_factor.activate(root)
    code = second_factor.recovery_codes(root)[0] if is_recovery else second_factor.code()
    factories.log_in(client, root, minutes_ago=STALE)
    url = do(pay(alice), "refund")
    leads_to = client.post(url, {"amount": "4.00", "reason": "r", "refunded_minor": 0})
    assert "your password first, then your second factor" in text(client.get(leads_to["Location"]))
    assert prove(client, leads_to)["Location"] == url
    # The password alone opens nothing.
    answer = client.get(url)
    assert answer["Location"] == f"{CODE}?next={url}"
    assert "Prove your second factor, too." in text(client.get(answer["Location"]))
    assert client.post(url, {"amount": "5.00"})["Location"] == answer["Location"]
    client.post(url, {"amount": "4.00", "reason": "r", "refunded_minor": 0})
    assert client.post(CODE, {"code": "000000", "next": url}).status_code == 200
    assert client.get(url).status_code == 302
    assert client.post(CODE, {"code": code, "next": url})["Location"] == url
    shown = text(client.get(url))
    assert "Nothing was done yet" in shown
    assert 'value="4.00"' in shown
    assert not Refund.objects.exists()


def test_the_second_factor_alone_is_not_enough_either(client, root, alice):
    second_factor.activate(root)
    factories.log_in(client, root, minutes_ago=STALE)
    url = do(pay(alice), "refund")
    client.post(CODE, {"code": second_factor.code(), "next": url})
    assert client.get(url)["Location"] == f"{AGAIN}?next={url}"
    assert prove(client, client.get(url))["Location"] == url
    assert client.get(url).status_code == 200


def test_both_proofs_grow_old(client, root, alice):
    second_factor.activate(root)
    url = do(pay(alice), "refund")
    for password, factor, opens in ((0, 0, None), (0, STALE, CODE), (STALE, 0, AGAIN)):
        log_in_twice(client, root, password=password, factor=factor)
        answer = client.get(url)
        assert answer.headers.get("Location") == (opens and f"{opens}?next={url}")


def log_in_twice(client, person, *, password, factor):
    """Log in by password and code, each so many minutes ago."""
    factories.log_in(client, person, minutes_ago=factor)
    (record,) = client.session[AUTHENTICATION_METHODS_SESSION_KEY]
    code = {**record, "method": "mfa", "type": "totp"}
    factories.log_in(client, person, minutes_ago=password)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        *session[AUTHENTICATION_METHODS_SESSION_KEY], code,
    ]  # fmt: skip
    session.save()


def passkey(person):
    data = {"name": "laptop", "credential": {}, "passwordless": True}
    return Authenticator.objects.create(user=person, type="webauthn", data=data)


def test_a_passkey_is_asked_for_where_it_is_the_only_factor(client, root, alice):
    passkey(root)
    factories.log_in(client, root)
    url = do(pay(alice), "refund")
    assert client.get(url)["Location"] == f"{PASSKEY}?next={url}"


def test_a_log_in_by_passkey_alone_is_both_proofs(client, root, alice):
    passkey(root)
    url = do(pay(alice), "refund")
    factories.log_in(client, root)
    for is_alone, status in ((True, 200), (False, 302)):
        session = client.session
        (record,) = session[AUTHENTICATION_METHODS_SESSION_KEY]
        session[AUTHENTICATION_METHODS_SESSION_KEY] = [
            {**record, "method": "mfa", "type": "webauthn", "passwordless": is_alone}
        ]
        session.save()
        assert client.get(url).status_code == status


def test_who_has_no_password_proves_the_second_factor(client, alice):
    person = factories.user("octocat", is_staff=True)
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    second_factor.activate(person)
    factories.log_in(client, person, minutes_ago=STALE)
    url = do(pay(alice), "refund")
    assert client.get(url)["Location"] == f"{CODE}?next={url}"
    client.post(CODE, {"code": second_factor.code(), "next": url})
    assert client.get(url).status_code == 200


def test_a_wrong_password_opens_nothing_and_loses_nothing(stale, alice):
    url = do(pay(alice), "refund")
    leads_to = stale.post(url, {"amount": "4.00", "reason": "r", "refunded_minor": 0})
    assert stale.post(leads_to["Location"], {"password": "wrong", "next": url}).status_code == 200
    assert stale.get(url).status_code == 302
    assert prove(stale, stale.get(url))["Location"] == url
    assert 'value="4.00"' in text(stale.get(url))


def test_the_credit_form_keeps_its_own_number_so_that_it_gives_once(stale, alice):
    url = reverse("admin:billing_staffcredit_add")
    sent = {
        "account": str(alice.public_id), "amount": "5.00", "reason": "An outage",
        "form_id": str(uuid.uuid4()),
    }  # fmt: skip
    prove(stale, stale.post(url, sent))
    assert f'value="{sent["form_id"]}"' in text(stale.get(url))
    assert not StaffCredit.objects.exists()
    for _ in range(2):
        stale.post(url, sent)
    assert StaffCredit.objects.count() == 1


def test_a_new_code_is_typed_once(stale):
    url = reverse("admin:billing_promotioncode_add")
    sent = {
        "code": "HELLO", "amount": "5.00", "uses_max": 100, "note": "fair",
        "starts_at_0": "2026-11-01", "starts_at_1": "08:30",
        "ends_at_0": "2026-12-01", "ends_at_1": "00:00",
    }  # fmt: skip
    prove(stale, stale.post(url, sent))
    shown = text(stale.get(url))
    for value in ("HELLO", "5.00", "2026-11-01", "08:30", "fair"):
        assert f'value="{value}"' in shown
    assert not PromotionCode.objects.exists()
    assert stale.post(url, sent).status_code == 302
    assert PromotionCode.objects.get().code == "HELLO"


def test_actions_on_chosen_rows_wait_for_the_proof(stale, alice):
    Hold.objects.create(account=alice, reason="fraud_warning", until=NOW)
    PromotionCode.objects.create(
        code="X", amount_nusd=1, uses_max=1, starts_at=NOW, ends_at=NOW, created_by="t"
    )
    pay(alice)
    wallet = Wallet.objects.get(account=alice)
    for name, action, pk in (
        ("hold", "end", alice.pk),
        ("promotioncode", "stop", PromotionCode.objects.get().pk),
        ("wallet", "freeze", wallet.pk),
    ):
        url = reverse(f"admin:billing_{name}_changelist")
        answer = stale.post(url, {"action": action, "_selected_action": [pk]})
        assert answer["Location"] == f"{AGAIN}?next={url}"
        assert "Nothing was done yet" in text(stale.get(answer["Location"]))
    wallet.refresh_from_db()
    assert not wallet.frozen
    assert PromotionCode.objects.get().is_active
    assert Hold.objects.get().until is not None
    stale.post(AGAIN, {"password": factories.PASSWORD})
    url = reverse("admin:billing_wallet_changelist")
    stale.post(url, {"action": "freeze", "_selected_action": [wallet.pk]})
    wallet.refresh_from_db()
    assert wallet.frozen


def test_the_rows_of_an_action_stay_ticked_over_the_proof(stale, alice):
    pay(alice)
    others = [factories.account_of(factories.user(name)) for name in ("bob", "carol")]
    for account in others:
        pay(account)
    wallets = {wallet.account: wallet for wallet in Wallet.objects.select_related("account")}
    chosen = [wallets[alice].pk, wallets[others[0]].pk]
    url = reverse("admin:billing_wallet_changelist")
    prove(stale, stale.post(url, {"action": "freeze", "_selected_action": chosen}))
    assert not Wallet.objects.filter(frozen=True).exists()
    shown = text(stale.get(url))
    boxes = re.findall(r'<input type="checkbox" name="_selected_action"[^>]*>', shown)
    ticked = {int(re.search(r'value="(\d+)"', box)[1]) for box in boxes if " checked" in box}
    assert (ticked, len(boxes)) == (set(chosen), 3)
    assert '<option value="freeze" selected>' in shown
    assert "these are the rows that you had ticked" in shown
    assert "Not in this list" not in shown
    assert " checked" not in text(stale.get(url))


def test_a_row_that_left_the_list_meanwhile_is_told(stale, alice):
    Hold.objects.create(account=alice, reason="fraud_warning", until=NOW)
    url = reverse("admin:billing_hold_changelist")
    prove(stale, stale.post(url, {"action": "end", "_selected_action": [alice.pk]}))
    Hold.objects.all().delete()
    assert "Not in this list any more: 1 of them." in text(stale.get(url))


def test_who_may_not_decide_is_refused_and_not_asked(client, alice):
    clerk = factories.user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
    factories.log_in(client, clerk, minutes_ago=STALE)
    assert client.get(do(pay(alice), "refund")).status_code == 403
    assert client.get(reverse("admin:billing_staffcredit_add")).status_code == 403
    assert client.get(reverse("admin:billing_promotioncode_add")).status_code == 403


def test_a_real_log_in_counts_and_a_session_without_one_does_not(root, alice):
    url = do(pay(alice), "refund")
    client = Client()
    first = client.get(url, follow=True)
    assert first.redirect_chain[-1][0].startswith(reverse("account_login"))
    typed = {"login": "root", "password": factories.PASSWORD, "next": url}
    assert client.post(reverse("account_login"), typed)["Location"] == url
    assert client.get(url).status_code == 200
    forged = Client()
    forged.force_login(root)
    assert forged.get(url)["Location"].startswith(AGAIN)


def test_the_staff_site_has_no_log_in_of_its_own(root):
    client = Client()
    url = reverse("staff_login")
    assert url == reverse("admin:login")
    typed = {"username": "root", "password": factories.PASSWORD, "next": "/staff/"}
    assert client.post(url, typed).status_code == 405
    assert "_auth_user_id" not in client.session


def test_the_limit_is_a_setting_and_the_future_is_no_proof(client, root, alice, settings):
    url = do(pay(alice), "refund")
    for minutes_ago, limit, is_fresh in (
        (0.9, 1, True), (1, 1, False), (59, 60, True), (60, 60, False), (-1, 15, False),
    ):  # fmt: skip
        settings.STAFF_CONFIRM_MINUTES = limit
        factories.log_in(client, root, minutes_ago=minutes_ago)
        assert (client.get(url).status_code == 200) is is_fresh, (minutes_ago, limit)


def test_an_old_form_is_forgotten(stale, alice):
    url = do(pay(alice), "refund")
    leads_to = stale.post(url, {"amount": "4.00", "reason": "r", "refunded_minor": 0})
    session = stale.session
    session[step_up.KEPT][url]["at"] -= step_up.KEPT_S
    session.save()
    prove(stale, leads_to)
    shown = text(stale.get(url))
    assert 'value="4.00"' not in shown
    assert "Nothing was done yet" not in shown


def test_of_many_forms_the_latest_few_are_kept_and_a_huge_one_is_not(stale, alice):
    urls = [do(pay(alice), "refund") for _ in range(step_up.FORMS_MAX + 2)]
    for url in urls:
        stale.post(url, {"amount": "4.00", "reason": "r"})
    assert set(stale.session[step_up.KEPT]) == set(urls[2:])
    stale.post(urls[-1], {"amount": "4.00", "reason": "r" * step_up.CHARS_MAX})
    assert urls[-1] not in stale.session[step_up.KEPT]


class Secretive(forms.Form):
    name = forms.CharField()
    words = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")])
    at = forms.SplitDateTimeField()
    password = forms.CharField(widget=forms.PasswordInput)
    file = forms.FileField()


def test_neither_passwords_nor_files_nor_strange_fields_are_kept(root):
    file = SimpleUploadedFile("f.txt", b"canary-of-a-file")
    sent = {
        "name": "n", "words": ["a", "b"], "at_0": "2026-11-01", "at_1": "08:00",
        "password": "canary-of-a-word", "file": file, "stray": "canary", "csrfmiddlewaretoken": "c",
    }  # fmt: skip
    request = RequestFactory().post("/staff/x/", sent)
    request.user, request.session = root, SessionStore()
    step_up.ask(request, Secretive(request.POST, request.FILES))
    assert "canary" not in str(request.session[step_up.KEPT])
    back = RequestFactory().get("/staff/x/")
    back.session = request.session
    elsewhere = RequestFactory().get("/staff/y/")
    elsewhere.session = request.session
    assert step_up.typed(elsewhere) is None
    assert dict(step_up.typed(back).lists()) == {
        "name": ["n"], "words": ["a", "b"], "at_0": ["2026-11-01"], "at_1": ["08:00"],
    }  # fmt: skip
    assert step_up.typed(back) is None


def test_who_has_no_other_proof_logs_in_anew(client, alice):
    person = factories.user("octocat", is_staff=True)
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    assert not person.has_usable_password()
    url = do(pay(alice), "refund")
    factories.log_in(client, person, minutes_ago=STALE)
    assert client.post(url, {"amount": "1"})["Location"] == f"{reverse('account_login')}?next={url}"
    assert "_auth_user_id" not in client.session
    assert not Refund.objects.exists()
