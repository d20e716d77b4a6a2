"""Why a request went where it went, cost what it cost, or was refused: in words, with figures."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import ApiKey
from bananarouter.pages.requests.stories import Story
from bananarouter.pages.words import REASONS, Words
from billing import queries
from billing.models import Charge
from billing.money import display_usd
from routing.error_codes import Code
from routing.models import Channel
from routing.surfaces import Surface

Reason, State = Charge.Reason, Charge.State
PROTOCOLS = {
    Channel.Protocol.OPENAI: "OpenAI",
    Channel.Protocol.ANTHROPIC: "Anthropic",
    Channel.Protocol.GEMINI: "Gemini",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One amount in the life of a charge, and what it means."""

    name: Words
    amount_nusd: int
    text: Words


def charge(story: Story) -> list[Step]:
    """Tell what was held, noted, charged and given back, in that order."""
    found = story.charge
    if found is None:
        return []
    held = Step(
        name=_("Held"),
        amount_nusd=found.hold_nusd,
        text=_("The most that it could cost, set aside from the balance while it ran."),
    )
    steps = [held]
    if found.checkpoint_nusd and found.reason in {Reason.CRASH, None}:
        text = _("What was recorded as delivered while it ran.")
        steps.append(Step(name=_("Checkpoint"), amount_nusd=found.checkpoint_nusd, text=text))
    if found.cost_nusd is None:
        return steps
    why = REASONS.get(found.reason or "", "")
    steps.append(Step(name=_("Charged"), amount_nusd=found.cost_nusd, text=why))
    if released := found.hold_nusd - found.cost_nusd:
        text = _("What was held and not needed went back to the balance at once.")
        steps.append(Step(name=_("Released"), amount_nusd=released, text=text))
    return steps + _given_back(story, found)


def _given_back(story: Story, found: Charge) -> list[Step]:
    if story.is_forgiven:
        text = _("The vendor broke off, so we paid for what had arrived. It cost you nothing.")
        return [Step(name=_("Goodwill"), amount_nusd=-(found.cost_nusd or 0), text=text)]
    if story.corrected_nusd:
        text = _("The true cost came to light later and was lower. The difference was given back.")
        return [Step(name=_("Correction"), amount_nusd=-story.corrected_nusd, text=text)]
    if found.reason == Reason.GOODWILL and found.cost_nusd:
        text = _("Decided within a minute: such answers are forgiven up to an amount each day.")
        if story.is_closed:
            most = display_usd(settings.GOODWILL_NUSD_PER_DAY)
            text = _(
                "Not given: broken answers are forgiven up to %(amount)s a day for each account, "
                "and this one was above that."
            ) % {"amount": most}
        return [Step(name=_("Goodwill"), amount_nusd=0, text=text)]
    return []


def routing(story: Story) -> list[Words]:
    """Tell why this vendor, as far as what is kept tells it."""
    row, key = story.row, story.key
    if row.endpoint is None and not story.attempts:
        return [_("No vendor was asked: the request ended before that.")]
    told: list[Words] = [_order(story)]
    if story.protocol in PROTOCOLS:
        names = {"protocol": PROTOCOLS[Channel.Protocol(story.protocol)]}
        if Surface(row.surface).family == story.protocol:
            told.append(_("It speaks the protocol of your request (%(protocol)s).") % names)
        else:
            told.append(
                _("It speaks another protocol (%(protocol)s), so your request was translated.")
                % names
            )
    allowed = (key.allowed_jurisdictions or key.account.allowed_jurisdictions) if key else []
    if allowed:
        told.append(
            _("Only vendors under the law of %(countries)s are allowed now, by the key or account.")
            % {"countries": ", ".join(allowed)}
        )
    return told


def _order(story: Story) -> Words:
    failed = [a for a in story.attempts if a.endpoint != story.row.endpoint]
    if story.row.status >= 400:
        return _("The vendors of a model are asked one after another; none of them answered well.")
    if failed:
        return _(
            "The vendors before it failed, as the attempts below tell; this one took over before "
            "anything had been sent to you."
        )
    return _(
        "It was the first in order: vendors that speak your protocol come first, then those that "
        "the operator prefers."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Which limit refused a request, when it ends, and where to change it."""

    text: Words
    url_name: str = ""
    action: Words = ""


def limit(story: Story, *, now: dt.datetime) -> Limit | None:
    """Explain a 402 or 429; None for every other ending."""
    code, key = story.row.error_code, story.key
    if code == Code.INSUFFICIENT_CREDIT:
        text = _(
            "Before a request leaves, the most that it could cost is held: its prompt and the "
            "longest answer that it allows. Add money, or set a lower max_tokens."
        )
        return Limit(text=text, url_name="billing", action=_("Add money"))
    if code == Code.IN_FLIGHT:
        text = _(
            "The money is there, but requests that still ran held it. It comes back as each of "
            "them ends, often within seconds."
        )
        return Limit(text=text, url_name="requests", action=_("See the latest requests"))
    if code == Code.KEY_LIMIT:
        return Limit(text=_budgets(key, now=now), url_name="keys", action=_("Go to the keys"))
    if code == Code.TRIAL_MODEL:
        text = _(
            "Trial money buys models up to a price, and so does a first card payment in its first "
            "hours; this model costs more. The page of your balance tells until when. Money of "
            "your own opens every model once the hold has ended."
        )
        return Limit(text=text, url_name="billing", action=_("See the balance"))
    if code == Code.COST_CAP:
        text = _("The header X-Max-Cost-USD of the request was below what it could cost.")
        return Limit(text=text)
    return _rate(story, code)


def _rate(story: Story, code: str | None) -> Limit | None:
    key = story.key
    if code == Code.RATE_LIMITED:
        own = key and (key.requests_per_minute_max or key.account.requests_per_minute_max)
        text = _(
            "A key may make %(requests)d requests a minute now, an address %(address)d. The "
            "allowance comes back evenly: after a minute of rest it is whole."
        ) % {
            "requests": own or settings.KEY_REQUESTS_PER_MINUTE,
            "address": settings.IP_REQUESTS_PER_MINUTE,
        }
        return Limit(text=text, url_name="keys", action=_("Go to the keys"))
    if code == Code.CONCURRENCY:
        own = key and key.account.concurrency_max
        text = _(
            "At most %(key)d requests of one key and %(account)d of the account may run at the "
            "same time. The next may start as soon as one ends."
        ) % {"key": own or settings.KEY_CONCURRENCY, "account": own or settings.ACCOUNT_CONCURRENCY}
        return Limit(text=text)
    if code == Code.ABANDONED_COST:
        text = _(
            "Requests of this key were closed before their answers began, which vendors may bill "
            "us for. The limit of %(amount)s ends a day after the first of them."
        ) % {"amount": display_usd(settings.ABANDONED_NUSD_PER_DAY)}
        return Limit(text=text)
    if code == Code.UPSTREAM_RATE_LIMIT:
        return Limit(text=_("It was the vendor's limit, not yours. Other models may be free."))
    return None


def _budgets(key: ApiKey | None, *, now: dt.datetime) -> str:
    """Tell a key's money limits as they stand, and when each starts over."""
    told = [_("A money limit of the key was reached.")]
    found = queries.key_limits(key.account_id, now=now).get(key.limits_key_id, []) if key else []
    for one in found:
        named = {"amount": display_usd(one.limit_nusd)}
        if one.resets_at is None:
            told.append(_("Limit: %(amount)s in total, which does not start over.") % named)
        else:
            named["date"] = f"{one.resets_at:%Y-%m-%d}"
            told.append(_("Limit: %(amount)s, which starts over on %(date)s at 0:00 UTC.") % named)
    return " ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a request's time."""

    kind: str
    name: Words
    start_ms: int
    length_ms: int


def time(story: Story) -> Sequence[Span]:
    """Divide a request's time: before it was sent, until the vendor answered, the answer."""
    row = story.row
    total = max(row.total_ms, 0)
    sent = None if row.sent_ms is None else min(row.sent_ms, total)
    first = None if row.first_byte_ms is None else min(row.first_byte_ms, total)
    cuts: list[tuple[str, Words, int]] = []
    if sent is not None:
        cuts.append(("queue", _("Until it was sent"), sent))
    if first is not None:
        waiting = _("Until the first byte") if row.is_stream else _("Until the whole answer")
        cuts.append(("waiting", waiting, first))
        last = _("Streaming") if row.is_stream else _("Booking and sending")
        cuts.append(("streaming", last, total))
    else:
        # Refused here, or nothing came of it.
        cuts.append(("waiting", _("Until its end"), total))
    spans, start = [], 0
    for kind, name, end in cuts:
        spans.append(Span(kind=kind, name=name, start_ms=start, length_ms=max(end - start, 0)))
        start = max(start, end)
    return spans
