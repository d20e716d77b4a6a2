"""Stripe's events: signed as Stripe signs them, as well or as badly as the knobs say."""

import copy
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from bananarouter.payment_sandbox import delivery
from bananarouter.payment_sandbox.delivery import Parcel
from bananarouter.payment_sandbox.desk import Desk
from bananarouter.payment_sandbox.stripe_shapes import API_VERSION, Json

EVENTS_MAX = 10_000
_AMOUNTS = ("amount_total", "amount", "amount_received")


class Events:
    """The log of what happened; each is told to the endpoint and keeps its id in every try."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.log: list[Json] = []

    def tell(self, endpoint: str, kind: str, about: Json, **more: Any) -> None:
        """Log an event and deliver it; without an endpoint nobody listens."""
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": API_VERSION,
            "created": int(time.time()),
            "type": kind,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "data": {"object": copy.deepcopy(about), **more},
        }
        self.log = [*self.log[-EVENTS_MAX:], event]
        if endpoint:
            body = json.dumps(self._spoiled(event), indent=2).encode()
            knobs = self._desk.book.knobs
            delivery.send(lambda: self._signed(endpoint, body), _accepts, knobs=knobs)

    def _signed(self, url: str, body: bytes) -> Parcel:
        knobs = self._desk.book.knobs
        at = int(time.time() + knobs.clock_s)
        key = "whsec_stranger" if knobs.key == "other" else self._desk.keys.stripe_webhook_secret
        mac = hmac.new(key.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": f"t={at},v1={mac}",
            "User-Agent": "Stripe/1.0 (sandbox)",
        }
        return Parcel(url=url, body=body, headers=headers)

    def _spoiled(self, event: Json) -> Json:
        """What a confused or hostile processor would say; the log keeps what is so."""
        wrong, told = self._desk.book.knobs.wrong, copy.deepcopy(event)
        about = told["data"]["object"]
        if wrong == "amount":
            for name in _AMOUNTS:
                if isinstance(about.get(name), int):
                    about[name] += 100
        elif wrong == "currency" and about.get("currency"):
            about["currency"] = "eur"
        elif wrong == "merchant":
            told["account"] = "acct_stranger"
        elif wrong == "mode":
            told["livemode"] = about["livemode"] = True
        return told


def _accepts(status: int, _: bytes) -> bool:
    return 200 <= status < 300
