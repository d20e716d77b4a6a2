"""What the three OpenAI dialects share (pure)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from routing import jsonedit
from routing.dialects import fields
from routing.dialects.base import Inbound, Outbound, Quirks
from routing.dialects.content import Tally, refuse_beta, token_header
from routing.errors import Code

JSON: Final = {"content-type": "application/json"}
# Values that change no price; Codex sends the first two.
_BETA: Final = re.compile(r"(responses|responses_websockets|assistants|realtime)=[\w.-]{1,32}")

ToolReader = Callable[[dict[str, Any], str, Tally], None]


def forwarded_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Pick the headers that go on to the vendor. Raises: RelayError (400) for an unknown beta."""
    values = token_header(headers, "openai-beta")
    if not values:
        return JSON
    for value in values:
        if not _BETA.fullmatch(value):
            refuse_beta("OpenAI-Beta", value, "which is not known here")
    return {**JSON, "openai-beta": ", ".join(values)}


def read_tools(tools: list[Any], param: str, tally: Tally, read: ToolReader) -> None:
    """Look at every tool that the request offers."""
    for index, tool in enumerate(tools):
        read(fields.entry(tool, f"{param}[{index}]"), f"{param}[{index}]", tally)


def refuse_stored(body: Mapping[str, Any]) -> None:
    """Refuse what would be stored at the vendor under our account, or run there unwatched."""
    for name in ("store", "background", "deferred"):
        if fields.flag(body, name):
            fields.refuse(
                Code.VENDOR_HANDLE,
                f"`{name}` would keep the answer at the vendor, under an account that many "
                "customers share. Set it to false, or remove it.",
                name,
            )


def refuse_cache_handles(body: Mapping[str, Any]) -> None:
    """Refuse comparing with an answer of the past, which may be another customer's."""
    options = fields.mapping(body, "prompt_cache_options")
    fields.refuse_set(options, ("comparison_response_id",), "prompt_cache_options.")


def outbound(
    inbound: Inbound,
    path: str,
    changes: dict[jsonedit.Path, Any],
    quirks: Quirks,
    account_tag: str,
) -> Outbound:
    """Put the edits, the account's tag and the vendor's own query together."""
    if quirks.account_field and account_tag:
        changes[tuple(quirks.account_field.split("."))] = account_tag
    return Outbound(
        path=path,
        body=jsonedit.edit(inbound.document, changes),
        headers=inbound.headers,
        query="&".join(part for part in (quirks.extra_query, inbound.query) if part),
    )
