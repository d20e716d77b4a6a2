"""A paid request under way: its hold, its dials, and everything to be given back at its end."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from billing import charges, leases
from billing.charges import OpenCharge, Settlement
from billing.leases import Grant
from billing.pricing import RateCard
from billing.usage import Usage
from routing import abandoned, admission, metering
from routing.admission import Admission
from routing.catalogue import Endpoint
from routing.dial import Dialed, Log, dial
from routing.dialects.base import Demand, Inbound
from routing.exchange import ClientWatch, Exchange
from routing.limits import Ticket
from routing.metering import Delivered, Ending, Verdict
from routing.outgoing import Composer

READMISSIONS_MAX = 2
DROPPED_MAX = 50  # names in X-Dropped-Parameters


@dataclass(slots=True, kw_only=True)
class Job:
    """A request under way, with everything that must be given back at its end."""

    exchange: Exchange
    inbound: Inbound
    demand: Demand
    endpoints: tuple[Endpoint, ...]
    watch: ClientWatch
    ticket: Ticket
    headers: Mapping[str, str]
    admission: Admission | None = None
    charge: OpenCharge | None = None
    dropped: tuple[str, ...] = ()  # fields that the endpoint's wire format has no word for
    log: Log = field(default_factory=Log)

    def card(self, endpoint: Endpoint) -> RateCard | None:
        """Return the rates that the request was admitted under; None when it is free."""
        return self.admission.cards[endpoint.slug] if self.admission else None

    def open_charge(self, grant: Grant) -> None:
        """Turn the hold into a charge. Raises: RelayError (503) when the bank has closed."""
        try:
            self.charge = charges.open_charge(grant, request_id=self.exchange.request_id)
        except leases.MoneyUnavailable as error:
            leases.release(grant)
            raise admission.unavailable() from error

    async def dial(self) -> Dialed:
        """Find an endpoint that answers. Raises: RelayError."""
        exchange, caller = self.exchange, self.exchange.caller
        composer = Composer(
            inbound=self.inbound,
            demand=self.demand,
            account_id=caller.account_id if caller else 0,
            generation_id=exchange.id,
            created=int(exchange.created_at.timestamp()),
            output_limit=self.admission.output_limit if self.admission else None,
        )
        try:
            dialed = await dial(
                composer=composer, demand=self.demand, endpoints=self.endpoints, log=self.log
            )
        finally:
            exchange.sent = self.log.sent
        self.dropped = dialed.outgoing.dropped
        self.exchange.endpoint = dialed.endpoint
        return dialed

    async def durable(self) -> None:
        """Wait until the intent is on disk: no byte may leave before. Raises: RelayError."""
        if self.charge is None or self.admission is None:
            return
        grant = self.admission.grant
        for _ in range(READMISSIONS_MAX):
            try:
                # Shielded: a client that leaves meanwhile must not hide how the intent ended.
                if await asyncio.shield(self.charge.durable):
                    return
            except leases.MoneyUnavailable as error:
                raise admission.unavailable() from error
            # The lease was closed under the hold: hold again, under a new lease.
            grant = await admission.readmit(self.exchange, grant)
            self.open_charge(grant)
        raise admission.unavailable()

    async def settle(self, verdict: Verdict) -> bool:
        """Book what the request cost. False: a sweeper was first, and nothing more may leave."""
        exchange, endpoint = self.exchange, self.exchange.endpoint
        exchange.usage = verdict.usage
        if self.charge is None:
            return True
        card = self.card(endpoint) if endpoint else None
        if endpoint is not None:
            self.log.note(endpoint, verdict.outcome, vendor_cost_nusd=verdict.vendor_cost_nusd)
        settled = await self.charge.settle(
            Settlement(
                cost_nusd=verdict.cost_nusd,
                vendor_cost_nusd=verdict.vendor_cost_nusd,
                endpoint=endpoint.slug if endpoint else None,
                rate_card=card.id if card else None,
                usage_raw=verdict.usage.raw if verdict.usage else None,
                state=verdict.state,
                reason=verdict.reason,
                attempts=tuple(self.log.rows) if len(self.log.rows) > 1 else (),
                goodwill_nusd=verdict.goodwill_nusd,
            )
        )
        exchange.cost_nusd = verdict.cost_nusd if settled else 0
        return settled

    async def void(self, ending: Ending) -> None:
        """End a charge for which nothing was delivered."""
        self.watch.drain()
        if ending is Ending.GONE_BEFORE_OUTPUT and self.charge is not None:
            self._note_abandoned()
        if self.charge is not None and await self._is_intended():
            await self.settle(metering.void(ending))

    def _note_abandoned(self) -> None:
        caller, endpoint = self.exchange.caller, self.exchange.endpoint or self.endpoints[0]
        usage = metering.delivered_usage(
            Usage(measures=self.inbound.content.measures),
            Delivered(prompt_bytes=self.demand.prompt_bytes),
        )
        priced = metering.price(usage, self.card(endpoint), hold_nusd=0)
        if caller is not None:
            abandoned.note(caller.key_id, priced.vendor_cost_nusd)

    async def _is_intended(self) -> bool:
        try:
            return self.charge is not None and await asyncio.shield(self.charge.durable)
        except leases.MoneyUnavailable:
            return False

    def answer_headers(self) -> dict[str, str]:
        """Return what we add to an answer: headers only, never its body."""
        exchange, endpoint = self.exchange, self.exchange.endpoint
        found = {"cache-control": "no-store"}
        if endpoint is not None:
            found["x-vendor"] = endpoint.channel.vendor.slug
            found["x-jurisdiction"] = endpoint.channel.jurisdiction
        if self.admission is not None and self.admission.output_limit is not None:
            found["x-max-tokens-clamped"] = str(self.admission.output_limit)
        if self.dropped:
            found["x-dropped-parameters"] = _listed(self.dropped)
        found["x-generation-id"] = exchange.id
        return found

    def close(self) -> None:
        """Give back the concurrency slot, stop watching, write the log row."""
        self.ticket.leave()
        self.watch.close()
        self.exchange.record()


def _listed(names: tuple[str, ...]) -> str:
    """Write names of fields as a header: they come from the request, so only their plain form."""
    plain = (re.sub(r"[^\w.\[\]-]", "_", name, flags=re.ASCII)[:64] for name in names)
    return ", ".join(list(dict.fromkeys(plain))[:DROPPED_MAX])
