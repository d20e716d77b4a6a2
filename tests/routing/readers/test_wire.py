"""Every recorded answer through the readers, against totals counted by separate, simple code."""

import json

import pytest

from billing.usage import UnitClass
from routing import side_plans
from routing.conversation import FinishReason
from routing.readers.base import Flag, Step
from routing.surfaces import Surface
from tests.routing.readers import wire

CUTTINGS = ("events", "seven", "random")
CHATTY = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GENERATE)


def told_usage(case):
    """The last usage told, merged as the protocol says; {} when there is none."""
    found = {}
    for document in case.documents():
        holder = document.get("response") or document.get("message") or document
        usage = holder.get("usage") or holder.get("usageMetadata")
        usage = usage or (document.get("x_groq") or {}).get("usage") or document.get("usage")
        if usage:
            found = {**found, **usage} if case.surface in CHATTY[2:] else usage
    return found


def expected_totals(case, usage):
    """Prompt and completion tokens in all, as the README of the recordings counts them."""
    if case.surface is Surface.MESSAGES:
        parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        return sum(usage.get(part) or 0 for part in parts), usage["output_tokens"]
    if case.surface in (Surface.GENERATE, Surface.GEMINI_BATCH_EMBED):
        prompt = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
        told = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
        return prompt, told
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    if prompt is None:
        prompt = usage["total_tokens"]
    completion = usage.get("completion_tokens") or usage.get("output_tokens") or 0
    if case.surface is Surface.CHAT:
        details = usage.get("completion_tokens_details") or {}
        reasoning = details.get("reasoning_tokens") or 0
        if case.vendor == "xai" or reasoning > completion:
            completion += reasoning
        if case.vendor == "mistral":
            prompt += (usage.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
    return prompt, completion


def answers():
    return [case for case in wire.cases() if case.status == 200]


def snapshot(reader):
    return (
        reader.usage,
        reader.finish,
        reader.error,
        reader.is_complete,
        reader.has_output,
        reader.is_usage_final,
        frozenset(reader.flags),
    )


def test_reads_every_recorded_answer_however_it_is_cut(capsys):
    read = 0
    for case in answers():
        results = []
        for cutting in CUTTINGS if case.is_sse else CUTTINGS[:1]:
            reader = case.reader()
            steps = wire.play(reader, case, cutting=cutting)
            text = reader.take_text()
            results.append((snapshot(reader), text, steps))
        assert all(result == results[0] for result in results[1:]), case.id
        assert reader.error is None, case.id
        assert reader.is_complete, case.id
        assert reader.finish is not None, case.id
        if case.is_sse:
            assert b"".join(event for event, _ in results[0][2]) == case.body, case.id
        read += 1
    total = len(answers())
    with capsys.disabled():
        print(f"\nwire answers: {read} of {total} read")  # noqa: T201 - a line of the proof
    assert read == total > 800


def test_usage_sums_to_the_vendors_totals():
    missing = []
    for case in answers():
        if case.surface in side_plans.COUNTS:
            continue
        reader = case.reader()
        wire.play(reader, case)
        usage = told_usage(case)
        if not usage:
            missing.append(case.id)
            assert reader.usage is None, case.id
            continue
        assert reader.usage is not None, case.id
        assert reader.is_usage_final, case.id
        totals = (reader.usage.prompt_tokens, reader.usage.completion_tokens)
        assert totals == expected_totals(case, usage), case.id
        assert all(count > 0 for count in reader.usage.quantities.values()), case.id
        assert not reader.usage.is_estimated
    # 11 streams, one embedding of an old model, two answers that were only queued.
    assert len(missing) == 14


def test_the_first_held_event_is_the_finish_and_nothing_passes_after_it():
    for case in answers():
        if not case.is_sse:
            continue
        names = [step for _, step in wire.play(case.reader(), case)]
        held = names.index(Step.HOLD)
        assert set(names[:held]) <= {Step.PASS}, case.id
        assert set(names[held:]) == {Step.HOLD}, case.id


def test_no_event_with_output_is_held_but_the_finishing_one():
    for case in answers():
        if not case.is_sse or case.surface is not Surface.CHAT:
            continue
        steps = wire.play(case.reader(), case)
        finishing = next(i for i, (_, step) in enumerate(steps) if step is Step.HOLD)
        for event, _ in steps[:finishing]:
            assert b'"finish_reason":"' not in event.replace(b": ", b":") or case.request.get("n")


def test_text_is_what_the_vendor_wrote():
    for case in answers():
        if case.surface not in CHATTY:
            continue
        reader = case.reader()
        wire.play(reader, case)
        text = reader.take_text()
        for piece in _visible(case):
            assert piece in text, case.id
        assert reader.take_text() == ""


def _visible(case):
    """Visible text by the shortest path; what several deltas make is joined."""
    joined = []
    for document in case.documents():
        for choice in document.get("choices") or []:
            message = choice.get("message") or choice.get("delta") or {}
            if isinstance(message.get("content"), str) and not choice.get("index"):
                joined.append(message["content"])
        if document.get("type") == "response.output_text.delta":
            joined.append(document["delta"])
        for item in document.get("output") or []:
            joined += [part["text"] for part in item.get("content") or [] if part.get("text")]
        joined += [b["text"] for b in document.get("content") or [] if b.get("text")]
        for candidate in document.get("candidates") or []:
            parts = (candidate.get("content") or {}).get("parts") or []
            joined += [part["text"] for part in parts if part.get("text")]
    return [piece for piece in joined if piece.strip()]


def test_swallows_the_usage_chunk_only_when_the_caller_did_not_ask():
    swallowed = 0
    for case in answers():
        if case.surface is not Surface.CHAT or not case.is_sse:
            continue
        asked, unasked = case.reader(), case.reader(wants_stream_usage=False)
        whole = wire.play(asked, case)
        shorter = wire.play(unasked, case)
        assert Step.SWALLOW not in [step for _, step in whole], case.id
        assert snapshot(asked) == snapshot(unasked), case.id
        gone = [event for event, step in shorter if step is Step.SWALLOW]
        swallowed += bool(gone)
        assert len(gone) <= 1, case.id
        for event in gone:
            assert b'"choices":[]' in event.replace(b": ", b":")
            assert b'"usage":{' in event.replace(b": ", b":")
    assert swallowed > 50


def test_raw_usage_holds_integers_and_known_names_only():
    for case in answers():
        reader = case.reader()
        wire.play(reader, case)
        if reader.usage is None or reader.usage.raw is None:
            continue
        stack = [json.loads(reader.usage.raw)]
        while stack:
            for name, value in stack.pop().items():
                assert name.replace("_", "").isalnum()
                if isinstance(value, dict):
                    stack.append(value)
                else:
                    assert type(value) is int


def test_raw_usage_is_stored_in_the_vendors_own_numbers():
    reader = wire.case("0cf5fa84beec").reader()
    wire.play(reader, wire.case("0cf5fa84beec"))
    assert json.loads(reader.usage.raw) == {
        "promptTokenCount": 557,
        "candidatesTokenCount": 73,
        "totalTokenCount": 700,
        "cachedContentTokenCount": 330,
        "promptTokensDetails": {"TEXT": 557},
        "cacheTokensDetails": {"TEXT": 330},
        "thoughtsTokenCount": 70,
    }


U = UnitClass
EXAMPLES = {
    "730c0208e6b1": {U.INPUT: 699, U.CACHE_READ: 2048, U.OUTPUT: 267},
    "000e885dd76a": {U.INPUT: 19, U.AUDIO_INPUT: 2, U.OUTPUT: 1},
    "02921e9915c4": {
        U.INPUT: 1127,
        U.CACHE_READ: 8576,
        U.OUTPUT: 62,
        U.REASONING: 576,
        U.WEB_SEARCH: 1,
    },
    "0a5660426209": {U.INPUT: 80, U.CACHE_READ: 896, U.OUTPUT: 36, U.REASONING: 25},
    "06c67d85a243": {U.INPUT: 163, U.CACHE_READ: 305, U.OUTPUT: 82, U.REASONING: 320},
    "037e30bb9d9c": {U.INPUT: 56, U.CACHE_READ: 192, U.OUTPUT: 9, U.REASONING: 281},
    "f1786eb47f50": {U.INPUT: 9, U.AUDIO_INPUT: 375, U.OUTPUT: 248},
    "aab390f10449": {U.INPUT: 3, U.CACHE_READ: 3211, U.CACHE_WRITE: 115, U.OUTPUT: 53},
    "1e04679b905c": {U.INPUT: 17, U.CACHE_WRITE_1H: 2056, U.OUTPUT: 100},
    "608711a3f08d": {U.INPUT: 598, U.OUTPUT: 39, U.REASONING: 53},
    "23601732cca3": {U.INPUT: 10809, U.OUTPUT: 644, U.WEB_SEARCH: 1},
    "0cf5fa84beec": {U.INPUT: 227, U.CACHE_READ: 330, U.OUTPUT: 73, U.REASONING: 70},
    "0f8271bc87f1": {U.INPUT: 32, U.TOOL_PROMPT: 720, U.OUTPUT: 341, U.REASONING: 103},
    "21706514dc47": {U.INPUT: 7, U.AUDIO_INPUT: 84, U.OUTPUT: 8, U.REASONING: 354},
}


@pytest.mark.parametrize("tail", EXAMPLES)
def test_classes_are_those_of_the_design(tail):
    case = wire.case(tail)
    reader = case.reader()
    wire.play(reader, case)
    assert dict(reader.usage.quantities) == EXAMPLES[tail]
    assert reader.usage.service_tier == "standard"


TRAPS = {
    # cached > prompt: the prompt is all that there is
    "bb6a4d1aba67": ({U.CACHE_READ: 24, U.OUTPUT: 2}, {Flag.OVERLAP}),
    # the same tokens told as written and as read
    "f0284c01b75e": ({U.INPUT: 7, U.CACHE_READ: 2161, U.OUTPUT: 100}, {Flag.OVERLAP}),
    # reasoning outside completion and outside the total
    "ffa75b1ea59a": ({U.INPUT: 9, U.OUTPUT: 52, U.REASONING: 232}, {Flag.OUTSIDE}),
    "24bce4f1d0cb": ({U.INPUT: 9, U.OUTPUT: 2, U.REASONING: 25}, {Flag.OUTSIDE}),
    # an error chunk after the finish
    "baa5970a1b35": (
        {U.INPUT: 43, U.OUTPUT: 10, U.REASONING: 11},
        {Flag.OUTSIDE, Flag.LATE_ERROR},
    ),
    # cumulative usage in every chunk: the last wins
    "872d6a66cbfd": ({U.INPUT: 12, U.OUTPUT: 8}, set()),
    "12780923c5e4": ({U.INPUT: 469, U.OUTPUT: 10}, set()),
    # x_groq.usage, then again
    "a84fd3f41eb2": ({U.INPUT: 143, U.OUTPUT: 13}, set()),
    # the input grew while pages were fetched; `iterations` is not added
    "8b931ac3368d": None,
    "9c6bccee1aee": None,
    # images of a tool are in no usage
    "1e1db6b72e8f": (
        {U.INPUT: 1889, U.OUTPUT: 154, U.REASONING: 1280, U.IMAGE: 1},
        set(),
    ),
    # cached audio and video are not fresh ones
    "e52eabb975d8": (
        {
            U.INPUT: 12,
            U.CACHE_READ: 1004,
            U.AUDIO_CACHE_READ: 118,
            U.AUDIO_INPUT: 42,
            U.VIDEO_INPUT: 342,
            U.OUTPUT: 202,
            U.REASONING: 185,
        },
        set(),
    ),
    # a model that was stopped by a filter is billed all the same
    "3e2052f6ba5d": ({U.INPUT: 19, U.OUTPUT: 6, U.REASONING: 27}, set()),
    # a search model of chat completions: the citations tell of the search
    "ed6fccd96491": None,
    # pages opened are no searches
    "569b69056004": None,
}


@pytest.mark.parametrize("tail", [tail for tail in TRAPS if TRAPS[tail]])
def test_usage_lies_are_seen_through(tail):
    case = wire.case(tail)
    reader = case.reader()
    wire.play(reader, case)
    quantities, flags = TRAPS[tail]
    assert dict(reader.usage.quantities) == quantities
    assert reader.flags == flags


def test_anthropics_last_word_replaces_the_first():
    case = wire.case("9c6bccee1aee")
    reader = case.reader()
    wire.play(reader, case)
    assert reader.usage.quantities[U.INPUT] == 7244
    assert "iterations" not in reader.usage.raw


def test_iterations_are_not_added():
    case = wire.case("8b931ac3368d")
    (document,) = case.documents()
    reader = case.reader()
    wire.play(reader, case)
    assert document["usage"]["iterations"]
    assert reader.usage.quantities[U.INPUT] == document["usage"]["input_tokens"]


@pytest.mark.parametrize(
    ("tail", "searches"), [("ed6fccd96491", 1), ("569b69056004", 2), ("7f797ccf3aad", 2)]
)
def test_searches_are_counted_from_what_came_out(tail, searches):
    case = wire.case(tail)
    reader = case.reader()
    wire.play(reader, case)
    assert reader.usage.quantities[U.WEB_SEARCH] == searches


@pytest.mark.parametrize("tail", ["2e5a31b95ae0", "d972eb28acfe"])
def test_gemini_two_bills_grounding_once_for_each_prompt(tail):
    case = wire.case(tail)
    reader = case.reader()
    wire.play(reader, case)
    assert reader.usage.quantities[U.WEB_SEARCH] == 1


@pytest.mark.parametrize(
    ("tail", "tier"), [("a84fd3f41eb2", "standard"), ("1e04679b905c", "standard")]
)
def test_known_tiers(tail, tier):
    case = wire.case(tail)
    reader = case.reader()
    wire.play(reader, case)
    assert reader.usage.service_tier == tier
    assert Flag.UNKNOWN_TIER not in reader.flags


def test_every_recorded_tier_is_known():
    tiers = set()
    for case in answers():
        reader = case.reader()
        wire.play(reader, case)
        assert Flag.UNKNOWN_TIER not in reader.flags, case.id
        if reader.usage is not None:
            tiers.add(reader.usage.service_tier)
    assert tiers == {"standard", "flex"}


@pytest.mark.parametrize(
    ("tail", "finish"),
    [
        ("954649ca7c56", FinishReason.TOOL_CALLS),  # `stop` with calls
        ("b1650d851b66", FinishReason.TOOL_CALLS),
        ("0d50f0fbdbf0", FinishReason.TOOL_CALLS),
        ("340ef3779061", FinishReason.LENGTH),
        ("3e2052f6ba5d", FinishReason.CONTENT_FILTER),
        ("baa5970a1b35", FinishReason.LENGTH),
        ("3f745fa5aa37", FinishReason.STOP),  # no [DONE]
        ("75f49d6c5491", FinishReason.STOP),
        ("3f36cf396b46", FinishReason.STOP),  # blank
        ("ad455da6a9f2", FinishReason.STOP),  # n = 2
        ("a8762b3f2dbb", FinishReason.TOOL_CALLS),  # in a chunk of its own
    ],
)
def test_finish(tail, finish):
    case = wire.case(tail)
    reader = case.reader()
    wire.play(reader, case)
    assert reader.finish is finish


def test_both_choices_must_finish_before_anything_is_held():
    case = wire.case("ad455da6a9f2")
    steps = wire.play(case.reader(), case)
    finishes = [i for i, (event, _) in enumerate(steps) if b'"finish_reason":"' in event]
    assert len(finishes) == 2
    first, second = finishes
    assert steps[first][1] is Step.PASS
    assert steps[second][1] is Step.HOLD


def test_recorded_errors_are_errors_when_told_with_status_200():
    failed = [case for case in wire.cases() if case.status >= 400]
    assert len(failed) > 30
    for case in failed:
        reader = case.reader()
        reader.read_body(case.body)
        assert reader.error is not None, case.id
        assert not reader.is_complete, case.id
        assert reader.finish is None, case.id
        assert reader.usage is None, case.id


def test_azures_empty_first_chunk_is_no_output():
    case = wire.case("1a58ca4ac58f")
    reader = case.reader()
    splitter_events = case.body.split(b"\n\n")
    assert reader.read_event(splitter_events[0] + b"\n\n") is Step.PASS
    assert not reader.has_output


def test_comments_are_no_output():
    case = wire.case("baa5970a1b35")
    reader = case.reader()
    assert reader.read_event(b": OPENROUTER PROCESSING\n\n") is Step.PASS
    assert not reader.has_output
    assert reader.error is None
