"""Reranking as Cohere, Jina, Voyage and OpenRouter all take it, native (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from billing.usage import UnitClass
from routing import jsonedit
from routing.dialects import fields, openai, openai_forms
from routing.dialects.base import Content, Demand, Inbound, Outbound, PathParts, Quirks
from routing.dialects.content import Tally
from routing.surfaces import Surface

# Cohere's search unit is one query over up to 100 documents, and a document of more than 500
# tokens, the query included, counts as several (docs.cohere.com/docs/how-does-cohere-pricing-work
# [mem, 2026-11]).
UNIT_DOCUMENTS: Final = 100
CHUNK_TOKENS: Final = 500


def decode(*, surface: Surface, raw: bytes, headers: Mapping[str, str], path: PathParts) -> Inbound:
    """Read a request to rerank. Raises: RelayError (400) naming the wrong field."""
    del path  # the body says it all
    document = jsonedit.read(raw)
    body = document.value
    model = fields.model(body)
    if not fields.text(body, "query"):
        fields.refuse_missing("query", "the text to compare the documents with")
    documents = fields.array(body, "documents")
    if not documents:
        fields.refuse_missing("documents", "at least one document")
    for name in ("top_n", "top_k"):
        fields.integer(body, name, at_least=1)
    tally = Tally()
    for index, item in enumerate(documents):
        if type(item) is not str:
            _read_document(fields.entry(item, f"documents[{index}]"), f"documents[{index}]", tally)
    openai_forms.refuse_fields(body, read_elsewhere=("documents",))
    content = tally.content()
    return Inbound(
        surface=surface,
        model=model,
        is_stream=False,
        document=document,
        content=Content(
            images=content.images,
            inline_bytes=content.inline_bytes,
            has_remote=content.has_remote,
            measures={UnitClass.SEARCH_UNIT: -(-len(documents) // UNIT_DOCUMENTS)},
        ),
        headers=openai.forwarded_headers(headers),
    )


def demand(inbound: Inbound) -> Demand:
    """Tell the most that the request may use: every document is read beside the query."""
    query = len(inbound.body["query"].encode(errors="replace"))
    documents = inbound.body["documents"]
    text = len(inbound.raw) - inbound.content.inline_bytes
    # A chunk has room for the query and as much again of the document, or for 250 tokens of it.
    chunks = len(documents) + (text + query * len(documents)) * 2 // CHUNK_TOKENS
    return Demand(
        prompt_bytes=text + query * len(documents),
        images=inbound.content.images,
        has_remote_content=inbound.content.has_remote,
        has_output=False,
        measures={UnitClass.SEARCH_UNIT: -(-chunks // UNIT_DOCUMENTS)},
    )


def encode(
    inbound: Inbound,
    *,
    upstream_name: str,
    quirks: Quirks,
    account_tag: str,
    output_limit: int | None,
) -> Outbound:
    """Make the vendor's request: the model's name is the only edit."""
    del account_tag, output_limit  # no field for either in this dialect
    return openai_forms.outbound(inbound, "rerank", upstream_name, quirks)


def _read_document(item: Mapping[str, Any], param: str, tally: Tally) -> None:
    """Read a document that is no plain text: every field counts by its bytes, but images."""
    if item.get("image") is not None:
        tally.image(item["image"], f"{param}.image")
    rest = {name: value for name, value in item.items() if name != "image"}
    if any(type(value) is not str for value in rest.values()):
        tally.other(rest, param)
