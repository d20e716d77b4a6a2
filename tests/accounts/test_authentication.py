import time
from types import SimpleNamespace

import pytest
from rest_framework import exceptions
from rest_framework.request import Request

from accounts import authentication, callers, keys, keytext
from accounts.authentication import ApiKeyAuthentication, HasKey, KeysAway, key_text
from accounts.models import Account, ApiKey

KEY = keytext.draw()


def warm(text, **fields):
    account = Account(id=2, name="a")
    key = ApiKey(id=1, account=account, name="k", last_four=text[-4:], **fields)
    entry = callers.Entry(key, now=time.time())
    digest = keytext.peppers().digest(text)
    keys._cache.put(digest, entry, generation=keys._cache.generation)
    return entry.caller


def request(*headers, path="/v1/models", query=b"", **known):
    scope = {"headers": list(headers), "query_string": query}
    http = SimpleNamespace(scope=scope, path=path, META={"REMOTE_ADDR": "192.0.2.7"}, **known)
    wrapped = Request.__new__(Request)
    wrapped._request = http
    return wrapped


@pytest.mark.parametrize(
    ("headers", "path", "query", "expected"),
    [
        ([(b"authorization", b"Bearer abc")], "/v1/x", b"", "abc"),
        ([(b"authorization", b"bearer  abc ")], "/v1/x", b"", "abc"),
        ([(b"authorization", b"Basic abc")], "/v1/x", b"", ""),
        ([(b"x-api-key", b"abc")], "/v1/x", b"", "abc"),
        ([(b"x-goog-api-key", b"abc")], "/v1beta/x", b"", "abc"),
        ([(b"x-api-key", b"two"), (b"authorization", b"Bearer one")], "/v1/x", b"", "one"),
        ([(b"authorization", b"Bearer one"), (b"authorization", b"Bearer two")], "/", b"", "one"),
        ([(b"authorization", b"Bearer "), (b"x-api-key", b"two")], "/v1/x", b"", "two"),
        ([], "/v1beta/models/m:generateContent", b"alt=sse&key=abc", "abc"),
        ([], "/v1/chat/completions", b"key=abc", ""),
        ([], "/v1betamax", b"key=abc", ""),
        ([], "/v1beta/x", b"&".join([b"a=b"] * 60) + b"&key=abc", ""),
        ([(b"cookie", b"session=abc")], "/v1/x", b"", ""),
    ],
)
def test_finds_the_key_where_sdks_put_it(headers, path, query, expected):
    assert key_text(headers, path=path, query=query) == expected


def test_returns_the_caller_of_a_warm_key_and_no_user():
    caller = warm(KEY)
    found = ApiKeyAuthentication().authenticate(request((b"x-api-key", KEY.encode())))
    assert found == (None, caller)


def test_takes_the_caller_that_the_gateway_verified():
    caller = warm(KEY)
    assert ApiKeyAuthentication().authenticate(request(caller=caller)) == (None, caller)


def test_no_key_is_no_identity():
    assert ApiKeyAuthentication().authenticate(request()) is None
    assert not HasKey().has_permission(SimpleNamespace(auth=None), None)
    assert HasKey().has_permission(SimpleNamespace(auth=warm(KEY)), None)


def test_a_bad_key_is_401_with_its_reason():
    with pytest.raises(exceptions.AuthenticationFailed) as caught:
        ApiKeyAuthentication().authenticate(request((b"x-api-key", b"nonsense")))
    assert caught.value.detail.code == "malformed"
    assert ApiKeyAuthentication().authenticate_header(request()) == "Bearer"


def test_the_gateways_address_is_used_for_address_rules():
    warm(KEY, allowed_ips=["203.0.113.0/24"])
    header = (b"x-api-key", KEY.encode())
    assert ApiKeyAuthentication().authenticate(request(header, source_ip="203.0.113.1"))
    with pytest.raises(exceptions.AuthenticationFailed):
        ApiKeyAuthentication().authenticate(request(header))


def test_a_key_that_cannot_be_verified_is_503(settings):
    with pytest.raises(KeysAway):  # cold: nobody has asked the database
        ApiKeyAuthentication().authenticate(request((b"x-api-key", keytext.draw().encode())))
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(KeysAway) as caught:
        ApiKeyAuthentication().authenticate(request((b"x-api-key", KEY.encode())))
    assert caught.value.status_code == 503
    assert authentication.QUERY_KEY_PATH == "/v1beta/"
