"""Every recorded exchange in every foreign dialect, through a real gateway."""

import collections

import pytest

from tests.conformance import (
    answers,
    echo,
    errors,
    grammar,
    handmade,
    matrix,
    page,
    refused,
    replay,
    scope,
    shortfalls,
)

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = replay.Site(tmp_path_factory.mktemp("conformance"))
    try:
        yield site.start()
    finally:
        site.stop()


@pytest.fixture(scope="module")
def outcomes(site):
    return replay.run(site)


def test_every_case_passes_or_is_listed(site, outcomes, capsys):
    states = collections.Counter(outcome.state for outcome in outcomes)
    with capsys.disabled():
        print(f"\nconformance: {dict(states)}")  # noqa: T201
        print("\n".join(matrix.lines(outcomes)))  # noqa: T201
    assert shortfalls.unknown(outcomes) == []
    site.gateway.manage("audit_ledger")


def test_no_listed_case_passes(outcomes):
    assert shortfalls.mended(outcomes) == []


def test_few_cases_are_listed(outcomes):
    pairs = {outcome.key for outcome in outcomes if not outcome.excluded}
    assert len(shortfalls.SHORTFALLS) <= shortfalls.SHARE_MAX * len(pairs)


def test_the_page_is_current(outcomes):
    """`python -m tests.conformance.report` writes it."""
    assert page.PAGE.read_text() == page.text(outcomes)


def test_seals_come_back_to_the_vendor_that_made_them(site):
    outcomes = echo.run(site)
    assert len(outcomes) > 400
    assert shortfalls.unknown(outcomes) == []


def label(value):
    return getattr(value, "name", value)


@pytest.mark.parametrize(("vendor", "failure", "client"), handmade.pairs(), ids=label)
def test_a_vendors_failure_is_told_in_the_clients_words(site, vendor, failure, client):
    model = next(one.name for one in scope.cases() if one.protocol == vendor)
    site.vendor.scripts[model] = failure.script
    path, body = refused.hello(client, model, is_stream=failure.is_stream)
    status, told = site.ask(client, path, body)
    assert status in failure.statuses, told
    assert handmade.SECRET not in told.decode()
    if not failure.is_late:
        assert errors.faults(client, status=status, body=told, vendor_body="") == []
        return
    assert grammar.faults(client, told, ends_in_error=True) == []
    found = answers.read(client, told)
    assert found.error
    assert handmade.SAID in told.decode()


@pytest.mark.parametrize(("case", "vendor"), refused.pairs(), ids=label)
def test_what_a_vendor_cannot_say_is_refused_before_it_is_sent(site, case, vendor):
    model = next(one.name for one in scope.cases() if one.protocol == vendor)
    site.vendor.forget()
    path, body = case.path(model), case.body_for(model)
    status, told = site.ask(case.dialect, path, body)
    assert status == 400, told
    assert errors.faults(case.dialect, status=status, body=told, vendor_body="") == []
    assert case.field in told.decode()
    assert site.vendor.exchanges == []


def test_the_suite_finds_no_fault_with_native_answers(site):
    """The clients' own requests, natively: what fails here is a fault of the suite."""
    outcomes = [*replay.run(site, native=True), *echo.run(site, native=True)]
    assert shortfalls.unknown(outcomes) == []
