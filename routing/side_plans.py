"""Which endpoints to try for the operations beside generation: counts, embeddings, compaction."""

import datetime as dt

from accounts.keys import Caller
from routing import planner, vendor_files
from routing.catalogue import Endpoint, Model
from routing.dialects.base import Inbound
from routing.errors import Code, RelayError
from routing.surfaces import Family, Surface
from routing.translators import embeddings

OWN_SERVER = "operator"  # the jurisdiction of what runs on the operator's own machines

COUNTS = frozenset({Surface.COUNT_TOKENS, Surface.INPUT_TOKENS, Surface.GEMINI_COUNT})
SURFACES = COUNTS | embeddings.SURFACES | {Surface.COMPACT}


def plan(
    model: Model, *, caller: Caller, surface: Surface, at: dt.datetime
) -> tuple[Endpoint, ...]:
    """Return the endpoints that may serve this caller, best first; at least one.

    Raises: RelayError that names why nothing is left.
    """
    endpoints = planner.reachable(model, caller=caller, at=at)
    if surface in embeddings.SURFACES:
        return _embedding(model, endpoints, surface.family)
    if surface is Surface.COMPACT:
        return _compacting(model, endpoints)
    return endpoints  # every model's tokens can be counted, by its vendor or here


def carriable(endpoints: tuple[Endpoint, ...], inbound: Inbound) -> tuple[Endpoint, ...]:
    """Leave out the endpoints into whose protocol embeddings cannot be carried.

    Raises: RelayError (400) naming the field when none is left: before anything is held.
    """
    native = tuple(e for e in endpoints if e.channel.family is inbound.surface.family)
    if len(native) == len(endpoints):
        return endpoints
    try:
        embeddings.read(inbound)
    except RelayError:
        if not native:
            raise
        return native
    return endpoints


def _embedding(
    model: Model, endpoints: tuple[Endpoint, ...], family: Family
) -> tuple[Endpoint, ...]:
    """Those that speak the caller's protocol, then those into which it is translated."""
    able = [e for e in endpoints if e.channel.family is not Family.ANTHROPIC]
    if not able:
        raise planner.wrong_protocol(model, endpoints)
    return tuple(sorted(able, key=lambda e: e.channel.family is not family))


def _compacting(model: Model, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    # What a compaction leaves can be read by Responses alone.
    able = tuple(e for e in endpoints if e.serves(Surface.RESPONSES) and e.quirks.has_compact)
    if able:
        return able
    offering = sorted(
        vendor.name
        for vendor in vendor_files.all_vendors().values()
        if vendor.quirks.has_compact and vendor.jurisdiction != OWN_SERVER
    )
    raise RelayError(
        code=Code.WRONG_PROTOCOL,
        message=f"The vendors of the model {model.slug} cannot compact a conversation: that is "
        f"offered by {', '.join(offering)}. Choose a model of theirs, or shorten the input.",
        param="model",
    )
