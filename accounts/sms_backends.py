"""Carriers of text messages: the terminal, Twilio, Aliyun (Alibaba Cloud)."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.sms import NO_ANSWER, Kind, Message, SmsFailed

TIMEOUT_S = 10
ANSWER_BYTES_MAX = 64 << 10


class Console:
    """Prints messages on the terminal: for a machine of one's own."""

    def send(self, message: Message) -> None:
        sys.stdout.write(f"SMS to {message.phone}: {message.text}\n")
        sys.stdout.flush()


class Twilio:
    """Twilio's Messages resource, with basic authentication (API 2010-04-01)."""

    def send(self, message: Message) -> None:
        sid, token = settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN
        fields = {"To": message.phone, "From": settings.TWILIO_FROM, "Body": message.text}
        basic = base64.b64encode(f"{sid}:{token}".encode()).decode()
        status, answer = _post(
            f"{settings.TWILIO_URL}/2010-04-01/Accounts/{sid}/Messages.json",
            fields,
            headers={"Authorization": f"Basic {basic}"},
        )
        if status >= 300:
            raise SmsFailed(str(answer.get("code", status)))


class Aliyun:
    """Aliyun's SendSms, signed as its RPC calls are: HMAC-SHA1 over the sorted parameters.

    Source: the RPC signature of Alibaba Cloud's API gateway, Dysmsapi 2017-05-25 (2026-11).
    """

    TEMPLATES = {
        Kind.CODE: "ALIYUN_SMS_TEMPLATE",
        Kind.NOTICE: "ALIYUN_SMS_NOTICE_TEMPLATE",
    }

    def send(self, message: Message) -> None:
        fields = {
            "Action": "SendSms",
            "Version": "2017-05-25",
            "RegionId": "cn-hangzhou",
            "Format": "JSON",
            # A number of mainland China may carry its country code, too.
            "PhoneNumbers": message.phone.removeprefix("+"),
            "SignName": settings.ALIYUN_SMS_SIGN_NAME,
            "TemplateCode": getattr(settings, self.TEMPLATES[message.kind]),
            "TemplateParam": json.dumps(dict(message.parameters)),
        }
        signed = self._signed(fields, now=timezone.now(), nonce=secrets.token_hex(16))
        status, answer = _post(f"{settings.ALIYUN_SMS_URL}/", signed)
        if status >= 300 or answer.get("Code") != "OK":
            raise SmsFailed(str(answer.get("Code", status)))

    @staticmethod
    def _signed(fields: Mapping[str, str], *, now: dt.datetime, nonce: str) -> Mapping[str, str]:
        every = {
            **fields,
            "AccessKeyId": settings.ALIYUN_SMS_ACCESS_KEY_ID,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": nonce,
            "Timestamp": now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        query = "&".join(f"{_quoted(name)}={_quoted(every[name])}" for name in sorted(every))
        text = f"POST&{_quoted('/')}&{_quoted(query)}"
        key = f"{settings.ALIYUN_SMS_ACCESS_KEY_SECRET}&"
        digest = hmac.digest(key.encode(), text.encode(), hashlib.sha1)
        return {**every, "Signature": base64.b64encode(digest).decode()}


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")


def _post(
    url: str, fields: Mapping[str, str], *, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Post a form; return the status and the JSON answer. Raises: SmsFailed without one."""
    request = urllib.request.Request(  # noqa: S310 - the operator's own setting
        url, data=urllib.parse.urlencode(fields).encode(), headers=dict(headers or {})
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            return response.status, _json(response.read(ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read(ANSWER_BYTES_MAX))
    except OSError as error:
        raise SmsFailed(NO_ANSWER) from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
