"""The recorded traffic beside the repository, as the readers' tests use it."""

import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from routing import readers, sse
from routing.dialects.base import Quirks
from routing.readers.base import Expectation, Reader, Step
from routing.surfaces import Surface

SURFACES = {
    "chat/completions": Surface.CHAT,
    "responses": Surface.RESPONSES,
    "responses/input_tokens": Surface.INPUT_TOKENS,
    "embeddings": Surface.EMBEDDINGS,
    "messages": Surface.MESSAGES,
    "messages/count_tokens": Surface.COUNT_TOKENS,
    "models:generateContent": Surface.GENERATE,
    "models:streamGenerateContent": Surface.GENERATE,
    "models:countTokens": Surface.GEMINI_COUNT,
    "models:batchEmbedContents": Surface.GEMINI_BATCH_EMBED,
}


@dataclass(frozen=True)
class Case:
    """One recorded exchange."""

    id: str
    vendor: str
    surface: Surface
    is_stream: bool
    request: dict[str, Any]
    status: int
    body: bytes

    @property
    def is_sse(self) -> bool:
        return self.is_stream and self.body.lstrip().startswith((b"data:", b"event:", b":"))

    def quirks(self) -> Quirks:
        return Quirks(
            reasoning_outside=self.vendor == "xai" and self.surface is Surface.CHAT,
            audio_outside=self.vendor == "mistral",
        )

    def reader(self, **expected) -> Reader:
        choices = self.request.get("n") if isinstance(self.request, dict) else 1
        return readers.for_surface(
            self.surface,
            Expectation(
                is_stream=self.is_stream,
                choices=choices or 1,
                quirks=self.quirks(),
                **expected,
            ),
        )

    def documents(self) -> list[dict[str, Any]]:
        """The JSON documents of the answer, by code of this test's own."""
        if not self.is_sse:
            return [json.loads(self.body)]
        blocks = re.split(r"\r?\n\r?\n", self.body.decode())
        texts = (
            "\n".join(row[5:].strip() for row in block.splitlines() if row.startswith("data:"))
            for block in blocks
        )
        return [json.loads(text) for text in texts if text and text != "[DONE]"]


@cache
def cases() -> tuple[Case, ...]:
    """All recorded exchanges on surfaces of ours; a skip where there are none."""
    folder = Path(settings.BASE_DIR).parent / "shared" / "wire"
    if not folder.is_dir():
        reason = "the recorded vendor traffic is not beside the repository"
        if os.environ.get("CI") == "true":  # noqa: TID251 - the tests' own switch
            pytest.fail(reason)
        print(f"wire answers: 0 read, {reason}")  # noqa: T201 - a line of the proof
        pytest.skip(reason)
    return tuple(_read(folder))


def _read(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            told = json.loads(line)
            if told["endpoint"] in SURFACES:
                yield Case(
                    id=told["id"],
                    vendor=told["vendor"],
                    surface=SURFACES[told["endpoint"]],
                    is_stream=told["stream"],
                    request=told["request"]["body"],
                    status=told["response"]["status"],
                    body=told["response"]["body"].encode(),
                )


def case(tail: str) -> Case:
    """The case whose id ends so."""
    (found,) = [one for one in cases() if one.id.endswith(tail)]
    return found


def chunks(body: bytes, cutting: str) -> list[bytes]:
    """Cut a body as a network might."""
    if cutting == "events":
        return [*re.findall(rb".*?(?:\r?\n\r?\n)|.+$", body, re.DOTALL)]
    if cutting == "seven":
        return [body[at : at + 7] for at in range(0, len(body), 7)]
    dice = random.Random(len(body))
    found, at = [], 0
    while at < len(body):
        size = dice.choice([1, 2, 13, 100, 1000])
        found.append(body[at : at + size])
        at += size
    return found


def play(reader: Reader, case: Case, *, cutting: str = "events") -> list[tuple[bytes, Step]]:
    """Let a reader read a whole case, as the relay does."""
    if not case.is_sse:
        reader.read_body(case.body)
        return []
    splitter = sse.Splitter()
    events = [event for chunk in chunks(case.body, cutting) for event in splitter.feed(chunk)]
    if rest := splitter.rest():
        events.append(rest)
    steps = [(event, reader.read_event(event)) for event in events]
    reader.end()
    return steps
