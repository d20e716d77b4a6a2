"""The page docs/conformance.md: what passes, what does not and why, what was left out."""

import collections
from collections.abc import Iterable
from pathlib import Path

from tests.conformance import express, matrix, rules, scope
from tests.conformance.replay import EXCLUDED, FAILED, Outcome
from tests.conformance.shortfalls import SHORTFALLS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
INTRODUCTION = """\
# Conformance

Every model is reached from every dialect. The proof is recorded vendor traffic: each recorded
exchange is asked again in each of the three other dialects, through a real gateway, against a
vendor that answers with the recorded bytes. What the client gets, what the vendor got and what was
billed are compared with what was recorded, by code that shares nothing with the gateway.

This page is written by `python -m tests.conformance.report`; a test says when it is not current.
"""


def text(outcomes: list[Outcome]) -> str:
    return "\n".join(
        [
            INTRODUCTION,
            *_numbers(outcomes),
            *_shortfalls(),
            *_exclusions(outcomes),
            *_exceptions(outcomes),
            "## What was proven",
            "",
            "How many cases had a feature's assertions run, by client and vendor (C Chat",
            "Completions, R Responses, A Messages, G generateContent).",
            "",
            "```",
            *matrix.lines(outcomes),
            "```",
            "",
        ]
    )


def _numbers(outcomes: list[Outcome]) -> list[str]:
    states: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for outcome in outcomes:
        states[outcome.key].add(outcome.state)
    failed = sum(FAILED in found for found in states.values())
    excluded = sum(found == {EXCLUDED} for found in states.values())
    passed = len(states) - failed - excluded
    return [
        f"{passed} of {len(states) - excluded} pairs of case and client pass.",
        "",
    ]


def _shortfalls() -> list[str]:
    rows = [f"| `{case}` | {client} | {reason} |"
            for (client, case), reason in sorted(SHORTFALLS.items())]  # fmt: skip
    if not rows:
        return ["## What does not pass", "", "Nothing.", ""]
    return ["## What does not pass", "", "| case | client | reason |", "|---|---|---|", *rows, ""]


def _exclusions(outcomes: list[Outcome]) -> list[str]:
    by_reason: dict[str, list[str]] = collections.defaultdict(list)
    for raw, reason in scope.excluded():
        by_reason[scope.EXCLUSIONS[reason]].append(raw["id"])
    pairs = {(o.case.id, o.dialect): o.excluded for o in outcomes if o.excluded}
    for (case, dialect), reason in sorted(pairs.items()):
        by_reason[scope.PAIR_EXCLUSIONS[reason]].append(f"{case} ({dialect})")
    rows = ["## What is out of scope", ""]
    for reason, ids in sorted(by_reason.items()):
        rows += [f"{reason[0].upper()}{reason[1:]}:", ""]
        rows += [f"* `{one}`" for one in sorted(ids)]
        rows.append("")
    return rows


def _exceptions(outcomes: list[Outcome]) -> list[str]:
    excused = _counted((o.key, rule) for o in outcomes for rule in o.verdict.excused)
    omitted = _counted((o.key, name) for o in outcomes for name in o.omitted)
    rows = ["## Exceptions", "", "Differences that the mapping between dialects allows:", ""]
    rows += ["| exception | pairs | reason |", "|---|---|---|"]
    rows += [f"| `{name}` | {excused[name]} | {rules.RULES[name]} |" for name in sorted(excused)]
    rows += ["", "What clients left out, since their dialect has no words for it:", ""]
    rows += ["| left out | pairs | why |", "|---|---|---|"]
    rows += [f"| `{n}` | {omitted[n]} | {express.OMISSIONS[n]} |" for n in sorted(omitted)]
    return [*rows, ""]


def _counted(found: Iterable[tuple[tuple[str, str], str]]) -> dict[str, int]:
    """Count each name once for a pair, whatever the cuts."""
    return collections.Counter(name for _, name in set(found))
