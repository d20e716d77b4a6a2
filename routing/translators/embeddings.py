"""Embeddings between OpenAI's form and Gemini's: texts there, vectors back (pure)."""

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import orjson

from routing.dialects import fields
from routing.dialects.base import Inbound
from routing.errors import Code, RelayError
from routing.jsonedit import Document
from routing.surfaces import Family, Surface
from routing.translators.base import Bill

OPENAI: Final = Surface.EMBEDDINGS
GEMINI: Final = Surface.GEMINI_BATCH_EMBED  # a single content is a batch of one
SURFACES: Final = frozenset({OPENAI, GEMINI, Surface.GEMINI_EMBED})

_OPENAI_FIELDS: Final = frozenset({"model", "input", "dimensions", "encoding_format"})
_GEMINI_FIELDS: Final = frozenset(
    {"model", "content", "embedContentConfig", "embed_content_config"}
)
_DIMENSIONS: Final = frozenset({"outputDimensionality", "output_dimensionality"})
_FLOAT_MAX: Final = 3.4e38  # of 32 bits
_HEADERS: Final = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be embedded, in nobody's words."""

    texts: tuple[str, ...]
    dimensions: int | None = None
    is_base64: bool = False  # how the client wants its vectors
    dropped: tuple[str, ...] = ()


def read(inbound: Inbound) -> Wanted:
    """Read a client's request. Raises: RelayError (400) naming what cannot be carried over."""
    body = inbound.body
    if inbound.surface is OPENAI:
        return _read_openai(body)
    if inbound.surface is Surface.GEMINI_EMBED:
        return _read_gemini([(body, "")])
    return _read_gemini(
        [(request, f"requests[{n}].") for n, request in enumerate(body["requests"])]
    )


def write(wanted: Wanted, inbound: Inbound, *, wire: Surface) -> Inbound:
    """Return the request as a client of the vendor's protocol would have sent it."""
    body = _openai_body(wanted) if wire is OPENAI else _gemini_body(wanted)
    document = Document(orjson.dumps(body), body, is_canonical=True)
    return replace(inbound, surface=wire, document=document, headers=_HEADERS, query="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A request in a vendor's protocol, and what brings its answer back."""

    inbound: Inbound
    embedder: "Embedder"
    dropped: tuple[str, ...]


def carry(inbound: Inbound, *, family: Family, model: str) -> Carried:
    """Carry a request over to the other family. Raises: RelayError (400) naming the field."""
    wanted, wire = read(inbound), OPENAI if family is Family.OPENAI else GEMINI
    return Carried(
        inbound=write(wanted, inbound, wire=wire),
        embedder=Embedder(wanted, surface=inbound.surface, wire=wire, model=model),
        dropped=wanted.dropped,
    )


class Embedder:
    """Translates one answer."""

    def __init__(self, wanted: Wanted, *, surface: Surface, wire: Surface, model: str) -> None:
        self._wanted = wanted
        self._surface = surface
        self._wire = wire
        self._model = model  # that really serves, in our naming
        self._vectors: list[list[float]] = []

    def take_whole(self, body: bytes) -> None:
        """Read the vendor's answer. Raises: RelayError (502) when it holds other vectors."""
        document = orjson.loads(body)
        vectors = _openai_vectors(document) if self._wire is OPENAI else _gemini_vectors(document)
        if len(vectors) != len(self._wanted.texts) or not all(map(_is_vector, vectors)):
            raise RelayError(
                code=Code.UPSTREAM_INVALID,
                message="The vendor's vectors cannot be read in the protocol of this request: "
                "nothing was charged. Use another model, or its vendor's own protocol.",
            )
        self._vectors = vectors

    def whole(self, bill: Bill) -> bytes:
        """Write the answer, with the usage that is billed."""
        tokens = bill.usage.prompt_tokens
        if self._surface is OPENAI:
            return orjson.dumps(self._openai(tokens))
        told = {"promptTokenCount": tokens, "totalTokenCount": tokens}
        values = [{"values": vector} for vector in self._vectors]
        if self._surface is Surface.GEMINI_EMBED:
            return orjson.dumps({"embedding": values[0], "usageMetadata": told})
        return orjson.dumps({"embeddings": values, "usageMetadata": told})

    def _openai(self, tokens: int) -> dict[str, Any]:
        pack = _packed if self._wanted.is_base64 else list
        data = [
            {"object": "embedding", "index": index, "embedding": pack(vector)}
            for index, vector in enumerate(self._vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": self._model, "usage": usage}


def _read_openai(body: Mapping[str, Any]) -> Wanted:
    given = body["input"]
    texts = [given] if type(given) is str else given
    for index, text in enumerate(texts):
        if type(text) is not str:
            what = "token numbers" if type(text) in (int, list) else "anything but text"
            _refuse("input" if type(text) is int else f"input[{index}]", what)
    encoding = fields.text(body, "encoding_format") or "float"
    if encoding not in ("float", "base64"):
        fields.refuse(
            Code.INVALID_VALUE, "`encoding_format` must be float or base64.", "encoding_format"
        )
    return Wanted(
        texts=tuple(texts),
        dimensions=fields.integer(body, "dimensions", at_least=1),
        is_base64=encoding == "base64",
        dropped=_dropped(body, _OPENAI_FIELDS),
    )


def _read_gemini(requests: list[tuple[Mapping[str, Any], str]]) -> Wanted:
    texts: list[str] = []
    dropped: dict[str, None] = {}
    dimensions = _dimensions(*requests[0])
    for request, prefix in requests:
        texts.append(_text(request["content"], f"{prefix}content"))
        if _dimensions(request, prefix) != dimensions:
            _refuse(f"{prefix}outputDimensionality", "vectors of several lengths at once")
        for part in (request, _config(request, prefix)):
            dropped |= dict.fromkeys(_dropped(part, _GEMINI_FIELDS | _DIMENSIONS))
    return Wanted(texts=tuple(texts), dimensions=dimensions, dropped=tuple(dropped))


def _config(request: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
    """Return where newer models of Gemini take the same fields."""
    name = "embed_content_config" if "embed_content_config" in request else "embedContentConfig"
    return fields.mapping(request, name, prefix)


def _dimensions(request: Mapping[str, Any], prefix: str) -> int | None:
    for part in (request, _config(request, prefix)):
        for name in sorted(_DIMENSIONS & part.keys()):
            found = fields.integer(part, name, at_least=1, prefix=prefix)
            if found is not None:
                return found
    return None


def _text(content: Mapping[str, Any], param: str) -> str:
    """Join a content's texts: Gemini embeds all its parts as one."""
    parts = content.get("parts") or []
    pieces = []
    for number, part in enumerate([parts] if isinstance(parts, dict) else parts):
        for name, value in part.items():
            if name != "text" and value is not None:
                _refuse(f"{param}.parts[{number}].{name}", "anything but text")
        pieces.append(fields.text(part, "text", f"{param}.parts[{number}].") or "")
    joined = "\n".join(filter(None, pieces))
    if not joined:
        fields.refuse_missing(f"{param}.parts", "a text to embed")
    return joined


def _dropped(part: Mapping[str, Any], known: frozenset[str]) -> tuple[str, ...]:
    return tuple(name for name, value in part.items() if name not in known and value is not None)


def _refuse(param: str, what: str) -> NoReturn:
    fields.refuse(
        Code.UNSUPPORTED,
        f"`{param}` cannot be told to this model: its vendor speaks another protocol, in which "
        f"{what} cannot be embedded. Send texts, or choose another model.",
        param,
    )


def _openai_body(wanted: Wanted) -> dict[str, Any]:
    body: dict[str, Any] = {"model": "", "input": list(wanted.texts)}
    if wanted.dimensions is not None:
        body["dimensions"] = wanted.dimensions
    return body


def _gemini_body(wanted: Wanted) -> dict[str, Any]:
    size = {} if wanted.dimensions is None else {"outputDimensionality": wanted.dimensions}
    return {
        "requests": [
            {"model": "", "content": {"parts": [{"text": text}]}, **size} for text in wanted.texts
        ]
    }


def _openai_vectors(document: Mapping[str, Any]) -> list[Any]:
    data = document.get("data")
    items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    placed = {item["index"]: item for item in items if type(item.get("index")) is int}
    if placed.keys() == set(range(len(items))):
        items = [placed[place] for place in range(len(items))]
    return [item.get("embedding") for item in items]


def _gemini_vectors(document: Mapping[str, Any]) -> list[Any]:
    items = document.get("embeddings")
    items = items if isinstance(items, list) else []
    return [item.get("values") for item in items if isinstance(item, dict)]


def _is_vector(value: Any) -> bool:
    """Tell whether it holds numbers; some vendors answer in packings of their own."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(number) in (int, float) and abs(number) <= _FLOAT_MAX for number in value)
    )


def _packed(vector: list[float]) -> str:
    """Pack as OpenAI does: 32-bit floats, the lowest byte first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
