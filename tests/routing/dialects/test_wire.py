"""The recorded requests of the protocols in scope, through decode, demand and encode."""

import collections
import copy
import json
import re

import pytest

from routing import dialects
from routing.dialects.base import Quirks
from routing.errors import RelayError
from routing.surfaces import Surface
from tests.routing.dialects import recordings

# Every recorded request that is refused, by protocol and the field that is at fault.
REFUSED = {
    ("anthropic-messages", "container"): 2,
    ("anthropic-messages", "messages[]"): 1,  # the vendor refused it as well
    ("anthropic-messages", "messages[].content[].file_id"): 2,
    ("anthropic-messages", "messages[].content[].source.file_id"): 2,
    ("anthropic-messages", "tools[].type"): 1,
    ("gemini", "cachedContent"): 1,
    ("gemini", "contents[].parts[].fileData.fileUri"): 6,
    ("gemini", "contents[].parts[].functionResponse.parts[].fileData.fileUri"): 1,
    ("gemini", "modelArmorConfig"): 1,
    ("openai-chat", "messages[].content[].file.file_id"): 1,
    ("openai-chat", "model"): 12,  # old Azure paths name the deployment instead
    ("openai-chat", "store"): 1,
    ("openai-responses", "background"): 2,
    ("openai-responses", "conversation"): 3,
    ("openai-responses", "input[].container_id"): 1,
    ("openai-responses", "input[].id"): 1,
    ("openai-responses", "input[].output[].file_id"): 1,
    ("openai-responses", "previous_response_id"): 2,
    ("openai-responses", "store"): 3,
    ("openai-responses", "tools[].connector_id"): 1,
    ("openai-responses", "tools[].vector_store_ids"): 1,
}
COMPACT = {"separators": (",", ":"), "ensure_ascii": False}
SPACED = {"indent": 1, "ensure_ascii": True}


def run(case, surface, spelling):
    raw = json.dumps(case["request"]["body"], **spelling).encode()
    dialect = dialects.for_surface(surface)
    inbound = dialect.decode(
        surface=surface,
        raw=raw,
        headers=case["request"]["headers"],
        path=recordings.path_parts(case),
    )
    return dialect, inbound, dialect.demand(inbound)


def test_recorded_requests_are_decoded(capsys):
    refused = collections.Counter()
    scope = recordings.in_scope()
    for case, surface in scope:
        try:
            _, inbound, demand = run(case, surface, COMPACT)
        except RelayError as error:
            refused[case["protocol"], re.sub(r"\d+", "", error.param or "")] += 1
            continue
        assert inbound.is_stream == case["stream"], case["id"]
        assert inbound.model, case["id"]
        assert 0 < demand.prompt_bytes <= len(inbound.raw)
    with capsys.disabled():
        print(f"\nwire requests: {len(scope) - refused.total()} of {len(scope)} decoded")  # noqa: T201
        for (protocol, param), count in sorted(refused.items()):
            print(f"  refused {count:2d}  {protocol}: {param}")  # noqa: T201
    assert dict(refused) == REFUSED


def expected_body(case, surface, spelling) -> bytes:
    """The listed edits, made on the parsed request and written in the caller's spelling."""
    body = copy.deepcopy(case["request"]["body"])
    added = {}
    if surface.family == "gemini":
        for holder in (body, body.get("generateContentRequest", {}), *body.get("requests", [])):
            if "model" in holder:
                holder["model"] = "models/vendor-model"
    else:
        body["model"] = "vendor-model"
    if surface is Surface.RESPONSES:
        (body if "store" in body else added)["store"] = False
    if surface is Surface.CHAT and case["stream"]:
        options = body.get("stream_options")
        if not options:
            (body if "stream_options" in body else added)["stream_options"] = {
                "include_usage": True
            }
        else:
            options["include_usage"] = True
    text = json.dumps(body, **spelling)
    close = re.search(r"\s*\}$", text).start()
    extra = "".join(f",{json.dumps({key: added[key]}, **COMPACT)[1:-1]}" for key in added)
    return (text[:close] + extra + text[close:]).encode()


@pytest.mark.parametrize("spelling", [COMPACT, SPACED], ids=["compact", "spaced"])
def test_encoding_changes_the_listed_fields_and_no_other_byte(spelling):
    compared = 0
    for case, surface in recordings.in_scope():
        try:
            dialect, inbound, _ = run(case, surface, spelling)
        except RelayError:
            continue
        outbound = dialect.encode(
            inbound,
            upstream_name="vendor-model",
            quirks=Quirks(forces_store_false=True),
            account_tag="",
            output_limit=None,
        )
        assert outbound.body == expected_body(case, surface, spelling), case["id"]
        compared += 1
    assert compared > 880


def test_the_path_is_the_recorded_one():
    for case, surface in recordings.in_scope():
        try:
            dialect, inbound, _ = run(case, surface, COMPACT)
        except RelayError:
            continue
        name = case["model"] if surface.family != "gemini" else inbound.model
        outbound = dialect.encode(
            inbound,
            upstream_name=name,
            quirks=Quirks(),
            account_tag="",
            output_limit=None,
        )
        path, _, query = case["request"]["path"].partition("?")
        if path.startswith("/"):  # some recordings name their file instead
            assert path.endswith("/" + outbound.path), case["id"]
        recorded = {part for part in query.split("&") if part in ("alt=sse", "beta=true")}
        assert {part for part in outbound.query.split("&") if part} == recorded, case["id"]
        assert set(outbound.headers) <= {
            "content-type",
            "anthropic-version",
            "anthropic-beta",
            "openai-beta",
        }
