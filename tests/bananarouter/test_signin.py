"""Sign-up with all its fields, second thoughts about it, other sites, the security page."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts import consents
from accounts.models import Account, Consent, User
from tests import factories, mailbox

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def printed_code(capsys) -> str:
    return re.findall(r"^SMS to \S+: (\d{6})", capsys.readouterr().out, re.MULTILINE)[-1]


# Sign-up


def test_what_was_agreed_to_is_recorded():
    factories.sign_up(Client(), "eve", allows_cross_border="on", country="CN")
    user = User.objects.get()
    given = {row.purpose for row in Consent.objects.filter(user=user, action="given")}
    assert given == {"terms", "privacy", "cross_border"}
    account = factories.account_of(user)
    assert account.country == "CN"
    assert account.country_attested_at is not None


def test_nothing_is_agreed_to_that_was_not_ticked():
    factories.sign_up(Client(), "eve")
    user = User.objects.get()
    assert not consents.is_given(user=user, purpose=Consent.Purpose.CROSS_BORDER)
    account = factories.account_of(user)
    assert (account.country, account.country_attested_at) == ("", None)


def test_who_owns_it_is_asked_only_where_a_vendor_excludes_countries():
    assert "attests_ownership" not in text_of(Client().get(reverse("account_signup")))
    factories.sign_up(Client(), "eve", attests_ownership="on")
    assert factories.account_of(User.objects.get()).ownership_attested_at is None


@pytest.mark.usefixtures("openai_on_offer")
def test_a_vendor_that_excludes_countries_has_country_and_owner_asked():
    page = text_of(Client().get(reverse("account_signup")))
    assert "owns half or more of what I act for: China, Cuba" in page
    assert "Vendors that refuse such owners: OpenAI." in page
    refused = factories.sign_up(Client(), "eve", attests_ownership="on")
    assert "This field is required." in text_of(refused)
    assert not User.objects.exists()


@pytest.mark.usefixtures("openai_on_offer")
@pytest.mark.parametrize("said", [{"attests_ownership": "on"}, {}])
def test_what_is_said_of_owners_is_recorded_with_its_time(said):
    factories.sign_up(Client(), "eve", country="FR", **said)
    account = factories.account_of(User.objects.get())
    assert account.country == "FR"
    assert (account.ownership_attested_at is not None) == bool(said)


def test_a_display_name_names_user_and_account():
    factories.sign_up(Client(), "eve", display_name="Eve <b>")
    user = User.objects.get()
    assert user.get_full_name() == "Eve <b>"
    assert factories.account_of(user).name == "Eve <b>"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("accepts_policies", "", "Without this we may not serve you."),
        ("phone", "13800138000", "Write the whole number with its country code"),
        ("country", "XX", "Select a valid choice"),
        ("email", "eve@", "Enter a valid email address"),
        ("username", "", "This field is required"),
        ("password1", "password", "too common"),
        ("display_name", "x" * 81, "at most 80"),
    ],
)
def test_a_wrong_field_is_explained_beside_it_and_makes_nobody(field, value, said):
    response = factories.sign_up(Client(), "eve", **{field: value})
    page = text_of(response)
    assert said in page
    assert 'aria-invalid="true"' in page
    assert not User.objects.exists()
    if field != "email":
        assert 'value="eve@example.com"' in page


def test_a_username_that_is_taken_is_refused_in_any_case():
    factories.user("alice")
    page = text_of(factories.sign_up(Client(), "ALICE", email="other@example.com"))
    assert "Somebody has this username" in page


def test_a_code_is_refused_three_times_and_then_no_more():
    client = Client()
    factories.sign_up(client, "eve")
    confirm = reverse("account_email_verification_sent")
    for _ in range(2):
        assert "This is not the code" in text_of(client.post(confirm, {"code": "0000-0000"}))
    response = client.post(confirm, {"code": "0000-0000"})
    assert response["Location"] == reverse("account_login")
    assert client.get(confirm).status_code == 302
    factories.prove_address(client, "eve")
    assert not EmailAddress.objects.filter(verified=True).exists()


def test_the_console_is_named_only_where_it_is_used(settings):
    client = Client()
    factories.sign_up(client, "eve")
    confirm = reverse("account_email_verification_sent")
    assert "printed on the terminal" not in text_of(client.get(confirm))
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "printed on the terminal" in text_of(client.get(confirm))


def test_starting_again_frees_address_and_username():
    client = Client()
    factories.sign_up(client, "eve", email="eev@example.com")
    response = client.post(reverse("signup_again"))
    assert response["Location"] == reverse("account_signup")
    assert not User.objects.exists()
    assert not Account.objects.exists()
    assert client.get(reverse("account_signup")).status_code == 200
    factories.sign_up(client, "eve")
    factories.prove_address(client, "eve")
    assert User.objects.get().email == "eve@example.com"


def test_starting_again_removes_nobody_who_was_ever_in():
    alice = factories.user("alice", password=factories.PASSWORD)
    client = Client()
    client.force_login(alice)
    client.post(reverse("signup_again"))
    stranger = Client()
    stranger.post(reverse("signup_again"))
    factories.sign_up(stranger, "other", email=alice.email)  # nobody new: the address is known
    stranger.post(reverse("signup_again"))
    assert list(User.objects.all()) == [alice]


def test_a_sign_up_that_proved_its_address_is_not_undone():
    client = Client()
    factories.sign_up(client, "eve", phone="+8613800138000")
    factories.prove_address(client, "eve")  # waits for the phone now
    client.post(reverse("signup_again"))
    assert User.objects.filter(username="eve").exists()


@pytest.mark.clause("1.1-phone")
@pytest.mark.clause("1.1-email")
def test_a_phone_is_proved_after_the_address_and_kept_only_then(capsys):
    client = Client()
    factories.sign_up(client, "eve", phone="+86 138 0013 8000")
    assert capsys.readouterr().out == ""  # no message before the address is proved
    response = factories.prove_address(client, "eve")
    assert response["Location"] == reverse("account_verify_phone")
    assert User.objects.get().phone == ""
    page = text_of(client.get(reverse("account_verify_phone")))
    assert "+8613800138000" in page
    assert "printed on the terminal" in page
    client.post(reverse("account_verify_phone"), {"code": printed_code(capsys)})
    user = User.objects.get()
    assert user.phone == "+8613800138000"
    assert user.phone_verified_at is not None
    assert client.get(reverse("overview")).status_code == 200


def test_a_phone_can_be_left_out_at_last():
    client = Client()
    factories.sign_up(client, "eve", phone="+8613800138000")
    factories.prove_address(client, "eve")
    client.post(reverse("phone_skip"))
    assert client.get(reverse("overview")).status_code == 200
    assert User.objects.get().phone == ""
    page = text_of(client.get(reverse("account_change_phone")))
    assert "+8613800138000" not in page


def test_a_carrier_that_fails_does_not_end_the_sign_up(settings, caplog):
    settings.SMS_BACKEND = "accounts.sms_backends.Twilio"
    settings.TWILIO_URL = "http://127.0.0.1:1"
    client = Client()
    factories.sign_up(client, "eve", phone="+8613800138000")
    response = factories.prove_address(client, "eve", follow=True)
    assert "The text message could not be sent" in text_of(response)
    assert "8613800138000" not in caplog.text
    client.post(reverse("phone_skip"))
    assert client.get(reverse("overview")).status_code == 200


def test_too_many_messages_to_a_phone_are_refused_with_a_page():
    alice = factories.user("alice")
    client = Client()
    client.force_login(alice)
    first = client.post(reverse("account_change_phone"), {"phone": "+8613800138000"})
    assert first.status_code == 302
    second = client.post(reverse("account_change_phone"), {"phone": "+8613800138000"})
    assert second.status_code == 429
    assert "Too many tries" in text_of(second)


def test_wrong_passwords_shut_out_but_a_code_still_lets_in():
    factories.user("alice", password=factories.PASSWORD)
    client = Client()
    login = reverse("account_login")
    for _ in range(5):
        client.post(login, {"login": "alice@example.com", "password": "wrong"})
    right = {"login": "alice@example.com", "password": factories.PASSWORD}
    assert "Too many wrong tries" in text_of(client.post(login, right))
    client.post(reverse("account_request_login_code"), {"email": "alice@example.com"})
    code = mailbox.latest_code("alice@example.com")
    client.post(reverse("account_confirm_login_code"), {"code": code})
    assert client.get(reverse("overview")).status_code == 200


def test_a_forgotten_password_is_reset_by_code():
    factories.user("alice", password="an old pass phrase")
    client = Client()
    client.post(reverse("account_reset_password"), {"email": "alice@example.com"})
    code = mailbox.latest_code("alice@example.com")
    client.post(reverse("account_confirm_password_reset_code"), {"code": code})
    response = client.post(
        reverse("account_complete_password_reset"), {"password1": factories.PASSWORD}, follow=True
    )
    assert "Log in with the new one" in text_of(response)
    assert mailbox.subjects("alice@example.com")[-1] == "Your password was changed"
    client.post(reverse("account_login"), {"login": "alice", "password": factories.PASSWORD})
    assert client.get(reverse("overview")).status_code == 200


def test_an_address_is_changed_by_code_after_the_password(client):
    alice = factories.user("alice", password=factories.PASSWORD)
    client.post(reverse("account_login"), {"login": "alice", "password": factories.PASSWORD})
    change = {"email": "new@example.com", "action_add": "1"}
    response = client.post(reverse("account_email"), change)
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    client.post(response["Location"], {"password": factories.PASSWORD})
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    code = mailbox.latest_code("new@example.com")
    client.post(reverse("account_email_verification_sent"), {"code": code})
    alice.refresh_from_db()
    assert alice.email == "new@example.com"
    assert EmailAddress.objects.get().email == "new@example.com"
    assert mailbox.subjects("alice@example.com") == ["Your email address was changed"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_mails_speak_the_language_of_the_page_and_name_no_stranger(language):
    factories.user("alice", password=factories.PASSWORD)
    client = Client(headers={"accept-language": language})
    client.post(reverse("account_request_login_code"), {"email": "alice@example.com"})
    client.post(reverse("account_reset_password"), {"email": "alice@example.com"})
    client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    assert len(mail.outbox) == 3
    for message in mail.outbox:
        assert "BananaRouter" in message.body
        assert ("登录" in message.body or "密码" in message.body) == (language != "en")
        assert "alice" not in message.body
        assert not re.search(r"\{\{|\{%|&#|&quot;", message.subject + message.body)


# The security page


def test_the_security_page_tells_how_things_stand(django_assert_max_num_queries):
    alice = factories.user("alice", password=factories.PASSWORD)
    SocialAccount.objects.create(user=alice, provider="github", uid="1")
    client = Client()
    client.force_login(alice)
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(reverse("security"))
    page = text_of(response)
    for said in ("alice@example.com", "Add a passkey", "Set up", "Add a phone", "GitHub"):
        assert said in page
    assert "Recovery codes" not in page
    assert "no-store" in response["Cache-Control"]
    assert client.get("/accounts/2fa/", follow=True).redirect_chain[-1][0] == reverse("security")


def test_the_security_page_of_another_user_is_ones_own():
    factories.user("alice")
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    page = text_of(mallory.get(reverse("security")))
    assert "alice" not in page
    assert Client().get(reverse("security")).status_code == 302


def test_a_phone_number_is_removed_by_its_user_alone():
    alice = factories.user("alice")
    alice.phone, alice.phone_verified_at = "+8613800138000", alice.date_joined
    alice.save()
    mallory, client = Client(), Client()
    mallory.force_login(factories.user("mallory"))
    mallory.post(reverse("phone_forget"))
    alice.refresh_from_db()
    assert alice.phone == "+8613800138000"
    client.force_login(alice)
    assert "+86 138 0013 8000" in text_of(client.get(reverse("security")))
    client.post(reverse("phone_forget"))
    alice.refresh_from_db()
    assert (alice.phone, alice.phone_verified_at) == ("", None)


def test_passkeys_are_offered_under_a_name_only():
    assert "Log in with a passkey" in text_of(Client().get(reverse("account_login")))
    bare = Client(headers={"host": "127.0.0.1:8000"})
    assert "Log in with a passkey" not in text_of(bare.get(reverse("account_login")))
    bare.force_login(factories.user("alice"))
    page = text_of(bare.get(reverse("mfa_add_webauthn")))
    assert "http://localhost:8000/accounts/2fa/webauthn/add/" in page


# Other sites, against a local one that plays them


class Site:
    """A local OAuth server: a token for a code, and a user for a token."""

    def __init__(self) -> None:
        self.user = {"id": 7, "login": "octo", "name": "Octo Cat", "avatar_url": "x", "bio": "x"}
        self.emails = [{"email": "octo@example.com", "primary": True, "verified": True}]
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(body))
                right = {"client_id": "id", "client_secret": "hush", "code": "right"}
                if not right.items() <= fields.items() or "code_verifier" not in fields:
                    return self.answer({"error": "bad_verification_code"})
                return self.answer({"access_token": "token", "token_type": "bearer"})

            def do_GET(self):
                assert self.headers["Authorization"] in {"token token", "Bearer token"}
                self.answer(site.emails if self.path.endswith("/emails") else site.user)

            def answer(self, content):
                site.asked.append(self.path)
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def site(settings, monkeypatch):
    server = Site()
    app = {"APPS": [{"client_id": "id", "secret": "hush"}], "OAUTH_PKCE_ENABLED": True}
    settings.SOCIALACCOUNT_PROVIDERS = {"github": app, "google": app}
    for adapter, addresses in (
        (GitHubOAuth2Adapter, ("access_token_url", "profile_url", "emails_url")),
        (GoogleOAuth2Adapter, ("access_token_url", "identity_url")),
    ):
        for name in addresses:
            path = {"emails_url": "/user/emails", "access_token_url": "/token"}.get(name, "/user")
            monkeypatch.setattr(adapter, name, server.url + path)
    yield server
    server.stop()


def come_back(client, provider="github", process="login", code="right"):
    """Go to the other site by the button, allow it there, and be sent back."""
    start = client.post(f"/accounts/{provider}/login/?process={process}")
    assert start.status_code == 302
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    return client.get(f"/accounts/{provider}/login/callback/", {"code": code, "state": state})


AGREED = {"accepts_policies": "on"}


def test_without_settings_no_other_site_is_offered_or_reached():
    for name in ("account_login", "account_signup"):
        assert "Go on with" not in text_of(Client().get(reverse(name)))
    for path in ("login/", "login/callback/"):
        assert Client().get(f"/accounts/github/{path}").status_code == 404
        assert Client().post(f"/accounts/google/{path}").status_code == 404


def test_the_buttons_stand_on_both_pages(site):
    for name in ("account_login", "account_signup"):
        page = text_of(Client().get(reverse(name)))
        assert "Go on with GitHub" in page
        assert "Go on with Google" in page


def test_signing_up_with_another_site_asks_for_the_policies_too(site):
    client = Client()
    response = come_back(client)
    assert response["Location"] == reverse("socialaccount_signup")
    page = text_of(client.get(reverse("socialaccount_signup")))
    assert 'value="octo@example.com"' in page
    assert 'value="Octo Cat"' in page
    assert "Password" not in page
    form = {"email": "octo@example.com", "username": "octo", "display_name": "Octo Cat"}
    assert "Without this we may not" in text_of(client.post(reverse("socialaccount_signup"), form))
    assert not User.objects.exists()
    client.post(reverse("socialaccount_signup"), form | AGREED)
    assert client.get(reverse("overview")).status_code == 200  # the other site proved the address
    user = User.objects.get()
    assert not user.has_usable_password()
    assert consents.is_given(user=user, purpose=Consent.Purpose.TERMS)
    assert factories.account_of(user).name == "Octo Cat"


def test_little_is_kept_of_what_another_site_tells(site):
    client = Client()
    come_back(client)
    form = {"email": "octo@example.com", "username": "octo", "display_name": ""}
    client.post(reverse("socialaccount_signup"), form | AGREED)
    assert SocialAccount.objects.get().extra_data == {"login": "octo", "name": "Octo Cat"}
    again = Client()
    assert come_back(again)["Location"] == reverse("overview")
    assert SocialAccount.objects.get().extra_data == {"login": "octo", "name": "Octo Cat"}
    assert not SocialToken.objects.exists()


def test_an_address_that_another_site_has_not_proved_needs_a_code(site):
    site.emails[0]["verified"] = False
    client = Client()
    come_back(client)
    form = {"email": "octo@example.com", "username": "octo", "display_name": ""}
    response = client.post(reverse("socialaccount_signup"), form | AGREED)
    assert response["Location"] == reverse("account_email_verification_sent")
    assert client.get(reverse("overview")).status_code == 302
    factories.prove_address(client, "octo")
    assert client.get(reverse("overview")).status_code == 200


def test_a_known_address_is_not_taken_over(site):
    octo = factories.user("octo")
    client = Client()
    come_back(client)
    form = {"email": "octo@example.com", "username": "other", "display_name": ""}
    client.post(reverse("socialaccount_signup"), form | AGREED)
    assert client.get(reverse("overview")).status_code == 302
    assert not SocialAccount.objects.exists()
    assert list(User.objects.all()) == [octo]
    assert mailbox.subjects("octo@example.com") == ["You have an account already"]


def test_another_site_is_connected_and_disconnected(site):
    alice = factories.user("alice", password=factories.PASSWORD)
    client = Client()
    client.post(reverse("account_login"), {"login": "alice", "password": factories.PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": factories.PASSWORD})
    site.user = {"id": "g1", "email": "a@gmail.example", "verified_email": True, "name": "Alice"}
    come_back(client, provider="google", process="connect")
    page = text_of(client.get(reverse("socialaccount_connections")))
    assert "a@gmail.example" in page
    assert mailbox.subjects("alice@example.com") == ["Another site was connected"]
    other = Client()
    assert come_back(other, provider="google")["Location"] == reverse("overview")

    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    theirs = {"account": SocialAccount.objects.get().pk}
    mallory.post(reverse("socialaccount_connections"), theirs)
    assert SocialAccount.objects.filter(user=alice).exists()
    client.post(reverse("socialaccount_connections"), theirs)
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    ("query", "said"),
    [("error=access_denied", "Log-in cancelled"), ("error=x", "failed"), ("code=wrong", "failed")],
)
def test_what_goes_wrong_at_another_site_is_told(query, said, site):
    client = Client()
    start = client.post("/accounts/github/login/?process=login")
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    path = f"/accounts/github/login/callback/?{query}&state={state}"
    assert said in text_of(client.get(path, follow=True))


def test_an_answer_to_another_visitors_question_is_refused(site):
    start = Client().post("/accounts/github/login/?process=login")
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    stranger = Client()
    path = f"/accounts/github/login/callback/?code=right&state={state}"
    assert "failed" in text_of(stranger.get(path, follow=True))
    assert site.asked == []
