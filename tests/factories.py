"""The nouns of tests, made by public operations: people with accounts, money, requests."""

import datetime as dt
import itertools
import time
import uuid

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress
from django.urls import reverse

from accounts import owners
from accounts.models import Account, ApiKey, Membership, User
from accounts.timeids import bound
from billing import ledger
from billing.models import LedgerAccount
from logs import debug, debug_captures, debug_consent, recorder
from tests import mailbox

PASSWORD = "correct horse battery staple"
_count = itertools.count(1)


def user(
    name: str, *, is_staff: bool = False, is_demo: bool = False, password: str | None = None
) -> User:
    """A user who owns an account; hashing a password takes time, so only on demand."""
    made = User.objects.create_user(
        username=name, email=f"{name}@example.com", password=password, is_staff=is_staff
    )
    EmailAddress.objects.create(user=made, email=made.email, verified=True, primary=True)
    owners.open_account(made, is_demo=is_demo)
    return made


def sign_up(client, name: str, **fields):
    """Fill in the form of a new user; the answer leads to where the address is proved."""
    form = {
        "email": f"{name}@example.com", "username": name, "password1": PASSWORD,
        "accepts_policies": "on", **fields,
    }  # fmt: skip
    return client.post(reverse("account_signup"), form)


def prove_address(client, name: str, **options):
    """Type the code that was sent to the address of a new user."""
    code = mailbox.latest_code(f"{name}@example.com")
    return client.post(reverse("account_email_verification_sent"), {"code": code}, **options)


def log_in(client, person: User, *, minutes_ago: float = 0) -> None:
    """Log a user in as if the password had been typed then: force_login leaves no note of that."""
    client.force_login(person)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": "password", "at": time.time() - minutes_ago * 60}
    ]
    session["account_authentication_methods_user"] = str(person.pk)
    session.save()


def account_of(person: User) -> Account:
    return person.accounts.get(memberships__role=Membership.Role.OWNER)


def join(person: User, account: Account, role: str = Membership.Role.DEVELOPER) -> None:
    Membership.objects.create(account=account, user=person, role=role)


def give(account: Account, amount_nusd: int) -> None:
    ledger.credit(
        account_id=account.pk,
        amount_nusd=amount_nusd,
        source=LedgerAccount.Kind.PROMOTION,
        ref=f"test-{next(_count)}",
        actor="tests",
    )


def request(account: Account, **fields) -> uuid.UUID:
    """A request that the recorder wrote; newer ones have higher ids, also within one moment."""
    at = fields.pop("at", None) or dt.datetime.now(dt.UTC)
    since_midnight = at - dt.datetime.combine(at.date(), dt.time(), tzinfo=dt.UTC)
    millis = int(since_midnight.total_seconds() * 1000)
    request_id = uuid.UUID(int=bound(at.date()).int + (millis << 80) + (7 << 76) + next(_count))
    entry = {
        "created_at": at, "surface": "chat", "model": "demo/banana", "vendor": "demo",
        "endpoint": "demo:demo/banana", "channel": "demo", "jurisdiction": "US",
        "input_tokens": 12, "output_tokens": 30, "cost_nusd": 317_000, "first_byte_ms": 210,
        "total_ms": 1_240, "status": 200, "finish_reason": "stop", **fields,
    }  # fmt: skip
    recorder.write([recorder.Entry(request_id=request_id, account_id=account.pk, **entry)])
    return request_id


def debug_session(key: ApiKey, *, minutes: int = 60, at: dt.datetime | None = None):
    """Debug mode that who made the key switched on."""
    assert key.created_by is not None
    return debug.start(
        key=key, user=key.created_by, minutes=minutes, agreed_to=debug_consent.VERSION,
        now=at or dt.datetime.now(dt.UTC),
    )  # fmt: skip


def capture(session, request_id: uuid.UUID, *, request: bytes, response: bytes) -> None:
    """What the gateway's writer stores of a request in debug mode."""
    now = dt.datetime.now(dt.UTC)
    captured = debug_captures.Captured(
        session_id=session.pk, request_id=request_id, created_at=now, request=request,
        response=response, request_bytes=len(request), response_bytes=len(response),
    )  # fmt: skip
    assert debug_captures.store(captured, now=now)
