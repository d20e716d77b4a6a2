"""What goes to an endpoint: the caller's own bytes, or its request in the vendor's words."""

import functools
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.crypto import salted_hmac

from routing import dialects, fetching, seals, tokenizer, vault
from routing.catalogue import Endpoint
from routing.conversation import Audio, Document, Image, Request, Video
from routing.dialects.base import Demand, Inbound, Outbound
from routing.errors import Code, RelayError
from routing.surfaces import Surface
from routing.translators import embeddings, translator
from routing.translators.base import Answering, Target
from routing.translators.embeddings import Embedder
from routing.translators.registry import CLIENTS, VENDORS
from routing.translators.translator import Translator


class Untranslatable(Exception):
    """This endpoint's wire format has no word for the request; another's may have."""

    def __init__(self, error: RelayError) -> None:
        super().__init__(error.code.value)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One request to one endpoint. `surface` is how it speaks; `translator` None: natively."""

    outbound: Outbound
    surface: Surface
    translator: Translator | None = None
    embedder: Embedder | None = None  # translates vectors, in place of a translator
    dropped: tuple[str, ...] = ()

    @property
    def whole_translator(self) -> Translator | Embedder | None:
        """What translates an answer that is no stream; None: natively."""
        return self.translator or self.embedder


@dataclass(slots=True, kw_only=True)
class Composer:
    """Writes a request for each endpoint that is tried."""

    inbound: Inbound
    demand: Demand
    account_id: int
    generation_id: str
    created: int  # Unix time
    output_limit: int | None = None
    _request: Request | None = field(default=None, init=False)

    async def compose(self, endpoint: Endpoint) -> Outgoing:
        """Return what this endpoint is sent. Raises: Untranslatable."""
        inbound, surface = self.inbound, self.inbound.surface
        speaks = endpoint.serves(surface)
        if not speaks and surface in embeddings.SURFACES:
            return self._carried(endpoint)
        if speaks and not self._is_rewritten():
            return Outgoing(outbound=self._native(inbound, endpoint), surface=surface)
        try:
            return await self._translated(
                endpoint, surface if speaks and surface in VENDORS else endpoint.wire
            )
        except RelayError as error:
            raise Untranslatable(error) from error

    def _is_rewritten(self) -> bool:
        """Tell whether even a vendor of the same protocol is not sent the caller's own bytes.

        OpenRouter's envelope rewrites every chunk of a chat. An envelope of ours around a seal,
        from an earlier turn with another vendor, must reach nobody.
        """
        inbound = self.inbound
        if not inbound.surface.is_generation:
            return False
        is_chat = inbound.surface is Surface.CHAT
        return (is_chat and inbound.is_platform) or seals.are_in(inbound.raw)

    def _native(self, inbound: Inbound, endpoint: Endpoint) -> Outbound:
        return dialects.for_surface(inbound.surface).encode(
            inbound,
            upstream_name=endpoint.upstream_name,
            quirks=endpoint.quirks,
            account_tag=account_tag(self.account_id),
            output_limit=self.output_limit,
        )

    def _carried(self, endpoint: Endpoint) -> Outgoing:
        """Write embeddings for a vendor of another protocol."""
        try:
            carried = embeddings.carry(
                self.inbound, family=endpoint.channel.family, model=endpoint.model_slug
            )
        except RelayError as error:
            raise Untranslatable(error) from error
        return Outgoing(
            outbound=self._native(carried.inbound, endpoint),
            surface=carried.inbound.surface,
            embedder=carried.embedder,
            dropped=carried.dropped,
        )

    def judge(self, endpoint: Endpoint) -> None:
        """Refuse what this endpoint has no words for; nothing is fetched. Raises: Untranslatable.

        What a link names is not known without fetching it: such a request passes.
        """
        surface = self.inbound.surface
        speaks = endpoint.serves(surface)
        if not speaks and surface in embeddings.SURFACES:
            self._carried(endpoint)
            return
        if speaks and not self._is_rewritten():
            return
        wire = surface if speaks and surface in VENDORS else endpoint.wire
        try:
            request = self._decoded(wire)
            if not fetching.links_of(request, _unlinked(endpoint, wire)):
                self._encoded(request, endpoint, wire)
        except RelayError as error:
            raise Untranslatable(error) from error

    async def _translated(self, endpoint: Endpoint, wire: Surface) -> Outgoing:
        request = await fetching.inline(self._decoded(wire), _unlinked(endpoint, wire))
        return self._encoded(request, endpoint, wire)

    def _decoded(self, wire: Surface) -> Request:
        if wire not in VENDORS or self.inbound.surface not in CLIENTS:
            raise _WRONG_PROTOCOL
        if self._request is None:
            seal_key = _seal_key(self.account_id)
            decoded = translator.decode_request(self.inbound, seal_key=seal_key)
            self._request = vault.restore(self.account_id, decoded)
        return self._request

    def _encoded(self, request: Request, endpoint: Endpoint, wire: Surface) -> Outgoing:
        seal_key = _seal_key(self.account_id)
        encoded = translator.encode_request(
            request,
            client=self.inbound.surface,
            wire=wire,
            target=Target(
                upstream_name=endpoint.upstream_name,
                quirks=endpoint.quirks,
                account_tag=account_tag(self.account_id),
                output_limit=self.output_limit,
                output_tokens_max=endpoint.output_tokens_max,
                seal_key=seal_key,
                effort_shares=settings.EFFORT_SHARES,
            ),
        )
        return Outgoing(
            outbound=encoded.outbound,
            surface=wire,
            translator=Translator(
                wire=wire,
                answering=self._answering(endpoint, seal_key),
                tool_names=encoded.tool_names,
                seal=endpoint.quirks.seal,
            ),
            dropped=encoded.dropped,
        )

    def _answering(self, endpoint: Endpoint, seal_key: bytes) -> Answering:
        inbound = self.inbound
        return Answering(
            surface=inbound.surface,
            id=self.generation_id,
            model=endpoint.model_slug,
            vendor=endpoint.channel.vendor.name,
            created=self.created,
            body=inbound.body,
            is_platform=inbound.is_platform,
            is_stream=inbound.is_stream,
            wants_stream_usage=inbound.wants_stream_usage,
            is_array=inbound.surface is Surface.GENERATE and not inbound.query,
            prompt_tokens=max(1, tokenizer.of_bytes(self.demand.prompt_bytes)),
            seal_key=seal_key,
        )


def _unlinked(endpoint: Endpoint, wire: Surface) -> tuple[type[fetching.Linked], ...]:
    """Return the kinds of content that this endpoint takes no links to."""
    if not endpoint.quirks.takes_links:
        return (Image, Document, Audio, Video)
    if wire is Surface.CHAT:
        return (Document, Audio)  # a file has no link there
    return ()


_WRONG_PROTOCOL = RelayError(
    code=Code.WRONG_PROTOCOL,
    message="This model cannot be reached in this protocol: call it in its vendor's own.",
    param="model",
)


@functools.lru_cache(maxsize=10_000)
def account_tag(account_id: int) -> str:
    """Return what vendors see of an account: a salted HMAC, the same at every request."""
    return salted_hmac("bananarouter.account-tag", str(account_id), algorithm="sha256").hexdigest()[
        :40
    ]


@functools.lru_cache(maxsize=10_000)
def _seal_key(account_id: int) -> bytes:
    """Return the key under which an account's envelopes are authenticated."""
    return salted_hmac("bananarouter.seals", str(account_id), algorithm="sha256").digest()
