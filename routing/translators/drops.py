"""What of a request finds no place at a vendor: named to the client, or refused (pure)."""

from typing import NoReturn

from routing.conversation import Request
from routing.dialects import fields
from routing.errors import Code


class Drops:
    """Collects the names of what is dropped; refuses instead where the client said so."""

    __slots__ = ("_names", "_requires_all", "_where")

    def __init__(self, request: Request, where: str) -> None:
        self._names: dict[str, None] = {}
        self._requires_all = request.requires_all
        self._where = where  # the wire format's name, for people

    def drop(self, name: str) -> None:
        """Note a field that the vendor's wire format has no word for. Raises: RelayError (400)."""
        if self._requires_all:
            self.refuse(name)
        self._names[name] = None

    def note(self, name: str) -> None:
        """Note what changes no answer: a hint for caches, a history that only others can read."""
        self._names[name] = None

    def drop_if(self, name: str, *, given: object) -> None:
        """Drop a field that the client gave: None, "", () and False are not given."""
        if given not in (None, "", (), False):
            self.drop(name)

    def refuse(self, name: str) -> NoReturn:
        """Raise a 400: without this field the answer would not be what the client asked for."""
        fields.refuse(
            Code.UNSUPPORTED,
            f"`{name}` cannot be told to this model: its vendor speaks {self._where}, which has "
            "no word for it. Leave it out, or choose another model.",
            name,
        )

    def refuse_empty(self) -> NoReturn:
        """Raise a 400: no vendor answers to nothing."""
        fields.refuse_missing("messages", "at least one message with content")

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that was dropped, each once, in order."""
        return tuple(self._names)
