"""What a group commit carries, and what came of it (pure)."""

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """A vendor dialled for a request: `outcome` is one of billing.models.Attempt.Outcome."""

    n: int
    endpoint: str
    outcome: str
    vendor_cost_nusd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a request ended; `state` and `reason` as in billing.models.Charge.

    `goodwill_nusd` is what was delivered of an answer that the vendor broke off: it is given
    back when the lease closes, as far as the account's day allows (docs/adr/0007).
    """

    cost_nusd: int
    vendor_cost_nusd: int
    endpoint: str | None
    rate_card: int | None
    usage_raw: str | None
    state: str
    reason: str
    attempts: tuple[AttemptRow, ...] = ()
    goodwill_nusd: int = 0


class Item(Protocol):
    """What the batcher needs to know of an open charge. Attributes may be read on its thread."""

    request_id: UUID
    lease_id: int
    wallet_id: int
    api_key_id: int | None
    hold_nusd: int
    wanted_hold_nusd: int
    checkpoint_nusd: int

    @property
    def settlement(self) -> Settlement: ...


@dataclass(slots=True, kw_only=True)
class Batch:
    """Rows of one transaction. A charge stands at most once in each list."""

    settles: list[Any] = field(default_factory=list)  # of Item
    extensions: list[Any] = field(default_factory=list)
    checkpoints: list[Any] = field(default_factory=list)
    intents: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.settles) + len(self.extensions) + len(self.checkpoints) + len(self.intents)

    def halves(self) -> tuple["Batch", "Batch"]:
        """Split into two, each part in order; both are smaller than a batch of two or more."""
        half = len(self) // 2
        first, second = Batch(), Batch()
        for name in ("settles", "extensions", "checkpoints", "intents"):
            items = getattr(self, name)
            room = half - len(first)
            getattr(first, name).extend(items[:room])
            getattr(second, name).extend(items[room:])
        return first, second


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The request ids of a batch whose rows were written; the others were refused."""

    intended: set[UUID] = field(default_factory=set)
    settled: set[UUID] = field(default_factory=set)
    extended: set[UUID] = field(default_factory=set)

    def add(self, other: "Outcome") -> None:
        """Join the outcome of another part."""
        self.intended |= other.intended
        self.settled |= other.settled
        self.extended |= other.extended
