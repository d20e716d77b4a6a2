"""What is said of one operation: the words and shapes that the URLconf cannot know."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bananarouter.openapi.schema import Json

JSON = "application/json"
EVENTS = "text/event-stream"
FORM = "multipart/form-data"


class Tag(enum.StrEnum):
    """A protocol: how operations are grouped. The value is also the name in a page's address."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    MODELS = "models"
    OPENROUTER = "openrouter"
    CATALOGUE = "catalogue"
    PLATFORM = "platform"


class Kind(enum.Enum):
    """Which headers and errors an operation can have."""

    RELAYED = enum.auto()  # a model is called and paid
    COUNT = enum.auto()  # tokens are counted, free of charge
    LIST = enum.auto()  # read from our own catalogue
    PLATFORM = enum.auto()  # read from our own records
    ESTIMATE = enum.auto()  # a body of any protocol is read, and nothing sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter, or a part of the path."""

    name: str
    text: str
    schema: Json = field(default_factory=lambda: {"type": "string"})
    place: str = "query"
    is_required: bool = False

    def told(self) -> Json:
        """Return it as OpenAPI writes it."""
        return {
            "name": self.name,
            "in": self.place,
            "description": self.text,
            "required": self.is_required or self.place == "path",
            "schema": self.schema,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request that works as it stands. `{model}` stands for a model of this deployment.

    `sdk` is the Python call of the protocol's official SDK; without one the call is written for
    `requests`. `files` are the form's files, by field: such a body is a form.
    """

    name: str
    summary: str
    model: str = ""  # what kind of model: a key of examples.MODELS
    body: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    sdk: str = ""
    output: str = ""  # the file that takes an answer that is no text


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one view."""

    id: str
    tag: Tag
    kind: Kind
    summary: str
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    # Schemas by media type.
    request: Mapping[str, Json] = field(default_factory=dict)
    answers: Mapping[str, Json] = field(default_factory=dict)
    status: int = 200
    answer_text: str = "The answer."
    examples: tuple[Example, ...] = ()
    # What /api/v1 changes: more fields of the request, another answer. None: the cost in `usage`.
    platform_request: Json | None = None
    platform_answers: Mapping[str, Json] | None = None
    more_errors: tuple[int, ...] = ()  # statuses beside those that every operation of its kind has


Operations = Mapping[type, Mapping[str, Operation]]
