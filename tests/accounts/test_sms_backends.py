"""Each carrier against a local server that plays it and checks who calls, by its own arithmetic."""

import base64
import hashlib
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote

import pytest

from accounts import sms, sms_backends

PHONE, CODE = "+8613800138000", "042731"


class Carrier:
    """A local HTTP server that answers as scripted and remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.status, self.answer = 200, b"{}"
        carrier = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = dict(parse_qsl(body, keep_blank_values=True))
                headers = {name.lower(): value for name, value in self.headers.items()}
                carrier.requests.append((self.path, headers, fields))
                self.send_response(carrier.status)
                self.send_header("Content-Length", str(len(carrier.answer)))
                self.end_headers()
                self.wfile.write(carrier.answer)

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
def carrier():
    server = Carrier()
    yield server
    server.stop()


@pytest.fixture
def twilio(carrier, settings):
    settings.SMS_BACKEND = "accounts.sms_backends.Twilio"
    settings.TWILIO_URL, settings.TWILIO_FROM = carrier.url, "+14155550100"
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC123", "token"
    carrier.status, carrier.answer = 201, b'{"sid": "SM1", "status": "queued"}'
    return carrier


@pytest.fixture
def aliyun(carrier, settings):
    settings.SMS_BACKEND = "accounts.sms_backends.Aliyun"
    settings.ALIYUN_SMS_URL = carrier.url
    settings.ALIYUN_SMS_ACCESS_KEY_ID = "testId"
    settings.ALIYUN_SMS_ACCESS_KEY_SECRET = "testSecret"
    settings.ALIYUN_SMS_SIGN_NAME, settings.ALIYUN_SMS_TEMPLATE = "香蕉 路由", "SMS_1~*+"
    settings.ALIYUN_SMS_NOTICE_TEMPLATE = "SMS_2"
    carrier.answer = b'{"Code": "OK", "Message": "OK", "BizId": "1"}'
    return carrier


def signature_of(fields: dict[str, str], secret: str, *, method: str = "POST") -> str:
    """Alibaba Cloud's RPC signature (version 1.0), written from its description alone."""

    def coded(text: str) -> str:
        return quote(text, safe="").replace("%7E", "~").replace("+", "%20").replace("*", "%2A")

    pairs = sorted((name, text) for name, text in fields.items() if name != "Signature")
    canonical = "&".join(coded(name) + "=" + coded(text) for name, text in pairs)
    to_sign = f"{method}&%2F&" + coded(canonical)
    digest = hmac.new((secret + "&").encode(), to_sign.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def test_the_terminal_shows_the_code(capsys):
    sms.send_code(phone=PHONE, code=CODE)
    assert capsys.readouterr().out == (
        f"SMS to {PHONE}: {CODE} is your BananaRouter code. Tell it to nobody.\n"
    )


def test_twilio_gets_a_message_under_basic_authentication(twilio):
    sms.send_code(phone=PHONE, code=CODE)
    [(path, headers, fields)] = twilio.requests
    assert path == "/2010-04-01/Accounts/AC123/Messages.json"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"AC123:token"
    assert fields["To"] == PHONE
    assert fields["From"] == "+14155550100"
    assert CODE in fields["Body"]


def test_twilio_refuses_with_its_own_code(twilio):
    twilio.status, twilio.answer = 400, b'{"code": 21211, "message": "Invalid To"}'
    with pytest.raises(sms.SmsFailed) as refused:
        sms.send_code(phone=PHONE, code=CODE)
    assert refused.value.code == "21211"


def test_aliyun_gets_a_signed_call(aliyun):
    sms.send_code(phone=PHONE, code=CODE)
    [(path, _, fields)] = aliyun.requests
    assert path == "/"
    assert fields["Signature"] == signature_of(fields, "testSecret")
    assert fields["Signature"] != signature_of(fields, "testSecre")
    assert (fields["Action"], fields["Version"]) == ("SendSms", "2017-05-25")
    assert fields["PhoneNumbers"] == "8613800138000"
    assert (fields["SignName"], fields["TemplateCode"]) == ("香蕉 路由", "SMS_1~*+")
    assert json.loads(fields["TemplateParam"]) == {"code": CODE}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fields["Timestamp"])


def test_aliyun_never_uses_a_nonce_twice(aliyun):
    for _ in range(3):
        sms.send_code(phone=PHONE, code=CODE)
    assert len({fields["SignatureNonce"] for _, _, fields in aliyun.requests}) == 3


def test_the_signature_of_the_tests_is_that_of_the_manual():
    """The example in Alibaba Cloud's description of the RPC signature."""
    fields = {
        "Timestamp": "2016-02-23T12:46:24Z", "Format": "XML", "AccessKeyId": "testid",
        "Action": "DescribeRegions", "SignatureMethod": "HMAC-SHA1", "Version": "2014-05-26",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion": "1.0",
    }  # fmt: skip
    assert signature_of(fields, "testsecret", method="GET") == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (200, b'{"Code": "isv.BUSINESS_LIMIT_CONTROL"}', "isv.BUSINESS_LIMIT_CONTROL"),
        (400, b'{"Code": "SignatureDoesNotMatch"}', "SignatureDoesNotMatch"),
        (503, b"<html>", "503"),
        (200, b"[]", "200"),
    ],
)
def test_aliyun_refuses_with_its_own_code(status, answer, code, aliyun):
    aliyun.status, aliyun.answer = status, answer
    with pytest.raises(sms.SmsFailed) as refused:
        sms.send_code(phone=PHONE, code=CODE)
    assert refused.value.code == code


def test_a_carrier_that_is_away_is_a_failure(twilio, settings):
    settings.TWILIO_URL = "http://127.0.0.1:1"
    with pytest.raises(sms.SmsFailed) as failed:
        sms.send_code(phone=PHONE, code=CODE)
    assert failed.value.code == sms_backends.NO_ANSWER


def test_a_message_does_not_show_itself_in_logs():
    message = sms.Message(
        phone=PHONE, kind=sms.Kind.CODE, text=f"{CODE} is it", parameters={"code": CODE}
    )
    assert PHONE not in repr(message)
    assert CODE not in repr(message)
