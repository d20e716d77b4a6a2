"""The suite's own clients: what they write means what was recorded."""

import json

import pytest

from tests.conformance import asked, clients, compare, scope, strict
from tests.conformance.express import OMISSIONS
from tests.conformance.normal import CHAT, DIALECTS, GEMINI, MESSAGES, RESPONSES, Media, Result


def asks(dialect):
    for case in scope.cases():
        yield case, clients.ask(case, dialect, key="sk-test")


def back(dialect, ask):
    body = json.loads(json.dumps(ask.body))
    return asked.read(dialect, body, is_stream="streamGenerateContent" in ask.path)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_client_writes_reads_as_it_was_meant(dialect):
    wrong = []
    for case, ask in asks(dialect):
        verdict = compare.Verdict()
        compare.requests(
            verdict, got=back(dialect, ask), wanted=ask.meaning, dialect=dialect, protocol=dialect
        )
        if verdict.failures:
            wrong.append((case.id, verdict.failures))
    assert wrong == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_client_writes_has_the_official_types(dialect):
    wrong = [
        (case.id, faults)
        for case, ask in asks(dialect)
        if (faults := strict.asked(dialect, ask.body))
    ]
    assert wrong == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_left_out_in_a_cases_own_dialect(dialect):
    """But for what only its vendor may send again: reasoning, traces, server tools."""
    native = {"history_reasoning", "server_items", "server_tools", "reasoning_words",
              "tool_choice", "sampling", "media", "media_in_result",
              "serial_calls", "mid_system"}  # fmt: skip
    for case, ask in asks(dialect):
        if case.protocol == dialect:
            assert ask.omitted <= native, (case.id, ask.omitted)


def test_every_omission_occurs_and_is_explained():
    seen = {name for dialect in DIALECTS for _, ask in asks(dialect) for name in ask.omitted}
    assert seen == set(OMISSIONS)


def test_media_of_every_kind_reach_a_dialect_that_takes_them():
    kinds = {dialect: set() for dialect in DIALECTS}
    for dialect in DIALECTS:
        for case, ask in asks(dialect):
            if case.protocol != dialect:
                parts = back(dialect, ask).parts()
                kinds[dialect] |= {part.kind for part in parts if isinstance(part, Media)}
    assert kinds[GEMINI] == {"image", "audio", "document"}  # no other dialect has films
    assert kinds[CHAT] == {"image", "audio", "document"}
    assert kinds[RESPONSES] == kinds[MESSAGES] == {"image", "document"}


def test_results_keep_the_call_they_answer():
    seen = 0
    for case, ask in asks(MESSAGES):
        results = [part for part in back(MESSAGES, ask).parts() if isinstance(part, Result)]
        assert all(part.id.startswith("call") and part.name for part in results), case.id
        seen += len(results)
    assert seen > 250
