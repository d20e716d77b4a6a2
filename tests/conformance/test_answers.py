"""The suite's own readers of answers, on the recordings."""

import ast
from pathlib import Path

import pytest

from tests.conformance import answers, folding, frames, scope
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES
from tests.e2e import test_wire

# Worked out by hand from recorded usage (the mapping between dialects, 2.4).
USAGES = {
    "730c0208e6b1": {"input": 699, "cache_read": 2048, "output": 267},
    "000e885dd76a": {"input": 19, "audio_input": 2, "output": 1},
    "02921e9915c4": {"input": 1127, "cache_read": 8576, "output": 62, "reasoning": 576},
    "06c67d85a243": {"input": 163, "cache_read": 305, "output": 82, "reasoning": 320},
    "037e30bb9d9c": {"input": 56, "cache_read": 192, "output": 9, "reasoning": 281},
    "f1786eb47f50": {"input": 9, "audio_input": 375, "output": 248},
    "aab390f10449": {"input": 3, "cache_read": 3211, "cache_write": 115, "output": 53},
    "1e04679b905c": {"input": 17, "cache_write_1h": 2056, "output": 100},
    "608711a3f08d": {"input": 598, "output": 39, "reasoning": 53},
    "0cf5fa84beec": {"input": 227, "cache_read": 330, "output": 73, "reasoning": 70},
    "0f8271bc87f1": {"input": 32, "tool_prompt": 720, "output": 341, "reasoning": 103},
    "21706514dc47": {"input": 7, "audio_input": 84, "output": 8, "reasoning": 354},
}
FINISHES = {
    "954649ca7c56": "tool_calls",  # told as `stop`, with calls
    "340ef3779061": "length",
    "3e2052f6ba5d": "content_filter",  # Gemini's MODEL_ARMOR, without content
    "baa5970a1b35": "length",  # an error follows, too late
}
# Where the recordings' README feature and a reader's finding must agree, in each direction.
AGREED = {
    "tool_call": lambda c: any(
        call.name for candidate in c.answer.candidates for call in candidate.calls
    ),
    "length": lambda c: any(x.finish == "length" for x in c.answer.candidates),
}


def case(tail):
    (found,) = [one for one in scope.cases() if one.id.endswith(tail)]
    return found


def whole(cases):
    return [one for one in cases if one.status == 200]


@pytest.mark.parametrize("tail", USAGES)
def test_usage_is_read_as_by_hand(tail):
    found = case(tail)
    told = folding.classes(found.vendor, found.protocol, found.answer.usage)
    assert told == USAGES[tail]


@pytest.mark.parametrize("tail", FINISHES)
def test_finish_is_read_as_by_hand(tail):
    assert [c.finish for c in case(tail).answer.candidates] == [FINISHES[tail]]


@pytest.mark.parametrize("feature", AGREED)
def test_the_reader_finds_what_the_recordings_say(feature):
    wrong = [
        one.id
        for one in whole(scope.cases())
        if (feature in one.raw["features"]) != AGREED[feature](one)
        and "builtin_tool" not in one.raw["features"]
        and not one.answer.error
    ]
    assert wrong == []


def test_every_answer_says_something_or_why_not():
    silent = [
        one.id
        for one in whole(scope.cases())
        for c in one.answer.candidates
        if not (c.text or c.calls or c.reasoning or c.media) and c.finish in ("stop", "other")
    ]
    assert silent == []


def test_classes_add_up_to_the_vendors_own_total():
    """Anthropic tells no total; Vercel's Gemini leaves reasoning out of its own."""
    wrong, seen = [], 0
    for one in whole(scope.cases()):
        usage = one.answer.usage
        total = usage.get("total_tokens") or usage.get("totalTokenCount")
        if not total or one.answer.error or one.vendor == "vercel-gateway":
            continue
        seen += 1
        told = folding.classes(one.vendor, one.protocol, usage)
        if sum(told.values()) != total:
            wrong.append((one.id, total, told))
    assert seen > 600
    assert wrong == []


def test_the_usage_read_is_the_one_that_bills():
    differs = [
        one.id
        for one in whole(scope.cases())
        if (usage := test_wire.last_usage(one.raw)[0]) and one.answer.usage != usage
    ]
    assert differs == []


def test_folding_keeps_every_token():
    for one in whole(scope.cases()):
        told = folding.classes(one.vendor, one.protocol, one.answer.usage)
        for dialect in folding.FOLDS:
            assert sum(folding.folded(told, dialect).values()) == sum(told.values())


def test_errors_are_read_as_errors():
    for one in scope.cases():
        if one.status >= 400:
            assert one.answer.error, one.id
            assert one.answer.error.get("message") or one.answer.error, one.id


def test_a_stream_says_what_its_terminal_event_says():
    seen = 0
    for one in whole(scope.cases()):
        if one.protocol != RESPONSES or not one.is_stream:
            continue
        documents = frames.documents(one.raw["response"]["body"])
        assert answers.responses.deltas(documents) == one.answer.candidates[0].text, one.id
        seen += 1
    assert seen > 40


def test_several_choices_are_kept_apart():
    found = [one for one in scope.cases() if len(one.answer.candidates) > 1]
    assert {one.protocol for one in found} == {CHAT}
    for one in found:
        assert all(candidate.text for candidate in one.answer.candidates), one.id


def test_seals_are_found_where_vendors_put_them():
    for protocol, count in ((MESSAGES, 10), (RESPONSES, 40), (GEMINI, 60)):
        sealed = [
            one
            for one in scope.cases()
            if one.protocol == protocol and any(c.seals for c in one.answer.candidates)
        ]
        assert len(sealed) >= count, protocol


def test_the_readers_share_nothing_with_the_product():
    """What is read twice must be read by code that does not know each other."""
    folder = Path(__file__).parent
    modules = [*folder.glob("answers/*.py"), *folder.glob("asked/*.py"),
               *folder.glob("writers/*.py"), folder / "normal.py", folder / "compare.py",
               folder / "folding.py", folder / "express.py", folder / "frames.py",
               folder / "grammar.py", folder / "errors.py", folder / "strict.py"]  # fmt: skip
    assert len(modules) > 20
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.startswith(("routing", "billing"))], module
