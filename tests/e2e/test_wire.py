"""Recorded vendor traffic through a real gateway, natively: bytes, usage and bill."""

import asyncio
import collections
import json
import re

import aiohttp
import pytest
from django.conf import settings

from billing.money import parse_usd
from tests.e2e import bill, handmade
from tests.emulator import Script, Vendor
from tests.gateways import Gateway
from tests.routing.dialects import recordings

pytestmark = pytest.mark.process
MARKUP_PPM = settings.MARKUP_PPM
PARALLEL = 12
OPEN = {
    "KEY_CONCURRENCY": "1000",
    "IP_CONCURRENCY": "1000",
    "ACCOUNT_CONCURRENCY": "1000",
    "KEY_REQUESTS_PER_MINUTE": "1000000",
    "IP_REQUESTS_PER_MINUTE": "1000000",
}
CUTS = ("event", "bytes")


def own_name(case):
    """A model name of the case's own, as the recordings' README advises."""
    tail = re.sub(r"[^a-z0-9]", "", case["id"].rpartition(".")[2].lower())
    base = re.sub(r"[^A-Za-z0-9._-]", "-", str(case["model"] or "m"))[-60:]
    return f"{base}-{tail}"


def slices(body, cut):
    """Cut a stream after each blank line, or every few bytes, inside UTF-8 and CRLF too."""
    if cut == "event":
        return [m for m in re.findall(rb".*?\r?\n\r?\n|.+$", body, re.DOTALL) if m]
    return [body[i : i + 37] for i in range(0, len(body), 37)]


def script(case, cut):
    answer = case["response"]
    body = answer["body"].encode()
    is_stream = case["stream"] and answer["status"] == 200
    kept = tuple((k, v) for k, v in answer["headers"].items() if k.lower() != "content-length")
    return Script(
        status=answer["status"],
        headers=kept or (("Content-Type", "application/json"),),
        chunks=slices(body, cut) if is_stream else [body],
        is_chunked=bool(is_stream),
    )


def call(case, name):
    """The path and body that a client of this protocol sends."""
    body = dict(case["request"]["body"])
    protocol, operation = case["protocol"], case["endpoint"].rpartition(":")[2]
    if protocol.startswith("gemini"):
        query = case["request"]["path"].partition("?")[2]
        query = "?alt=sse" if "alt=sse" in query else ""
        return f"/v1beta/models/{name}:{operation}{query}", body
    body["model"] = name
    return f"/v1/{case['endpoint']}", body


def client_headers(case, key):
    kept = ("anthropic-version", "anthropic-beta", "openai-beta")
    told = {k: v for k, v in case["request"]["headers"].items() if k.lower() in kept}
    return {"authorization": f"Bearer {key}", "content-type": "application/json", **told}


class Run:
    """All cases against one gateway; what came back is kept for the assertions."""

    def __init__(self, gateway, vendor, key, cut):
        self.gateway, self.vendor, self.key, self.cut = gateway, vendor, key, cut
        self.refused = collections.Counter()
        self.passed = 0
        self.failed = []

    async def go(self, cases):
        gate = asyncio.Semaphore(PARALLEL)
        async with aiohttp.ClientSession(self.gateway.url, read_bufsize=1 << 20) as session:

            async def one(case):
                async with gate:
                    try:
                        await self.replay(session, case)
                    except AssertionError as error:
                        self.failed.append(f"{case['id']}: {error}"[:900])

            await asyncio.gather(*map(one, cases))

    async def replay(self, session, case):
        name = own_name(case)
        path, body = call(case, name)
        async with session.post(path, json=body, headers=client_headers(case, self.key)) as answer:
            got = await answer.read()
            headers, status = answer.headers, answer.status
        seen = self.vendor.of(name)
        if not seen:
            assert status in (400, 402), (case["id"], status, got[:300])
            self.refused[case["protocol"], refusal(got)] += 1
            return
        assert len(seen) == 1, case["id"]
        self.same_request(case, seen[0], name, body)
        told = case["response"]["body"].encode()
        if case["response"]["status"] in (401, 403, 429) or is_ours(case):
            assert status >= 429, (case["id"], status)
            assert b"error" in got
            assert told not in got
        else:
            assert status == case["response"]["status"], (case["id"], status, got[:500])
            same_answer(case, got, told)
        if case["response"]["status"] == 200:
            await self.same_bill(session, case, headers)
        self.passed += 1

    def same_request(self, case, seen, name, body):
        """The vendor saw the caller's request with the listed edits and no others."""
        assert seen.header("authorization") == "Bearer sk-wire" or (
            (seen.header("x-api-key") or seen.header("x-goog-api-key") or seen.header("api-key"))
            == "sk-wire"
        ), case["id"]
        sent = seen.json
        if case["stream"] and case["protocol"] == "openai-chat":
            options = dict(sent.pop("stream_options", None) or {})
            options.pop("include_usage", None)
            asked = dict(body.get("stream_options") or {})
            asked.pop("include_usage", None)
            assert options == asked, case["id"]
        for edited in ("store", "safety_identifier", "stream_options"):
            sent.pop(edited, None)
        sent.get("metadata", {}).pop("user_id", None) if isinstance(
            sent.get("metadata"), dict
        ) else None
        wanted = {k: v for k, v in body.items() if k not in EDITED}
        if isinstance(wanted.get("metadata"), dict):
            wanted["metadata"] = {k: v for k, v in wanted["metadata"].items() if k != "user_id"}
        for side in (sent, wanted):
            if side.get("metadata") == {}:
                side.pop("metadata")
            if case["protocol"].startswith("gemini"):
                strip_models(side)
        assert sent == wanted, case["id"]
        assert name in (seen.model, sent.get("model")), case["id"]

    async def same_bill(self, session, case, headers):
        usage, searches = last_usage(case)
        if case["protocol"].endswith(("count-tokens", "input-tokens")):
            expected = 0
        elif not usage:
            return  # estimated: tested at the readers
        else:
            parts = bill.quantities(case["vendor"], case["protocol"], usage, searches)
            expected = bill.cost_nusd(parts, MARKUP_PPM)
        told = await self.told_cost(session, headers)
        assert told == expected, (case["id"], told, expected, usage)

    async def told_cost(self, session, headers):
        if "x-cost-usd" in headers:
            return parse_usd(headers["x-cost-usd"])
        path = f"/api/v1/generation?id={headers['x-generation-id']}"
        for _ in range(100):
            async with session.get(path, headers={"x-api-key": self.key}) as answer:
                if answer.status == 200:
                    return parse_usd((await answer.json())["data"]["cost_usd"])
            await asyncio.sleep(0.1)
        raise AssertionError("no record of the request within 10 s")


EDITED = {"store", "safety_identifier", "stream_options", "user"}


def strip_models(value):
    """Gemini repeats the model inside some bodies; there it is edited."""
    if isinstance(value, dict):
        value.pop("model", None)
        for part in value.values():
            strip_models(part)
    elif isinstance(value, list):
        for part in value:
            strip_models(part)


def is_ours(case):
    """Errors that are about our credential or our naming, whatever their status."""
    body = case["response"]["body"]
    marks = ("API_KEY_INVALID", "model_not_found", "Incorrect API key", '"code":404', "404")
    return case["response"]["status"] >= 400 and any(m in body for m in marks)


def refusal(got):
    error = json.loads(got)["error"]
    return str(error.get("param") or error.get("code") or error.get("message", ""))[:60]


def events(body):
    blocks = re.split(rb"\r?\n\r?\n", body)
    return [b for b in blocks if b.strip() and not b.lstrip().startswith(b": keep-alive")]


def same_answer(case, got, told):
    if case["stream"] and case["response"]["status"] == 200:
        wanted = events(told)
        asked = (case["request"]["body"].get("stream_options") or {}).get("include_usage")
        if case["protocol"] == "openai-chat" and not asked:
            wanted = [e for e in wanted if not is_usage_chunk(e)]
        assert events(got) == wanted, case["id"]
    else:
        assert got == told, case["id"]


def is_usage_chunk(event):
    data = event.partition(b"data:")[2].strip()
    if not data.startswith(b"{"):
        return False
    found = json.loads(data)
    return not found.get("choices") and isinstance(found.get("usage"), dict)


def documents(case):
    text = case["response"]["body"]
    if not case["stream"] or not re.match(r"\s*(data:|event:|:)", text):
        return [json.loads(text)]
    found = []
    for block in re.split(r"\r?\n\r?\n", text):
        data = "\n".join(x[5:].strip() for x in block.splitlines() if x.startswith("data:"))
        if data and data != "[DONE]":
            found.append(json.loads(data))
    return found


def last_usage(case):
    """The usage that counts, and the searches that only the items show."""
    usage, searches = {}, 0
    for document in documents(case):
        if not isinstance(document, dict):
            continue
        holder = document.get("response") or document.get("message") or document
        told = holder.get("usage") or holder.get("usageMetadata") or document.get("usage")
        told = told or (document.get("x_groq") or {}).get("usage")
        if told and case["protocol"] in ("anthropic-messages", "gemini"):
            usage = {**usage, **told}
        elif told:
            usage = told
        searches = max(searches, counted_searches(case, document, holder))
    return usage, searches


def counted_searches(case, document, holder):
    """Searches that no usage tells: from the answer's items, citations or queries."""
    if case["protocol"] == "openai-responses":
        calls = [i for i in holder.get("output") or [] if i.get("type") == "web_search_call"]
        kinds = [(call.get("action") or {}).get("type", "search") for call in calls]
        return sum(kind not in ("open_page", "find_in_page") for kind in kinds)
    if case["protocol"] == "openai-chat" and "web_search_options" in case["request"]["body"]:
        return int('"url_citation"' in case["response"]["body"])
    if case["protocol"] == "gemini":
        found = [
            (c.get("groundingMetadata") or {}).get("webSearchQueries") or []
            for c in document.get("candidates") or []
        ]
        queries = max((len(f) for f in found), default=0)
        by_query = re.search(r"gemini-([3-9]|\d\d)", str(document.get("modelVersion")))
        return queries if by_query else min(queries, 1)
    return 0


@pytest.fixture(scope="module")
def scope():
    return [*(case for case, _ in recordings.in_scope()), *handmade.CASES]


@pytest.fixture(scope="module")
def vendor():
    vendor = Vendor().start()
    yield vendor
    vendor.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, scope, vendor):
    gateway = Gateway(tmp_path_factory.mktemp("wire"), "--no-demo", **OPEN).start()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def key(gateway, vendor, scope, tmp_path_factory):
    channels = {}
    for case in scope:
        family = case["protocol"].partition("-")[0]
        where = vendor.url if family in ("anthropic", "gemini") else f"{vendor.url}/v1"
        channel = channels.setdefault(
            (case["vendor"], family),
            {
                "name": f"{case['vendor']}-{family}",
                "vendor": case["vendor"],
                "protocol": case["protocol"],
                "base_url": where,
                "api_key": "sk-wire",
                "models": [],
            },
        )
        name = own_name(case)
        channel["models"].append({"name": name, "upstream_name": name, "prices": bill.PRICES})
    file = tmp_path_factory.mktemp("channels") / "channels.json"
    file.write_text(json.dumps({"channels": list(channels.values())}))
    gateway.manage("import_channels", str(file))
    created = gateway.manage("create_key", "--email", "wire@example.com", "--credit-usd", "100000")
    key = created.stdout.split()[-1]
    gateway.wait_for_model(key, name)
    return key


@pytest.mark.parametrize("cut", CUTS)
def test_native_replay(cut, scope, vendor, gateway, key, capsys):
    vendor.forget()
    vendor.scripts.update({own_name(case): script(case, cut) for case in scope})
    run = Run(gateway, vendor, key, cut)
    asyncio.run(run.go(scope))
    with capsys.disabled():
        made = len(handmade.CASES)
        print(f"\nwire: {run.passed - made} of {len(scope) - made} in scope ({cut} cuts)")  # noqa: T201
        print(f"  and {made} made by hand: DashScope, Moonshot")  # noqa: T201
        for (protocol, field), count in sorted(run.refused.items()):
            print(f"  refused by contract {count:2d}  {protocol}: {field}")  # noqa: T201
    assert not run.failed, "\n".join(run.failed)
    assert run.passed >= 0.94 * len(scope)
    gateway.manage("audit_ledger")
