"""Recorded vendor traffic and vendors' schemas, which live beside the repository."""

import json
import os
import re
import urllib.parse
from pathlib import Path

import pytest
from django.conf import settings

from routing.dialects.base import PathParts
from routing.surfaces import Surface

_is_ci = os.environ.get("CI") == "true"  # noqa: TID251 - CI must not skip the recordings

SURFACES = {
    "openai-chat": Surface.CHAT,
    "openai-responses": Surface.RESPONSES,
    "openai-input-tokens": Surface.INPUT_TOKENS,
    "openai-embeddings": Surface.EMBEDDINGS,
    "openai-images": Surface.IMAGES,
    "openai-moderations": Surface.MODERATIONS,
    "anthropic-messages": Surface.MESSAGES,
    "anthropic-count-tokens": Surface.COUNT_TOKENS,
    "gemini": Surface.GENERATE,
    "gemini-count-tokens": Surface.GEMINI_COUNT,
    "gemini-embed": Surface.GEMINI_BATCH_EMBED,
}


def shared(name: str) -> Path:
    """Return a folder beside the repository, or skip (fail under CI)."""
    path = Path(settings.BASE_DIR).parent / "shared" / name
    if not path.is_dir():
        reason = f"no recordings beside the repository: {name}"
        if _is_ci:
            pytest.fail(reason)
        print(reason)  # noqa: T201 - said even where pytest hides skips
        pytest.skip(reason)
    return path


def cases() -> list[dict]:
    found = []
    for file in sorted(shared("wire").glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return found


def in_scope() -> list[tuple[dict, Surface]]:
    return [(case, SURFACES[case["protocol"]]) for case in cases() if case["protocol"] in SURFACES]


def path_parts(case: dict) -> PathParts:
    path, _, query = case["request"]["path"].partition("?")
    match = re.search(r"/models/([^:]*):(\w+)", path)
    if match is None or "gemini" not in case["protocol"]:
        return PathParts(query=dict(urllib.parse.parse_qsl(query)))
    return PathParts(
        model=match.group(1),
        is_stream=match.group(2).startswith("stream"),
        query=dict(urllib.parse.parse_qsl(query)),
    )
