"""How long each class of record is kept, by where this installation stands, and on what basis.

Data alone: `removal` ends what has days, the policy page prints the table. A jurisdiction changes
what it must; everything else is as anywhere.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.timeids import midnight

Words = str | Promise
DEFAULT_DAYS = 30


class Record(enum.StrEnum):
    """The classes of record. Content of calls is none: it is never stored."""

    REQUEST_LOG = "request_log"
    SECURITY_LOG = "security_log"
    ABUSE_MEMORY = "abuse_memory"
    END_USER_LABELS = "end_user_labels"
    ACCOUNT_SUMS = "account_sums"
    AGGREGATES = "aggregates"
    DEBUG_CAPTURES = "debug_captures"
    ARCHIVE = "archive"
    EXPORT_FILES = "export_files"
    PROFILE = "profile"
    SESSIONS = "sessions"
    INVITATIONS = "invitations"
    CONSENTS = "consents"
    NOTIFICATIONS = "notifications"
    CONTACT_REQUESTS = "contact_requests"
    WEBHOOK_EVENTS = "webhook_events"
    NETWORK_DIGESTS = "network_digests"
    CARD_DIGESTS = "card_digests"
    TRIAL_DIGESTS = "trial_digests"
    BOOKS = "books"
    AUDIT = "audit"


class Life(enum.Enum):
    """What ends a class, where it is not a number of days."""

    DAYS = "days"
    ACCOUNT = "account"  # with the account or user: erasure
    MEMORY = "memory"  # never on a disk
    KEPT = "kept"  # no end by time, on the basis that the rule names


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one class ends. `days` counts from what `since` says; 0: not written at all."""

    what: Words
    why: Words
    life: Life = Life.DAYS
    days: int = 0
    since: Words = ""


_LOG = _("to find faults, to explain charges, security (our legitimate interest)")
RULES: Mapping[Record, Rule] = {
    Record.REQUEST_LOG: Rule(
        what=_("Record of each API call, with source address"), why=_LOG, days=DEFAULT_DAYS
    ),
    Record.SECURITY_LOG: Rule(
        what=_("Security log: time, address, account and endpoint of each API call"), why=""
    ),
    Record.ABUSE_MEMORY: Rule(
        what=_("Addresses that tried many wrong keys, as hashes under a salt of the day"),
        why=_("to stop abuse (our legitimate interest)"),
        life=Life.MEMORY,
        days=2,
    ),
    Record.END_USER_LABELS: Rule(
        what=_("Sums by end user, whom we know as a keyed hash"), why=_LOG, days=DEFAULT_DAYS
    ),
    Record.ACCOUNT_SUMS: Rule(
        what=_("Sums of each hour or day by key, model, vendor and your own labels"),
        why=_("your usage pages (our contract with you)"),
        life=Life.ACCOUNT,
    ),
    Record.AGGREGATES: Rule(
        what=_("Sums of a day by model, over at least 20 accounts and naming none"),
        why=_("planning; they belong to nobody"),
        life=Life.KEPT,
    ),
    Record.DEBUG_CAPTURES: Rule(
        what=_("Content captured in debug mode, if you switch it on for a key"),
        why=_("your consent"),
        days=1,
        since=_("at most, from the capture"),
    ),
    Record.ARCHIVE: Rule(
        what=_("Rows in the analytics archive, under a pseudonym of the account"),
        why=_LOG,
        days=DEFAULT_DAYS,
    ),
    Record.EXPORT_FILES: Rule(
        what=_("The archive of your data that you asked for"),
        why=_("your right to a copy"),
        days=1,
        since=_("from when it is ready"),
    ),
    Record.PROFILE: Rule(
        what=_("Email address, names, phone, password hash, second factors, API keys as digests"),
        why=_("to log in (our contract with you)"),
        life=Life.ACCOUNT,
    ),
    Record.SESSIONS: Rule(
        what=_("Sessions: address, browser, times"),
        why=_("security (our legitimate interest)"),
        days=7,
        since=_("at most, from the log-in"),
    ),
    Record.INVITATIONS: Rule(
        what=_("Invitations into an organization, with the address"),
        why=_("to let people join (our contract with you)"),
        days=30,
        since=_("after they were used or expired"),
    ),
    Record.CONSENTS: Rule(
        what=_("What you agreed to, and took back"),
        why=_("to prove it (a legal duty)"),
        life=Life.ACCOUNT,
    ),
    Record.NOTIFICATIONS: Rule(
        what=_("Notices that were sent to you, and whether they arrived"),
        why=_("to show them to you, and not to send them twice"),
        days=180,
    ),
    Record.CONTACT_REQUESTS: Rule(
        what=_("What you write to us, and what we answered"),
        why=_("to answer, and to show that we did (our legitimate interest)"),
        days=365,
        since=_("after it was closed"),
    ),
    Record.WEBHOOK_EVENTS: Rule(
        what=_("Notices of payment processors: numbers and amounts, no names"),
        why=_("to credit each payment once (our contract with you)"),
        days=180,
    ),
    Record.NETWORK_DIGESTS: Rule(
        what=_("Keyed hash of the network that an order came from"),
        why=_("against stolen cards (our legitimate interest)"),
        days=7,
    ),
    Record.CARD_DIGESTS: Rule(
        what=_("Keyed hash of the card that paid an order"),
        why=_("against stolen cards (our legitimate interest)"),
        days=180,
    ),
    Record.TRIAL_DIGESTS: Rule(
        what=_("Keyed hashes of those who got trial credit"),
        why=_("to give it once (our legitimate interest)"),
        # A trial is worth no longer memory: who comes back after two years is new here.
        days=730,
        since=_("from when it was given; of the network: a day"),
    ),
    Record.BOOKS: Rule(
        what=_("Orders, receipts, ledger entries and the charge of each call"),
        why=_("books and taxes (a legal duty); after erasure without your name"),
        life=Life.KEPT,
    ),
    Record.AUDIT: Rule(
        what=_("What staff did on the staff site, and what was removed when"),
        why=_("to control ourselves (our legitimate interest)"),
        days=365,
    ),
}

# Each period's law, and where it was read: docs/retention.md, "What China's rows rest on".
# Cybersecurity Law, article 21 (3) of 2016, unchanged as 23 (3) since 2026-01-01: network logs "for
# no less than six months". No six months have more than 184 days.
_CHINA_SECURITY = Rule(
    what=RULES[Record.SECURITY_LOG].what,
    why=_("Cybersecurity Law of the PRC, article 23 (21 before 2026): at least six months"),
    days=184,
)
# Measures for the Administration of Accounting Archives (Ministry of Finance and State Archives
# Administration, order 79, in force since 2016-01-01): vouchers and ledgers 30 years at the least,
# from the end of the fiscal year. Nothing here ends them.
_CHINA_BOOKS = replace(
    RULES[Record.BOOKS],
    why=_(
        "Measures for the Administration of Accounting Archives of the PRC: at least 30 years; "
        "after erasure without your name"
    ),
)
JURISDICTIONS: Mapping[str, Mapping[Record, Rule]] = {
    "": {},
    "CN": {Record.SECURITY_LOG: _CHINA_SECURITY, Record.BOOKS: _CHINA_BOOKS},
}
# Their days are the operator's choice, everywhere.
_AS_THE_LOG = frozenset({Record.REQUEST_LOG, Record.END_USER_LABELS, Record.ARCHIVE})


def rule(record: str) -> Rule:
    """Return how a class of record ends on this installation. Raises: ValueError for no class."""
    known = Record(record)
    found = JURISDICTIONS[settings.JURISDICTION].get(known, RULES[known])
    if known in _AS_THE_LOG:
        return replace(found, days=settings.LOG_RETENTION_DAYS)
    if known is Record.SESSIONS:
        return replace(found, days=settings.SESSION_COOKIE_AGE // 86_400)
    return found


def ends_before(record: str, *, now: dt.datetime) -> dt.datetime:
    """Return the moment before which a class's records end; what counts is the record's own time.

    Sessions end at their own expiry, which they carry; what goes with the log, by whole days.
    """
    if record == Record.SESSIONS:
        return now
    if record in _AS_THE_LOG:
        return midnight(first_kept(record, today=now.astimezone(dt.UTC).date()))
    return now - dt.timedelta(days=rule(record).days)


def first_kept(record: str, *, today: dt.date) -> dt.date:
    """Return the first day (UTC) whose rows stay: whole days, so a row may live a day longer."""
    return today - dt.timedelta(days=rule(record).days)


def table(*, ended: Iterable[str]) -> list[tuple[Record, Rule]]:
    """Return the table as it is in force.

    `ended`: classes that the program ends by days. One that nothing ends yet is not printed, since
    a table must not promise what nothing does; nor is one of which nothing is written.
    """
    does = set(ended)
    found = [(record, rule(record)) for record in Record]
    return [
        (record, one)
        for record, one in found
        if one.life is not Life.DAYS or (one.days and record in does)
    ]
