"""An error report holds what the log line holds: a message, a type, a place; never a value."""

import logging

import pytest

from bananarouter import error_reports, observability
from tests.error_tracker import Tracker

CANARY = "canary-5be1"


@pytest.fixture
def tracker():
    server = Tracker().start()
    yield server
    server.stop()


@pytest.fixture
def reports(tracker):
    """Return the events that arrived, after sending what waits."""
    handler = error_reports.Handler(tracker.dsn, observability.Formatter())
    root = logging.getLogger()
    root.addHandler(handler)

    def arrived():
        handler.flush()
        return tracker.events()

    yield arrived
    root.removeHandler(handler)


def fail(secret):
    prompt = f"prompt {secret}"
    raise ValueError(prompt)


@pytest.mark.clause("3.2-noncontent")
def test_a_report_names_the_error_and_its_place_and_no_value(reports, tracker):
    try:
        fail(CANARY)
    except ValueError:
        logging.getLogger("routing.relay").exception(
            "relay failed", extra={"channel": "openai", "told": object()}
        )
    (event,) = reports()
    assert event["message"] == "relay failed"
    assert event["logger"] == "routing.relay"
    assert event["level"] == "error"
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["exception"]["values"][0]["value"].endswith("fail")
    assert event["extra"]["channel"] == "openai"
    assert CANARY not in b"".join(tracker.bodies).decode()


def test_a_report_holds_no_field_that_the_sdk_adds(reports):
    logging.getLogger("billing.batcher").error("commit failed")
    (event,) = reports()
    assert set(event) <= error_reports._ALLOWED
    assert not event.keys() & {"server_name", "request", "user", "breadcrumbs", "modules"}


@pytest.mark.clause("3.2-noncontent")
def test_what_other_packages_say_is_cut_down_as_in_the_log(reports, tracker):
    logging.getLogger("some.package").error("failed for %s", CANARY)
    logging.getLogger("asyncio").error(f"task {CANARY} failed")  # noqa: G004 - as asyncio does
    first, second = sorted(event["message"] for event in reports())
    assert (first, second) == ("failed for %s", "message of another package")
    assert CANARY not in b"".join(tracker.bodies).decode()


def test_a_warning_is_not_reported(reports):
    logging.getLogger("routing.relay").warning("vendor failed")
    assert reports() == []


def test_a_tracker_that_is_away_breaks_nothing(tracker):
    handler = error_reports.Handler(
        tracker.dsn.replace("publickey", "k"), observability.Formatter()
    )
    dsn = "http://k@127.0.0.1:1/1"
    away = error_reports.Handler(dsn, observability.Formatter())
    record = logging.makeLogRecord({"name": "a", "levelno": 40, "levelname": "ERROR", "msg": "m"})
    for one in (handler, away):
        one.handle(record)
        one.flush()
    assert len(tracker.events()) == 1
