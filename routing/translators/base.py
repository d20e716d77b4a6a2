"""What the translators of all wire formats give and take (pure)."""

import abc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from billing.usage import Usage
from routing import errors
from routing.conversation import Answer, Request
from routing.dialects.base import Outbound, Quirks
from routing.errors import RelayError
from routing.events import Event
from routing.surfaces import Surface
from routing.translators.effort import EFFORT_SHARES


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The endpoint that a request is written for."""

    upstream_name: str
    quirks: Quirks
    account_tag: str = ""
    # What the hold covers: never write a higher limit. None: the request's own stands.
    output_limit: int | None = None
    # The most that the model can; None: unknown.
    output_tokens_max: int | None = None
    seal_key: bytes = field(default=b"", repr=False)  # opens our envelopes (routing/seals.py)
    # What an effort may take of the output limit, in percent (settings.EFFORT_SHARES).
    effort_shares: Mapping[str, int] = field(default_factory=lambda: EFFORT_SHARES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A request in a vendor's words."""

    outbound: Outbound
    # The client's fields that found no place, in the client's names where they are known.
    dropped: tuple[str, ...] = ()
    # Of `Request.dropped`: what this vendor's wire format has a word for all the same.
    kept: tuple[str, ...] = ()
    # Names of tools that the vendor's rules made us shorten: vendor's -> client's.
    tool_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What an encoder must know of the request that it answers."""

    surface: Surface
    id: str  # "gen-" + 32 hex digits: X-Generation-Id
    model: str  # that really serves, in our naming
    vendor: str  # its name, for people
    created: int  # Unix time
    body: Mapping[str, Any]  # the client's request, where the protocol echoes it
    is_platform: bool = False  # under /api/v1: OpenRouter's envelope
    is_stream: bool = False
    wants_stream_usage: bool = True  # chat completions: `stream_options.include_usage`
    is_array: bool = False  # Gemini's stream without alt=sse: one JSON array
    prompt_tokens: int = 1  # our estimate: Anthropic's message_start needs one
    seal_key: bytes = field(default=b"", repr=False)

    @property
    def hex(self) -> str:
        """The id without its prefix, for ids in the target's own form."""
        return self.id.removeprefix("gen-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What an answer used and cost; known when its charge is settled."""

    usage: Usage
    cost_nusd: int


class StreamDecoder(Protocol):
    """Turns a vendor's events into ours, in O(1) memory. Make one for each attempt.

    Never raises: what cannot be read is skipped, for the reader of the answer judges it. Usage
    and errors are the reader's, too.
    """

    def decode(self, data: bytes) -> Iterable[Event]:
        """Take the data of one event (of Gemini's array: one element)."""
        ...

    def end(self) -> Iterable[Event]:
        """Take the end of the stream: ends what is open; no finish is invented."""
        ...


class StreamEncoder(abc.ABC):
    """Writes our events in the client's protocol; owns all its indexes and ids.

    Every event's text leaves at once. What follows the last event is written by `finish`, when
    the charge is settled.
    """

    content_type = "text/event-stream"

    def __init__(self, answering: Answering) -> None:
        self.answering = answering

    @abc.abstractmethod
    def encode(self, event: Event) -> bytes:
        """Write one event; b"" when it has no form of its own here."""

    @abc.abstractmethod
    def finish(self, bill: Bill) -> bytes:
        """Write the terminal events, with usage and cost."""

    def fail(self, error: RelayError) -> bytes:
        """Write the error that ends the stream; nothing follows it."""
        return errors.stream_event(
            error, surface=self.answering.surface, request_id=self.answering.id
        )


class VendorSide(Protocol):
    """A wire format towards a vendor: the functions of its package."""

    def stream_decoder(self) -> StreamDecoder:
        """Make the decoder of one attempt's stream."""
        ...

    def encode_request(self, request: Request, target: Target) -> Encoded:
        """Write a request. Raises: RelayError (400) naming the client's need that has no word."""
        ...

    def decode_answer(self, document: Mapping[str, Any]) -> Answer:
        """Read a whole answer. Never raises on a document that the reader took for one."""
        ...


class ClientSide(Protocol):
    """A wire format towards a client: the functions of its package."""

    def stream_encoder(self, answering: Answering) -> StreamEncoder:
        """Make the encoder of one stream."""
        ...

    def decode_request(self, body: Mapping[str, Any], *, seal_key: bytes) -> Request:
        """Read a request. Raises: RelayError (400) naming the field."""
        ...

    def encode_answer(self, answer: Answer, *, answering: Answering, bill: Bill) -> bytes:
        """Write a whole answer."""
        ...
