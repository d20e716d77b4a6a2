"""What of an answer's reasoning a tool loop may need again, gathered as it passes (pure)."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, structs

from routing.conversation import Answer, Part, Reasoning, Request, Role, Seal, ToolCall, Turn
from routing.events import Event, ReasoningDelta, ReasoningEnd, ToolStart
from routing.translators import folding

# Longer reasoning is not kept: a client that wants such loops must carry it itself.
REASONING_CHARS_MAX: Final = 256 * 1024


class Kept(Struct, frozen=True, kw_only=True, gc=False):
    """The sealed reasoning before a call, and the seal on the call itself."""

    reasoning: tuple[Reasoning, ...] = ()
    seal: Seal | None = None


class Keeper:
    """Gathers the sealed reasoning and the calls of the first choice of one answer."""

    __slots__ = ("_chars", "_events", "_has_calls", "_has_seal")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._chars = 0
        self._has_calls = self._has_seal = False

    def take(self, event: Event) -> None:
        """Look at an event that passes."""
        if isinstance(event, ReasoningDelta):
            self._chars += len(event.text)
            if self._chars > REASONING_CHARS_MAX:
                return
        elif isinstance(event, ReasoningEnd):
            self._has_seal = self._has_seal or event.seal is not None
        elif isinstance(event, ToolStart):
            self._has_calls = True
            self._has_seal = self._has_seal or event.seal is not None
        else:
            return
        if event.choice == 0:
            self._events.append(event)

    def kept(self) -> dict[str, Kept]:
        """Return what each call needs, by its id; nothing where nothing is sealed."""
        if not self._has_calls or not self._has_seal or self._chars > REASONING_CHARS_MAX:
            return {}
        return of_answer(folding.fold(self._events))


def of_answer(answer: Answer) -> dict[str, Kept]:
    """Return what each call of a whole answer needs, by its id."""
    found: dict[str, Kept] = {}
    reasoning: list[Reasoning] = []
    for part in answer.choices[0].parts if answer.choices else ():
        if isinstance(part, Reasoning) and part.seal is not None:
            reasoning.append(part)
        elif isinstance(part, ToolCall) and (reasoning or part.seal is not None):
            found[part.id] = Kept(reasoning=tuple(reasoning), seal=part.seal)
    return found


def missing(request: Request) -> Iterable[str]:
    """Tell the ids of the calls whose turn came back without any seal."""
    for turn in request.turns:
        if _lacks_seals(turn):
            yield from (part.id for part in turn.parts if isinstance(part, ToolCall))


def restored(request: Request, kept: dict[str, Kept]) -> Request:
    """Return the request with the sealed reasoning back in its place."""
    if not kept:
        return request
    turns = tuple(
        structs.replace(turn, parts=_restored(turn.parts, kept)) if _lacks_seals(turn) else turn
        for turn in request.turns
    )
    return structs.replace(request, turns=turns)


def _lacks_seals(turn: Turn) -> bool:
    if turn.role is not Role.ASSISTANT:
        return False
    return not any(
        isinstance(part, (Reasoning, ToolCall)) and part.seal is not None for part in turn.parts
    )


def _restored(parts: tuple[Part, ...], kept: dict[str, Kept]) -> tuple[Part, ...]:
    calls = [part.id for part in parts if isinstance(part, ToolCall) and part.id in kept]
    if not calls:
        return parts
    reasoning = kept[calls[-1]].reasoning  # the last call's is the whole turn's
    rest = tuple(
        structs.replace(part, seal=kept[part.id].seal)
        if isinstance(part, ToolCall) and part.id in kept
        else part
        for part in parts
        if not (reasoning and isinstance(part, Reasoning))
    )
    return (*reasoning, *rest)
