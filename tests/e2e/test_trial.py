"""Trial money on a running gateway: cheap models only, in every protocol, until money comes."""

import json
import urllib.error
import urllib.request

import pytest

from tests.servers import wait_until

GRANT = """
import datetime as dt
from accounts import keys, owners
from billing import trials
user = owners.register(email="eve@example.com")
account = owners.own_account(user)
trials.grant(account_id=account.pk, email_digest=b"e" * 32, phone_digest=None,
             network_digest=b"n" * 32, now=dt.datetime.now(dt.UTC))
print(keys.mint(account=account, created_by=user, name="first")[1])
"""
PAY = """
from billing import ledger
from billing.models import LedgerAccount, Trial
ledger.credit(account_id=Trial.objects.get().pk, amount_nusd=10**9, ref="paid",
              source=LedgerAccount.Kind.CLEARING_STRIPE, actor="test")
"""
HELLO = [{"role": "user", "content": "hello"}]
CALLS = {
    "openai": ("/v1/chat/completions", {"messages": HELLO, "max_tokens": 20}),
    "anthropic": ("/v1/messages", {"messages": HELLO, "max_tokens": 20}),
    "gemini": (
        "/v1beta/models/{model}:generateContent",
        {"contents": [{"parts": [{"text": "hello"}]}]},
    ),
}


def ask(gateway, key, path, body=None):
    """Return status and JSON of a request."""
    request = urllib.request.Request(  # noqa: S310 - our own gateway
        gateway.url + path, data=json.dumps(body).encode() if body else None,
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def call(gateway, key, protocol, model):
    path, body = CALLS[protocol]
    if protocol != "gemini":
        body = {**body, "model": model}
    return ask(gateway, key, path.format(model=model), body)


def code_of(told) -> str:
    error = told["error"]
    return error["details"][0]["reason"].lower() if "details" in error else error.get("code", "")


@pytest.mark.process
def test_a_trial_calls_cheap_models_until_money_opens_the_others(run_gateway):
    gateway = run_gateway()
    key = gateway.manage("shell", "-c", GRANT).stdout.split()[-1]
    for protocol in CALLS:
        assert call(gateway, key, protocol, "demo/small")[0] == 200, protocol
        status, told = call(gateway, key, protocol, "demo/fast")
        assert status == 402, protocol
        said = told["error"]["message"]
        assert "Trial money buys models of up to $4.00 for a million tokens" in said
        assert "Add money at" in said
        assert protocol == "anthropic" or code_of(told) == "trial_model"
    _, listed = ask(gateway, key, "/v1/models")
    names = {model["id"] for model in listed["data"]}
    assert "demo/small" in names
    assert not names & {"demo/fast", "demo/picture", "demo/voice", "demo/ears"}

    gateway.manage("shell", "-c", PAY)
    wait_until(
        lambda: call(gateway, key, "openai", "demo/fast")[0] == 200,
        timeout_s=3, what="the end of the restriction",
    )  # fmt: skip
    _, listed = ask(gateway, key, "/v1/models")
    assert "demo/fast" in {model["id"] for model in listed["data"]}
    gateway.manage("audit_ledger")
