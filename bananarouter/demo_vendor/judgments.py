"""Judgments by rule: moderation by a list of words, ranking by the words in common."""

import hashlib
import re
from typing import Any

from bananarouter.demo_vendor import answers, tokens

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
    "illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual",
    "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
VIOLENT = re.compile(r"\b(kill|hurt|murder|shoot|stab)\w*\b", re.IGNORECASE)
WORD = re.compile(r"\w+")


def _texts(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], dict):
        return ["\n".join(str(part.get("text", "")) for part in given)]
    return [str(item) for item in given]


def moderation(body: dict[str, Any]) -> dict[str, Any]:
    """Answer `/v1/moderations`."""
    texts = _texts(body["input"])
    digest = hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()
    return {
        "id": f"modr-demo{digest[:16]}",
        "model": body["model"],
        "results": [_judged(text) for text in texts],
    }


def _judged(text: str) -> dict[str, Any]:
    is_violent = VIOLENT.search(text) is not None
    scores = dict.fromkeys(CATEGORIES, 0.0001) | {"violence": 0.9 if is_violent else 0.001}
    return {
        "flagged": is_violent,
        "categories": {name: score > 0.5 for name, score in scores.items()},
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def ranking(body: dict[str, Any]) -> dict[str, Any]:
    """Answer `/v1/rerank`: the share of words that query and document have in common."""
    documents = [str(d.get("text", "")) if isinstance(d, dict) else d for d in body["documents"]]
    wanted = _words(body["query"])
    scored = [
        (len(wanted & _words(text)) / (len(wanted | _words(text)) or 1)) for text in documents
    ]
    order = sorted(range(len(documents)), key=lambda n: (-scored[n], n))
    counted = sum(map(tokens.count, documents)) + tokens.count(body["query"]) * len(documents)
    return {
        "id": "rerank-demo",
        "model": body["model"],
        "provider": answers.LABEL,
        "results": [
            {"index": n, "relevance_score": scored[n], "document": {"text": documents[n]}}
            for n in order[: int(body.get("top_n") or len(documents))]
        ],
        "usage": {"total_tokens": counted},
    }


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}
