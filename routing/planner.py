"""Which endpoints to try for a request, in order."""

import datetime as dt
from collections.abc import Callable, Iterable

from django.conf import settings

from accounts.keys import Caller
from billing import rates
from billing.money import display_usd
from routing.catalogue import Endpoint, Model
from routing.errors import Code, RelayError
from routing.surfaces import Surface

DEMO_PREFIX = "demo/"

IsHealthy = Callable[[Endpoint], bool]


def plan(
    model: Model,
    *,
    caller: Caller,
    surface: Surface,
    at: dt.datetime | None = None,
    is_healthy: IsHealthy | None = None,
) -> tuple[Endpoint, ...]:
    """Return the endpoints that may serve this caller, best first; at least one.

    Those that speak the caller's protocol come first: nothing is ever lost there. Unhealthy ones
    come last, in their own order: a guess about health must not refuse what could still work.
    Raises: RelayError that names why nothing is left.
    """
    open_to_caller = _open(model, caller)
    able = sorted(
        (e for e in open_to_caller if surface.is_generation or e.serves(surface)),
        key=lambda e: not e.serves(surface),
    )
    if not able:
        raise wrong_protocol(model, open_to_caller)
    priced = _priced(model, able, caller, at)
    if is_healthy is None or len(priced) == 1:
        return tuple(priced)
    return tuple(sorted(priced, key=lambda e: not is_healthy(e)))


def reachable(
    model: Model, *, caller: Caller, at: dt.datetime | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints that this caller may use, whatever they speak; at least one.

    Raises: RelayError that names why nothing is left.
    """
    return tuple(_priced(model, _open(model, caller), caller, at))


def is_visible(model: Model, *, caller: Caller, at: dt.datetime | None = None) -> bool:
    """Tell whether a caller could use a model in some protocol: what model lists show."""
    return caller.may_use(model.slug) and bool(on_offer(model, caller=caller, at=at))


def on_offer(
    model: Model, *, caller: Caller, at: dt.datetime | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints that a caller could use if its key allowed the model; or none."""
    moment = at or dt.datetime.now(dt.UTC)
    return tuple(
        e
        for e in model.endpoints
        if is_open_to(caller, e) and is_priced(e, moment) and is_affordable(caller, e, moment)
    )


def is_on_offer(endpoint: Endpoint, *, at: dt.datetime) -> bool:
    """Tell whether somebody can call an endpoint then: what strangers are shown."""
    is_open = not endpoint.channel.is_demo or endpoint.model_slug.startswith(DEMO_PREFIX)
    return is_open and is_priced(endpoint, at)


def _open(model: Model, caller: Caller) -> list[Endpoint]:
    if not caller.may_use(model.slug):
        raise RelayError(
            code=Code.MODEL_NOT_ALLOWED,
            message=f"This API key may not use the model {model.slug}.",
            param="model",
        )
    found = [e for e in model.endpoints if is_open_to(caller, e)]
    if not found:
        raise _closed(model, caller)
    return found


def _priced(
    model: Model, endpoints: list[Endpoint], caller: Caller, at: dt.datetime | None
) -> list[Endpoint]:
    moment = at or dt.datetime.now(dt.UTC)
    priced = [e for e in endpoints if is_priced(e, moment)]
    if not priced:
        raise RelayError(
            code=Code.UNPRICED,
            message=f"The model {model.slug} has no price yet, so it is not served.",
            param="model",
        )
    if caller.is_trial:
        priced = [e for e in priced if is_affordable(caller, e, moment)]
        if not priced:
            raise _too_dear(model)
    return priced


def is_open_to(caller: Caller, endpoint: Endpoint) -> bool:
    """Tell whether a caller may use a channel at all.

    Demo callers reach demo channels only; demo channels serve demo models only. What key or
    account restrict to some jurisdictions never leaves for another one.
    """
    return is_within(caller, endpoint) and _is_of_its_world(caller, endpoint)


def is_within(caller: Caller, endpoint: Endpoint) -> bool:
    """Tell whether an endpoint is in a jurisdiction that key and account allow."""
    allowed = caller.allowed_jurisdictions
    return allowed is None or endpoint.channel.jurisdiction in allowed


def _is_of_its_world(caller: Caller, endpoint: Endpoint) -> bool:
    if endpoint.channel.is_demo:
        return endpoint.model_slug.startswith(DEMO_PREFIX)
    return not (caller.account_is_demo or caller.key_is_demo)


def is_priced(endpoint: Endpoint, at: dt.datetime) -> bool:
    """Tell whether an endpoint has a price then."""
    try:
        rates.card_for(endpoint.slug, at=at)
    except rates.NoCard:
        return False
    return True


def is_affordable(caller: Caller, endpoint: Endpoint, at: dt.datetime) -> bool:
    """Tell whether an endpoint that has a price is cheap enough for the caller's kind of money.

    A trial's money buys tokens up to a price (TRIAL_PRICE_NUSD_PER_MTOK_MAX), and nothing else.
    """
    if not caller.is_trial:
        return True
    dearest = rates.card_for(endpoint.slug, at=at).dearest_nusd_per_mtok
    return dearest is not None and dearest <= settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX


def _too_dear(model: Model) -> RelayError:
    most = display_usd(settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX)
    return RelayError(
        code=Code.TRIAL_MODEL,
        message=f"Trial money buys models of up to {most} for a million tokens, and so does a "
        f"first card payment in its first hours; {model.slug} costs more. Add money at "
        f"{settings.PUBLIC_URL}/billing, which also tells until when, or call a model that "
        "GET /v1/models lists.",
        param="model",
    )


def _closed(model: Model, caller: Caller) -> RelayError:
    elsewhere = [e for e in model.endpoints if _is_of_its_world(caller, e)]
    if elsewhere:
        return _outside(model, caller, {e.channel.jurisdiction for e in elsewhere})
    if caller.account_is_demo or caller.key_is_demo:
        return RelayError(
            code=Code.MODEL_NOT_ALLOWED,
            message=f"A demo balance serves demo models only, not {model.slug}.",
            param="model",
        )
    return RelayError(
        code=Code.NO_ENDPOINT, message=f"No vendor serves the model {model.slug} now."
    )


def _outside(model: Model, caller: Caller, offered: set[str]) -> RelayError:
    """Say who forbids the jurisdictions that a model is offered in."""
    account = caller.account_jurisdictions
    is_the_accounts = account is not None and not offered & account
    allowed = account if is_the_accounts else caller.allowed_jurisdictions
    who = "This account" if is_the_accounts else "This API key"
    rule = (
        f"allows vendors in {', '.join(sorted(allowed))} only"
        if allowed
        else ("allows no jurisdiction that its account allows")
    )
    return RelayError(
        code=Code.JURISDICTION,
        message=f"{who} {rule}, and {model.slug} is offered in {', '.join(sorted(offered))}: "
        "the request was sent nowhere.",
        param="model",
    )


def wrong_protocol(model: Model, endpoints: Iterable[Endpoint]) -> RelayError:
    """Say in which protocols a model is served."""
    spoken = ", ".join(sorted({e.channel.family.value for e in endpoints}))
    return RelayError(
        code=Code.WRONG_PROTOCOL,
        message=f"The model {model.slug} is served in these protocols only: {spoken}.",
        param="model",
    )
