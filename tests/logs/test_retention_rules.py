"""The table says what happens: each class has an end or a basis, and laws change it by place."""

import datetime as dt

import pytest

from accounts.timeids import midnight
from logs import removal, retention_rules
from logs.retention_rules import JURISDICTIONS, RULES, Life, Record

NOW = midnight(dt.date(2031, 3, 31)) + dt.timedelta(hours=5)


@pytest.mark.clause("4.3-legal-hold")
@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
def test_each_class_has_an_end_or_a_basis(settings, jurisdiction):
    settings.JURISDICTION = jurisdiction
    for record in Record:
        rule = retention_rules.rule(record)
        assert str(rule.what)
        if rule.life is Life.DAYS and rule.days == 0:
            continue  # nothing of it is written here
        assert str(rule.why), record
        if rule.life is Life.DAYS:
            assert record in removal.ended_records(), record


def test_what_is_ended_is_in_the_table():
    assert {Record(record) for record in removal.ended_records()} <= set(RULES)


def test_a_class_that_nothing_ends_is_not_printed(settings):
    settings.JURISDICTION = ""
    printed = {record for record, _ in retention_rules.table(ended={"request_log"})}
    assert "request_log" in printed
    assert "books" in printed
    assert not printed & {"sessions", "debug_captures", "security_log"}


@pytest.mark.clause("2-legal")
def test_china_asks_for_six_months_of_security_log(settings):
    settings.JURISDICTION = ""
    assert retention_rules.rule("security_log").days == 0
    settings.JURISDICTION = "CN"
    rule = retention_rules.rule("security_log")
    assert rule.days == 184
    assert "Cybersecurity Law" in str(rule.why)
    printed = dict(retention_rules.table(ended=removal.ended_records()))
    assert printed[Record.SECURITY_LOG] == rule


def test_the_operators_days_are_those_of_the_log(settings):
    settings.LOG_RETENTION_DAYS = 7
    assert retention_rules.rule("request_log").days == 7
    assert retention_rules.ends_before("end_user_labels", now=NOW) == midnight(dt.date(2031, 3, 24))
    assert retention_rules.ends_before("contact_requests", now=NOW) == NOW - dt.timedelta(days=365)
    assert retention_rules.ends_before("sessions", now=NOW) == NOW
