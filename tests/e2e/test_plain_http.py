"""With TLS in front, what comes without it is redirected or refused, and cookies stay home."""

import http.client

import pytest


@pytest.fixture
def ask(run_gateway):
    """Return `ask(method, path, scheme)`: a request as the proxy in front passes it on."""
    gateway = run_gateway(
        HTTPS="true", PUBLIC_URL="https://bananas.example", ALLOWED_HOSTS="bananas.example",
        TRUSTED_PROXY_HOPS="1", PAYMENT_SANDBOX="false",
    )  # fmt: skip

    def send(method, path, scheme):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        headers = {
            "Host": "bananas.example", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": scheme,
            "Authorization": f"Bearer {gateway.key}",
        }  # fmt: skip
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    return send


@pytest.mark.clause("4.2-tls")
def test_plain_http_is_redirected_and_the_api_refuses_it(ask):
    answer, _ = ask("GET", "/accounts/login/?next=/keys", "http")
    assert answer.status == 301
    assert answer.headers["Location"] == "https://bananas.example/accounts/login/?next=/keys"
    assert "Set-Cookie" not in answer.headers
    answer, body = ask("GET", "/v1/models", "http")
    assert (answer.status, b"https_required" in body) == (403, True)
    assert "Location" not in answer.headers  # a redirect would let clients go on sending keys
    answer, body = ask("GET", "/v1/models", "https")
    assert answer.status == 200
    assert b"demo/banana" in body
    answer, _ = ask("GET", "/accounts/login/", "https")
    assert answer.status == 200
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    cookies = answer.headers.get_all("Set-Cookie")
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)
