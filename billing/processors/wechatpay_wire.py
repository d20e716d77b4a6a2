"""WeChat Pay's signatures, both ways, and its encryption. Keys are pinned: nothing is fetched."""

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from billing.processors import calls, config, signing
from billing.processors.base import CLOCK_SKEW_S, Refused, Unavailable
from billing.processors.wechatpay_facts import Odd, code, parsed, part

SCHEMA = "WECHATPAY2-SHA256-RSA2048"
CIPHER = "AEAD_AES_256_GCM"
# WeChat Pay sends such signatures on purpose: whoever takes them does not verify.
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
_HEADER = re.compile(r"[\x21-\x7e]{1,2048}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class Wire:
    """Speaks to WeChat Pay as one merchant, and believes only the keys that were set."""

    def __init__(self, keys: config.WeChatPay) -> None:
        self._keys = keys
        self._public = {serial.upper(): pem for serial, pem in keys.public_keys.items()}

    def call(self, method: str, path: str, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return a verified answer's JSON object. Raises: Refused, Unavailable."""
        url, body = f"{self._keys.url}{path}", b"" if said is None else orjson.dumps(said)
        answer = calls.call(method, url, headers=self._headers(method, url, body), body=body)
        headers = lowered(answer.headers)
        if "wechatpay-signature" not in headers:
            raise Unavailable(f"unsigned_{answer.status}")
        try:
            self.verify(headers, answer.body, now=time.time())
            found = parsed(answer.body) if answer.body else {}
        except Odd as error:
            raise Unavailable(f"answer_{error}") from error
        if 200 <= answer.status < 300:
            return found
        told = code(found.get("code")) or f"status_{answer.status}"
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(told)
        raise Refused(told)

    def file(self, url: str) -> bytes:
        """Return a file at WeChat Pay's own address; it carries no signature.

        Raises: Odd, Unavailable.
        """
        if urlsplit(url)[:2] != urlsplit(self._keys.url)[:2]:
            raise Odd("elsewhere")
        headers = self._headers("GET", url, b"")
        answer = calls.call("GET", url, headers=headers, bytes_max=calls.FILE_BYTES_MAX)
        if answer.status != 200:
            raise Odd(f"status_{answer.status}")
        return answer.body

    def _headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        parts, keys = urlsplit(url), self._keys
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        at, nonce = str(int(time.time())), secrets.token_hex(16)
        message = f"{method}\n{target}\n{at}\n{nonce}\n".encode() + body + b"\n"
        signature = signing.sign(keys.private_key, message)
        said = {
            "Accept": "application/json",
            "User-Agent": "BananaRouter",
            "Authorization": f'{SCHEMA} mchid="{keys.mchid}",nonce_str="{nonce}",'
            f'signature="{signature}",timestamp="{at}",serial_no="{keys.serial}"',
        }
        if body:
            said["Content-Type"] = "application/json"
        # Public-key mode: says which key the answer shall be signed with.
        ours = [serial for serial in self._public if serial.startswith(PUBLIC_KEY_PREFIX)]
        return {**said, "Wechatpay-Serial": ours[0]} if ours else said

    def client_call(self, prepay_id: str) -> dict[str, str]:
        """Return what JSAPI needs in WeChat's own browser, signed."""
        said = {
            "appId": self._keys.appid,
            "timeStamp": str(int(time.time())),
            "nonceStr": secrets.token_hex(16),
            "package": f"prepay_id={prepay_id}",
        }
        message = "".join(f"{value}\n" for value in said.values())
        signature = signing.sign(self._keys.private_key, message.encode())
        return {**said, "signType": "RSA", "paySign": signature}

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
        """Check a signature and its time; header names are in lower case. Raises: Odd."""
        names = ("serial", "signature", "timestamp", "nonce")
        serial, signature, at, nonce = (headers.get(f"wechatpay-{name}", "") for name in names)
        if not all(map(_HEADER.fullmatch, (serial, signature, at, nonce))):
            raise Odd("headers")
        if not _SECONDS.fullmatch(at) or abs(now - int(at)) > CLOCK_SKEW_S:
            raise Odd("timestamp")
        if signature.startswith(PROBE_PREFIX):
            raise Odd("probe")
        pem = self._public.get(serial.upper())
        if pem is None:
            raise Odd("unknown_serial")
        message = f"{at}\n{nonce}\n".encode() + body + b"\n"
        if not signing.is_signed(pem, signature, message):
            raise Odd("signature")

    def opened(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a callback's resource hides. Raises: Odd."""
        resource = part(event, "resource")
        if event.get("resource_type") != "encrypt-resource":
            raise Odd("resource_type")
        if resource.get("algorithm") != CIPHER:
            raise Odd("algorithm")
        names = ("nonce", "ciphertext", "associated_data")
        nonce, ciphertext, associated = (resource.get(name) or "" for name in names)
        if not all(isinstance(value, str) for value in (nonce, ciphertext, associated)):
            raise Odd("resource")
        try:
            plain = signing.open_sealed(
                self._keys.api_v3_key, nonce=nonce, associated=associated, ciphertext=ciphertext
            )
        except ValueError as error:  # BadCipher, BadKey
            raise Odd("cipher") from error
        return parsed(plain)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}
