"""Stripe: Checkout, saved cards, charges without the payer, refunds, statements, notices."""

import contextlib
import dataclasses
import datetime as dt
import functools
import itertools
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson
import stripe

from billing.processors import base, config, stripe_notices, stripe_statement
from billing.processors.base import Ask, Notice, NoticeKind, Reply, Row, Started
from billing.processors.stripe_notices import Frame, Json

API_VERSION: Final = "2026-10-28.endive"
TIMEOUT_S: Final = (5, 20)
# Stripe wants a session to stay open for 30 minutes at least (API reference, 2026-10). We close
# it ourselves at the order's end; the same moment in each try keeps the call idempotent.
LINGER: Final = dt.timedelta(minutes=31)
# Where a session is looked for whose name we did not hear: made so long before the order's end.
FIND_WITHIN: Final = dt.timedelta(hours=2)
FIND_MAX, REFUNDS_MAX, ROWS_MAX = 2_000, 100, 500_000
SECRET_CHARS_MIN: Final = 16
HEADER_CHARS_MAX: Final = 2_048
_SIGNATURE = re.compile(r"t=(?P<at>[0-9]{1,12})(,v[0-9]=[0-9a-f]{64}){1,16}")
_LOCALES: Final = frozenset({"en", "zh", "de", "es", "fr", "it", "ja", "ko", "pt", "ru"})
_REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
_3DS: Final = {"card": {"request_three_d_secure": "any"}}

stripe.enable_telemetry = False
# Its lines repeat Stripe's messages, which may speak of the payer.
logging.getLogger("stripe").setLevel(logging.WARNING)


@functools.lru_cache(maxsize=4)
def _client(url: str, secret_key: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
    )


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """Turn what the SDK raises into our words. Raises: base.Refused, base.Unavailable."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise base.Refused(stripe_notices.reason(error.code, "invalid_request")) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise base.Refused("not_authorized") from error
    except stripe.IdempotencyError as error:  # another try with other facts may have succeeded
        raise base.Unavailable("key_reused") from error
    except stripe.StripeError as error:
        raise base.Unavailable(stripe_notices.reason(error.code, "no_answer")) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise base.Unavailable("odd_answer") from error


class Stripe:
    """Stripe behind billing.processors.base.Processor, and the cards that it keeps for us."""

    name: ClassVar[str] = "stripe"
    currency: ClassVar[str] = "USD"
    methods: ClassVar[tuple[str, ...]] = ("checkout", "off_session")
    accepted: ClassVar[Reply] = Reply(status=200, body=b"{}", content_type="application/json")
    refused: ClassVar[Reply] = Reply(status=400, body=b"{}", content_type="application/json")

    def __init__(self, keys: config.Stripe, *, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    @property
    def merchant(self) -> str:
        return self._keys.account

    @property
    def is_live(self) -> bool:
        return self._keys.secret_key.startswith(("sk_live_", "rk_live_"))

    @property
    def _api(self) -> Any:
        return _client(self._keys.url, self._keys.secret_key).v1

    def create(self, ask: Ask) -> Started:
        if ask.method == stripe_notices.OFF_SESSION:
            return self._charge(ask)
        with _asking():
            session = self._api.checkout.sessions.create(
                _checkout(ask), {"idempotency_key": ask.number}
            )
            return Started(session_ref=session.id, pay_url=session.url)

    def _charge(self, ask: Ask) -> Started:
        """Charge a saved card while its owner is away: over at once, most of the time."""
        with _asking():
            try:
                intent = self._api.payment_intents.create(
                    _off_session(ask), {"idempotency_key": ask.number}
                ).to_dict()
            except stripe.CardError as error:
                return self._declined(ask, error)
            notice = stripe_notices.of_intent(self._frame(intent), intent)
        is_over = notice.kind != NoticeKind.PENDING
        return Started(session_ref=intent["id"], notice=_named(notice) if is_over else None)

    def _declined(self, ask: Ask, error: stripe.CardError) -> Started:
        said = error.error.to_dict() if error.error else {}
        intent = stripe_notices.ref(said, "payment_intent")
        frame = Frame(
            event_id=f"answer.{intent or ask.number}.failed",
            merchant=self.merchant,
            is_live=self.is_live,
        )
        code = stripe_notices.reason(said.get("decline_code"), error.code, "card_declined")
        notice = frame.notice(
            NoticeKind.FAILED, order_ref=ask.number, session_ref=intent, reason=code
        )
        return Started(session_ref=intent, notice=notice)

    def save_card(self, account_public_id: str, customer_ref: str, return_url: str) -> Started:
        """Nothing is charged.

        A `{CHECKOUT_SESSION_ID}` in the address becomes the session's name, for `card_saved`.
        """
        metadata = {"account": account_public_id}
        with _asking():
            session = self._api.checkout.sessions.create(
                {
                    "mode": "setup",
                    "payment_method_types": ["card"],
                    "payment_method_options": _3DS,
                    "success_url": return_url,
                    "cancel_url": return_url,
                    "metadata": metadata,
                    "setup_intent_data": {"metadata": metadata},
                    **_customer(customer_ref),
                }
            )
            return Started(session_ref=session.id, pay_url=session.url)

    def card_saved(self, session_ref: str) -> Notice:
        with _asking():
            session = self._api.checkout.sessions.retrieve(
                session_ref, {"expand": ["setup_intent.payment_method"]}
            ).to_dict()
            intent = stripe_notices.part(session, "setup_intent")
            frame = self._frame({**session, **intent})
            if not intent or intent.get("status") != "succeeded":
                return _named(frame.notice(NoticeKind.PENDING, session_ref=session_ref))
            return _named(stripe_notices.of_setup(frame, intent))

    def forget_card(self, method_ref: str) -> None:
        try:
            with _asking():
                self._api.payment_methods.detach(method_ref)
        except base.Refused as refusal:  # unknown there, or forgotten already?
            if refusal.code != "resource_missing" and self._is_kept(method_ref):
                raise

    def _is_kept(self, method_ref: str) -> bool:
        with _asking():
            found = self._api.payment_methods.retrieve(method_ref).to_dict()
            return bool(stripe_notices.ref(found, "customer"))

    def forget_customer(self, customer_ref: str) -> None:
        try:
            with _asking():
                self._api.customers.delete(customer_ref)
        except base.Refused as refusal:
            if refusal.code != "resource_missing":
                raise

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Notice:
        if len(body) > base.WEBHOOK_BYTES_MAX:
            raise base.WebhookRefused("too_large")
        self._verify_signature(_signature(headers), body, now=now)
        try:
            return stripe_notices.of_event(orjson.loads(body), account=self.merchant)
        except orjson.JSONDecodeError as error:
            raise base.WebhookRefused("bad_json") from error
        except stripe_notices.Odd as error:
            raise base.WebhookRefused("bad_event") from error

    def _verify_signature(self, header: str, body: bytes, *, now: float) -> None:
        """The SDK lets future times pass and raises what it likes for odd bytes: not so here."""
        match = _SIGNATURE.fullmatch(header)
        if match is None:
            raise base.WebhookRefused("bad_signature_header")
        if abs(now - int(match["at"])) > base.CLOCK_SKEW_S:
            raise base.WebhookRefused("stale")
        # An empty or very short secret is no secret: anybody could sign with it.
        secrets = [key for key in self._keys.webhook_secrets if len(key.strip()) > SECRET_CHARS_MIN]
        if not secrets:
            raise base.WebhookRefused("no_secret")
        for secret in secrets:
            try:
                stripe.WebhookSignature.verify_header(body, header, secret)
            except (stripe.SignatureVerificationError, ValueError, TypeError):
                continue
            return
        raise base.WebhookRefused("bad_signature")

    def query(self, ask: Ask) -> Notice:
        with _asking():
            found = self._find(ask)
            if found is None:
                frame = Frame(event_id=ask.number, merchant=self.merchant, is_live=self.is_live)
                return _named(frame.notice(NoticeKind.PENDING, order_ref=ask.number))
            read = _reader(ask)
            notice = read(self._frame(found), found)
        if notice.order_ref != ask.number:
            raise base.Refused("wrong_order")
        return _named(notice)

    def close(self, ask: Ask) -> None:
        with _asking():
            found = self._find(ask)
        if found is None or self._is_over(ask, found):
            return
        try:
            with _asking():
                if ask.method == stripe_notices.OFF_SESSION:
                    self._api.payment_intents.cancel(found["id"])
                else:
                    self._api.checkout.sessions.expire(found["id"])
        except base.Refused:  # it moved on meanwhile: look again
            with _asking():
                found = self._find(ask) or {}
            if not self._is_over(ask, found):
                raise base.Unavailable("not_closed") from None

    def _is_over(self, ask: Ask, found: Json) -> bool:
        """Tell whether it can no longer be paid. Raises: base.AlreadyPaid.

        A complete session whose money is under way cannot be closed either.
        """
        with _asking():
            notice = _reader(ask)(self._frame(found), found)
            is_complete = stripe_notices.text(found, "status") in {"complete", "processing"}
        if notice.kind == NoticeKind.PAID or (is_complete and notice.kind == NoticeKind.PENDING):
            raise base.AlreadyPaid("already_paid")
        return notice.kind == NoticeKind.CLOSED or (is_complete or found["status"] == "canceled")

    def _find(self, ask: Ask) -> dict[str, Any] | None:
        """Return the order's session, or its intent where the payer was away."""
        is_away = ask.method == stripe_notices.OFF_SESSION
        calls = self._api.payment_intents if is_away else self._api.checkout.sessions
        prefix = "data." if not ask.session_ref else ""
        expand = [f"{prefix}{'' if is_away else 'payment_intent.'}payment_method"]
        if ask.session_ref:
            found: dict[str, Any] = calls.retrieve(ask.session_ref, {"expand": expand}).to_dict()
            return found
        # We did not hear what became of our call: it is among the newest, or it never arrived.
        until = int(ask.expires_at.timestamp())
        since = until - int(FIND_WITHIN.total_seconds())
        listed = calls.list(
            {"created": {"gte": since, "lte": until}, "limit": 100, "expand": expand}
        )
        for item in _bounded(listed.auto_paging_iter(), FIND_MAX):
            if stripe_notices.order_of(item) == ask.number:
                return item
        return None

    def refund(
        self, ask: Ask, *, payment_ref: str, refund_id: str, amount_minor: int, reason: str
    ) -> Notice:
        with _asking():
            refund = self._api.refunds.create(
                {
                    "payment_intent": payment_ref,
                    "amount": amount_minor,
                    "reason": reason if reason in _REASONS else "requested_by_customer",
                    "metadata": {"refund_id": refund_id, "order": ask.number},
                },
                {"idempotency_key": refund_id},
            ).to_dict()
            return self._refunded(refund)

    def query_refund(self, ask: Ask, *, payment_ref: str, refund_id: str) -> Notice:
        with _asking():
            listed = self._api.refunds.list({"payment_intent": payment_ref, "limit": 100})
            for item in _bounded(listed.auto_paging_iter(), REFUNDS_MAX):
                found = self._refunded(item)
                if (found.refund_id, found.order_ref) == (refund_id, ask.number):
                    return found
        raise base.Refused("unknown_refund")

    def statement(self, day: dt.date) -> Sequence[Row]:
        since = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        until = since + dt.timedelta(days=1)
        if self._clock() < until.timestamp():
            raise base.Refused("not_yet")
        with _asking():
            listed = self._api.balance_transactions.list(
                {
                    "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
                    "limit": 100,
                    "expand": ["data.source"],
                }
            )
            moves = _bounded(listed.auto_paging_iter(), ROWS_MAX)
            return [stripe_statement.row(move) for move in moves]

    def _frame(self, found: Json) -> Frame:
        is_live = found.get("livemode")
        if not isinstance(is_live, bool):  # a refund does not say it
            is_live = self.is_live
        return Frame(event_id=str(found["id"]), merchant=self.merchant, is_live=is_live)

    def _refunded(self, refund: Json) -> Notice:
        return _named(stripe_notices.of_refund(self._frame(refund), refund))


def _named(notice: Notice) -> Notice:
    """The same fact asked for twice has the same name."""
    return dataclasses.replace(notice, event_id=f"answer.{notice.event_id}.{notice.kind}")


def _reader(ask: Ask) -> Callable[[Frame, Json], Notice]:
    if ask.method == stripe_notices.OFF_SESSION:
        return stripe_notices.of_intent
    return stripe_notices.of_session


def _bounded(listed: Iterator[Any], most: int) -> Iterator[dict[str, Any]]:
    """Yield plain objects. Raises: base.Unavailable past so many: a part would be taken for all."""
    for index, item in enumerate(itertools.islice(listed, most + 1)):
        if index == most:
            raise base.Unavailable("too_many")
        yield item.to_dict()


def _signature(headers: Mapping[str, str]) -> str:
    found = [value for name, value in headers.items() if name.lower() == "stripe-signature"]
    if len(found) != 1 or len(found[0]) > HEADER_CHARS_MAX:
        raise base.WebhookRefused("bad_signature_header" if found else "no_signature")
    return found[0]


def _customer(customer_ref: str) -> dict[str, str]:
    return {"customer": customer_ref} if customer_ref else {"customer_creation": "always"}


def _checkout(ask: Ask) -> dict[str, Any]:
    language = ask.locale.lower().partition("-")[0]
    metadata = {"order": ask.number, "method": ask.method}
    intent: dict[str, Any] = {"description": ask.subject, "metadata": metadata}
    made: dict[str, Any] = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": ask.currency.lower(),
                    "unit_amount": ask.amount_minor,
                    "product_data": {"name": ask.subject},
                },
            }
        ],
        "client_reference_id": ask.number,
        "metadata": metadata,
        "payment_intent_data": intent,
        # The payer pays the quoted currency, to the cent.
        "adaptive_pricing": {"enabled": False},
        "expires_at": int((ask.expires_at + LINGER).timestamp()),
        "success_url": ask.return_url,
        "cancel_url": ask.cancel_url,
        "locale": language if language in _LOCALES else "auto",
    }
    if ask.is_strict:
        made["payment_method_options"] = _3DS
    if ask.saves_method:
        intent["setup_future_usage"] = stripe_notices.OFF_SESSION
        intent["metadata"] = {**metadata, "saves_card": stripe_notices.SAVES_CARD}
        made |= _customer(ask.customer_ref)
    return made


def _off_session(ask: Ask) -> dict[str, Any]:
    return {
        "amount": ask.amount_minor,
        "currency": ask.currency.lower(),
        "customer": ask.customer_ref,
        "payment_method": ask.method_ref,
        "payment_method_types": ["card"],
        "confirm": True,
        "off_session": True,
        "description": ask.subject,
        "metadata": {"order": ask.number, "method": ask.method},
    }
