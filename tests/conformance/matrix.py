"""Client dialect x vendor dialect x feature: how many cases had the feature's assertions run."""

import collections
from collections.abc import Iterable

from tests.conformance.normal import CHAT, DIALECTS, GEMINI, MESSAGES, RESPONSES
from tests.conformance.replay import PASSED, Outcome

LETTERS = {CHAT: "C", RESPONSES: "R", MESSAGES: "A", GEMINI: "G"}
# Which comparisons prove a feature (of the recordings' README): all of them must have run.
PROOFS = {
    "text": {"text"},
    "tools_offered": {"asked.tools"},
    "tool_call": {"calls", "finish"},
    "parallel_tools": {"calls", "finish"},
    "tool_result": {"asked.calls", "asked.results"},
    "tool_choice": {"asked.choice"},
    "multi_turn": {"asked.turns", "asked.roles"},
    "system": {"asked.system"},
    "vision": {"asked.image"},
    "audio_in": {"asked.audio"},
    "video_in": {"asked.video"},
    "document": {"asked.document"},
    "audio_out": {"media"},
    "image_out": {"media"},
    "structured_output": {"asked.format"},
    "json_mode": {"asked.format"},
    "reasoning": {"reasoning", "usage"},
    "thinking_signature": {"seals"},
    "thinking_config": {"asked.reasoning"},
    "cache_read": {"usage", "bill"},
    "cache_write": {"usage", "bill"},
    "web_search": {"asked.searches"},
    "citations": {"citations"},
    "stop_sequence": {"asked.stop"},
    "length": {"finish"},
    "refusal": {"refusal", "finish"},
    "n_choices": {"choices"},
    "stream_usage": {"usage"},
    "no_usage": {"text"},
    "error_in_stream": {"error_in_stream"},
}
# An omission that takes the feature out of the request, so that its comparison proves nothing.
VOIDS = {
    "tool_choice": {"tool_choice", "allowed_tools"},
    "json_mode": {"json_mode"},
    "structured_output": {"json_mode"},
    "stop_sequence": {"stop"},
    "thinking_config": {"reasoning_words"},
}


def proven(outcome: Outcome) -> list[str]:
    """Return the features of a passed case whose assertions ran."""
    if outcome.state != PASSED:
        return []
    found = []
    for feature in outcome.case.raw["features"]:
        needs = {"error"} if _is_status(feature) else PROOFS.get(feature)
        is_void = VOIDS.get(feature, set()) & outcome.omitted
        if needs is not None and needs <= outcome.verdict.ran and not is_void:
            found.append(feature)
    return found


def _is_status(feature: str) -> bool:
    return feature.startswith("error_") and feature.removeprefix("error_").isdigit()


def count(outcomes: Iterable[Outcome]) -> dict[str, dict[tuple[str, str], int]]:
    """Return counts by feature, then by (client, vendor); a case counts once for both cuts."""
    seen: dict[tuple[str, tuple[str, str]], set[str]] = collections.defaultdict(set)
    for outcome in outcomes:
        pair = (outcome.dialect, outcome.case.protocol)
        for feature in proven(outcome):
            seen[feature, pair].add(outcome.case.id)
    found: dict[str, dict[tuple[str, str], int]] = collections.defaultdict(dict)
    for (feature, pair), ids in seen.items():
        found[feature][pair] = len(ids)
    return found


def lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the matrix as text: a row for each feature, a column for each direction."""
    found = count(outcomes)
    pairs = [(client, vendor) for client in DIALECTS for vendor in DIALECTS if client != vendor]
    head = " ".join(f"{LETTERS[c]}>{LETTERS[v]}".rjust(4) for c, v in pairs)
    rows = [f"{'client > vendor':20s} {head}"]
    for feature in sorted(found):
        cells = " ".join(str(found[feature].get(pair, ".")).rjust(4) for pair in pairs)
        rows.append(f"{feature:20s} {cells}")
    return rows
