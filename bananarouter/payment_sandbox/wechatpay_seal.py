"""WeChat Pay's signatures and encryption in the sandbox, and how its knobs spoil them."""

import base64
import datetime as dt
import functools
import json
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bananarouter.payment_sandbox import keys as sandbox_keys
from bananarouter.payment_sandbox.book import Knobs
from bananarouter.payment_sandbox.keys import Keys
from billing.processors import signing

CHINA = dt.timezone(dt.timedelta(hours=8))
SCHEMA = "WECHATPAY2-SHA256-RSA2048"
CLOCK_SKEW_S = 300
_PAIRS = re.compile(r'([a-z_]+)="([^"]*)"')


class Seal:
    """Signs what the sandbox says, seals notices, and checks what merchants sign."""

    def __init__(self, keys: Keys, knobs: Knobs) -> None:
        self._keys, self._knobs = keys, knobs
        self._merchant_pem = sandbox_keys.public_pem(keys.merchant_key)

    def is_merchants(self, authorization: str, method: str, target: str, body: bytes) -> bool:
        """Tell whether a request's Authorization is our merchant's, of now."""
        scheme, _, rest = authorization.partition(" ")
        said = dict(_PAIRS.findall(rest))
        ours = (self._keys.wechatpay_mchid, self._keys.wechatpay_serial)
        if scheme != SCHEMA or (said.get("mchid"), said.get("serial_no")) != ours:
            return False
        at, nonce = said.get("timestamp", ""), said.get("nonce_str", "")
        if not at.isdecimal() or abs(time.time() - int(at)) > CLOCK_SKEW_S:
            return False
        message = f"{method}\n{target}\n{at}\n{nonce}\n".encode() + body + b"\n"
        return signing.is_signed(self._merchant_pem, said.get("signature", ""), message)

    def of_answer(self, body: bytes) -> dict[str, str]:
        """Return the headers that sign an answer: right, whatever the knobs do to notices."""
        return self._signed(body, *self._key(), at=time.time())

    def of_notice(self, body: bytes) -> dict[str, str]:
        """Return the headers that sign a notice, as well as the knobs let it."""
        serial, pem = self._key()
        if self._knobs.key == "other":
            pem = _stranger()
        signed = self._signed(body, serial, pem, at=time.time() + self._knobs.clock_s)
        return {**signed, "Content-Type": "application/json"}

    def _key(self) -> tuple[str, str]:
        keys = self._keys
        if self._knobs.key == "platform":
            return keys.wechatpay_platform_serial, keys.wechatpay_platform_key
        return keys.wechatpay_public_key_id, keys.wechatpay_key

    def _signed(self, body: bytes, serial: str, pem: str, *, at: float) -> dict[str, str]:
        moment, nonce = str(int(at)), secrets.token_hex(16)
        message = f"{moment}\n{nonce}\n".encode() + body + b"\n"
        return {
            "Wechatpay-Serial": serial,
            "Wechatpay-Signature": signing.sign(pem, message),
            "Wechatpay-Timestamp": moment,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature-Type": SCHEMA,
        }

    def sealed(self, plain: bytes, associated: str) -> dict[str, str]:
        """Return what AES-256-GCM makes of a text under the APIv3 key."""
        nonce = secrets.token_hex(6)
        key = self._keys.wechatpay_api_v3_key.encode()
        raw = AESGCM(key).encrypt(nonce.encode(), plain, associated.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": associated,
            "ciphertext": base64.b64encode(raw).decode(),
        }

    def event(self, kind: str, facts: Mapping[str, Any]) -> bytes:
        """Return a notice's body; all copies and attempts of it are the same notice."""
        of = "transaction" if kind.startswith("TRANSACTION") else "refund"
        resource = self.sealed(json.dumps(facts, ensure_ascii=False).encode(), of)
        return json.dumps(
            {
                "id": f"EV-{secrets.token_hex(16)}",
                "create_time": dt.datetime.now(CHINA).isoformat(timespec="seconds"),
                "resource_type": "encrypt-resource",
                "event_type": kind,
                "summary": kind,
                "resource": {**resource, "original_type": of},
            }
        ).encode()

    def misled(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return a notice's facts, with what the knob `wrong` falsifies."""
        found, wrong = {**facts, "amount": {**facts["amount"]}}, self._knobs.wrong
        if wrong == "amount":
            found["amount"]["total"] += 1
        elif wrong == "currency":
            found["amount"]["currency"] = "USD"
        elif wrong == "merchant":
            found["mchid"] = "1999999999"
        return found


@functools.cache
def _stranger() -> str:
    return sandbox_keys.make().wechatpay_key
