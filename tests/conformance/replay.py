"""Send every case in every foreign dialect through a real gateway; judge answer, request, bill."""

import asyncio
import contextlib
import dataclasses
import http.client
import json
import urllib.parse
from pathlib import Path
from typing import Any

import aiohttp
from django.conf import settings

from billing.money import parse_usd
from tests.conformance import (
    answers,
    asked,
    clients,
    compare,
    errors,
    express,
    grammar,
    scope,
    strict,
    traits,
)
from tests.conformance.normal import DIALECTS, RESPONSES
from tests.e2e import bill, test_wire
from tests.emulator import Exchange, Vendor
from tests.gateways import Gateway

PARALLEL = 12
ROOTS = {"openai-chat": "/v1", "openai-responses": "/v1", "anthropic-messages": "", "gemini": ""}
OPEN = test_wire.OPEN
CUTS = test_wire.CUTS
PASSED, FAILED, EXCLUDED = "passed", "failed", "excluded"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one case in one dialect."""

    case: scope.Case = dataclasses.field(repr=False)
    dialect: str
    cut: str
    verdict: compare.Verdict
    omitted: frozenset[str] = frozenset()
    excluded: str = ""

    @property
    def state(self) -> str:
        if self.excluded:
            return EXCLUDED
        return FAILED if self.verdict.failures else PASSED

    @property
    def key(self) -> tuple[str, str]:
        return self.case.id, self.dialect


class Site:
    """A gateway whose channels lead to one emulated vendor, and a key with credit."""

    def __init__(self, folder: Path) -> None:
        self.vendor = Vendor().start()
        self.folder = folder
        self.gateway = Gateway(folder / "gateway", "--no-demo", **OPEN)
        self.key = ""

    def start(self) -> "Site":
        self.gateway.start()
        file = self.folder / "channels.json"
        offered = channels(self.vendor.url)
        file.write_text(json.dumps({"channels": offered}))
        self.gateway.manage("import_channels", str(file))
        made = self.gateway.manage(
            "create_key", "--email", "conformance@example.com", "--credit-usd", "1000000"
        )
        self.key = made.stdout.split()[-1]
        self.gateway.wait_for_model(self.key, offered[-1]["models"][-1]["name"])
        return self

    def ask(self, dialect: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Send one request as a client of this dialect; return status and body."""
        url = urllib.parse.urlsplit(self.gateway.url)
        connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=60)
        with contextlib.closing(connection):
            headers = clients.credentials(dialect, self.key)
            connection.request("POST", path, json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def stop(self) -> None:
        if self.gateway.process is not None and self.gateway.process.poll() is None:
            self.gateway.stop()
        self.vendor.stop()


def channels(url: str) -> list[dict[str, Any]]:
    """Return one channel for each vendor and protocol, with a model for each case."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for case in scope.cases():
        channel = found.setdefault(
            (case.vendor, case.protocol),
            {
                "name": f"{case.vendor}-{case.protocol}",
                "vendor": case.vendor,
                "protocol": case.protocol,
                "base_url": f"{url}{ROOTS[case.protocol]}",
                "api_key": "sk-conformance",
                "models": [],
            },
        )
        model = {"name": case.name, "upstream_name": case.name, "prices": bill.PRICES,
                 "quirks": traits.quirks(case)}  # fmt: skip
        channel["models"].append(model)
    return list(found.values())


class Replay:
    """One pass over the cases with one dialect and one way of cutting streams."""

    def __init__(self, site: Site, *, dialect: str, cut: str) -> None:
        self.site, self.dialect, self.cut = site, dialect, cut
        self.outcomes: list[Outcome] = []

    def run(self, cases: list[scope.Case]) -> list[Outcome]:
        self.site.vendor.forget()
        for case in cases:
            self.site.vendor.scripts[case.name] = test_wire.script(case.raw, self.cut)
        asyncio.run(self._all(cases))
        return self.outcomes

    async def _all(self, cases: list[scope.Case]) -> None:
        gate = asyncio.Semaphore(PARALLEL)
        url = self.site.gateway.url
        async with aiohttp.ClientSession(url, read_bufsize=1 << 20) as session:

            async def one(case: scope.Case) -> None:
                async with gate:
                    self.outcomes.append(await self._one(session, case))

            await asyncio.gather(*map(one, cases))

    async def _one(self, session: aiohttp.ClientSession, case: scope.Case) -> Outcome:
        as_array = self.cut == "bytes"
        ask = clients.ask(case, self.dialect, key=self.site.key, as_array=as_array)
        verdict = compare.Verdict()
        async with session.post(ask.path, json=ask.body, headers=ask.headers) as answer:
            body, status = await answer.read(), answer.status
            headers = {name.lower(): value for name, value in answer.headers.items()}
        seen = self.site.vendor.of(case.name)
        if express.lacks(ask.meaning, case.protocol):
            verdict.excuse("refused_media")
            verdict.same("refused", (status, len(seen)), (400, 0))
            verdict.same("error", errors.faults(self.dialect, status=status, body=body,
                                                vendor_body=""), [])  # fmt: skip
        elif not seen:
            verdict.failures.append(f"refused: {status} {body[:300]!r}")
        elif len(seen) != 1:
            verdict.failures.append(f"sent {len(seen)} times")
        else:
            _judge_request(verdict, case, ask, seen[0])
            _judge_answer(verdict, case, ask, status, body)
            await self._judge_bill(verdict, session, case, headers)
            _judge_dropped(verdict, headers, self.dialect)
        return Outcome(case=case, dialect=self.dialect, cut=self.cut, verdict=verdict,
                       omitted=ask.omitted)  # fmt: skip

    async def _judge_bill(
        self,
        verdict: compare.Verdict,
        session: aiohttp.ClientSession,
        case: scope.Case,
        headers: dict[str, str],
    ) -> None:
        if case.status != 200:
            return
        usage, searches = test_wire.last_usage(case.raw)
        if not usage:
            verdict.excuse("usage_estimated")
            return
        if case.protocol == RESPONSES and any(c.media for c in case.answer.candidates):
            verdict.excuse("bill_of_tool")
            return
        parts = bill.quantities(case.vendor, case.protocol, usage, searches)
        wanted = bill.cost_nusd(parts, settings.MARKUP_PPM)
        verdict.same("bill", await self._told_cost(session, headers), wanted)

    async def _told_cost(
        self, session: aiohttp.ClientSession, headers: dict[str, str]
    ) -> int | None:
        if "x-cost-usd" in headers:
            return parse_usd(headers["x-cost-usd"])
        path = f"/api/v1/generation?id={headers.get('x-generation-id', '')}"
        for _ in range(100):
            async with session.get(path, headers={"x-api-key": self.site.key}) as answer:
                if answer.status == 200:
                    return parse_usd((await answer.json())["data"]["cost_usd"])
            await asyncio.sleep(0.1)
        return None


def _judge_dropped(verdict: compare.Verdict, headers: dict[str, str], dialect: str) -> None:
    """What the gateway says that it dropped is what an exception above says, and no more."""
    told = {name.strip() for name in headers.get("x-dropped-parameters", "").split(",")} - {""}
    named = {words[dialect] for rule, words in compare.DROPS.items() if rule in verdict.excused}
    verdict.same("dropped", told, named)


def _judge_request(
    verdict: compare.Verdict, case: scope.Case, ask: clients.Ask, seen: Exchange
) -> None:
    body = seen.json
    try:
        got = asked.read(case.protocol, body, is_stream="streamGenerateContent" in seen.path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        verdict.failures.append(f"asked: not {case.protocol}: {error!r}")
        return
    compare.requests(verdict, got=got, wanted=ask.meaning, dialect=ask.dialect,
                     protocol=case.protocol)  # fmt: skip
    verdict.same("asked.types", strict.asked(case.protocol, body), [])
    verdict.same("asked.model", case.name in (seen.model, body.get("model")), True)
    keys = [seen.header(name) for name in ("authorization", "x-api-key", "x-goog-api-key",
                                           "api-key")]  # fmt: skip
    verdict.same("asked.key", any("sk-conformance" in (key or "") for key in keys), True)


def _judge_answer(
    verdict: compare.Verdict, case: scope.Case, ask: clients.Ask, status: int, body: bytes
) -> None:
    if case.status != 200:
        text = case.raw["response"]["body"]
        allowed = errors.wanted_statuses(case.status, text)
        verdict.same("error", status in allowed, True)
        found = errors.faults(ask.dialect, status=status, body=body, vendor_body=text)
        verdict.same("error", found, [])
        return
    if status != 200:
        verdict.failures.append(f"status {status}: {body[:300]!r}")
        return
    try:
        got = answers.read(ask.dialect, body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        verdict.failures.append(f"not {ask.dialect}: {error!r}: {body[:300]!r}")
        return
    is_broken = case.answer.error is not None
    if is_broken and got.error is None and case.answer.candidates[0].finish != "error":
        verdict.excuse("late_error")
        is_broken = False
    verdict.same("error", got.error is not None, is_broken)
    if is_broken:
        verdict.ran.add("error_in_stream")
    else:
        compare.answers(verdict, got=got, told=case.answer, dialect=ask.dialect,
                        vendor=case.vendor, protocol=case.protocol)  # fmt: skip
    if ask.dialect == case.protocol:
        return  # the vendor's own bytes: their form is not ours to judge
    verdict.same("types", strict.answer(ask.dialect, body, is_stream=case.is_stream), [])
    if case.is_stream:
        verdict.same("grammar", grammar.faults(ask.dialect, body, ends_in_error=is_broken), [])


def run(site: Site, *, native: bool = False) -> list[Outcome]:
    """Replay all pairs: streams with both cuts, whole answers once; `native` pairs instead."""
    found: list[Outcome] = []
    for dialect in DIALECTS:
        for cut in CUTS:
            cases = []
            for case in scope.cases():
                reason = scope.pair_reason(case, dialect)
                if (case.protocol == dialect) != native or (cut != CUTS[0] and not case.is_stream):
                    continue
                if reason:
                    found.append(Outcome(case=case, dialect=dialect, cut=cut,
                                         verdict=compare.Verdict(), excluded=reason))  # fmt: skip
                else:
                    cases.append(case)
            found += Replay(site, dialect=dialect, cut=cut).run(cases)
    return found
