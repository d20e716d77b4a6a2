"""What the privacy policy promises, clause by clause, and what of it has no proof yet.

The trust page and `manage.py policy_report` show them; tests name them by `clause(id)`. A clause
is proved by tests alone: `missing` says what they do not show yet, and whose work that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from bananarouter.pages.words import Words

# Whose work it is that a clause waits for.
OPERATION = _("Running it in several regions")
RULES = _("Rules of jurisdictions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One promise in our words; `missing` names what its tests do not show, `waits_for` whose."""

    id: str
    promise: Words
    missing: Words = ""
    waits_for: Words = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the policy."""

    number: str
    name: Words
    clauses: Sequence[Clause]


def _clause(name: str, promise: Words, missing: Words = "", waits_for: Words = "") -> Clause:
    return Clause(id=name, promise=promise, missing=missing, waits_for=waits_for)


SECTIONS: Final = (
    Section(
        number="1.1",
        name=_("Your account"),
        clauses=(
            _clause("1.1-email", _("An account has an email address that its holder proved.")),
            _clause("1.1-name", _("You choose a username and a name to show, and change both.")),
            _clause(
                "1.1-password",
                _("Passwords are stored as Argon2id hashes only."),
            ),
            _clause(
                "1.1-phone",
                _("A phone number is optional, proved by a code, and used for what is urgent."),
            ),
        ),
    ),
    Section(
        number="1.2",
        name=_("Your calls"),
        clauses=(
            _clause(
                "1.2-metadata",
                _("Of each call we record time, address, model and token counts."),
            ),
            _clause(
                "1.2-content",
                _("Prompts and answers are never stored."),
            ),
            _clause(
                "1.2-law",
                _("Nobody can make us store content in secret: there is no way to do so."),
            ),
            _clause(
                "1.2-debug",
                _("Only you can switch on a debug mode; what it keeps is encrypted and expires."),
            ),
            _clause(
                "1.2-training",
                _("Your content trains no model of ours."),
            ),
        ),
    ),
    Section(
        number="1.3",
        name=_("Payments"),
        clauses=(
            _clause(
                "1.3-processors",
                _("Stripe, Alipay and WeChat Pay take payments; only their signature credits."),
            ),
            _clause(
                "1.3-card",
                _("We store no card number and no bank login."),
            ),
            _clause(
                "1.3-records",
                _("Payment records are kept and compared each day with those of the processors."),
            ),
        ),
    ),
    Section(
        number="2",
        name=_("What we use data for"),
        clauses=(
            _clause(
                "2-keys",
                _("Keys are checked at each call; a revoked key is refused within a second."),
            ),
            _clause(
                "2-route",
                _("A call reaches a vendor of its model, and you get the answer of that vendor."),
            ),
            _clause("2-billing", _("Use is priced to the billionth of a dollar.")),
            _clause("2-monitor", _("Load is measured, and operators see it.")),
            _clause(
                "2-abuse",
                _(
                    "Attacks are cut off by limits and blocks that end by themselves; staff see "
                    "how many stand, and lift one."
                ),
            ),
            _clause("2-failures", _("When a vendor fails, another one answers, or you are told.")),
            _clause(
                "2-notify-service",
                _("Before a model you use changes or ends, you are told."),
            ),
            _clause("2-notify-topup", _("A low balance is told once, not with every call.")),
            _clause(
                "2-notify-security",
                _("A key found in public is revoked, and you are told at once; so are other signs "
                  "of misuse."),
            ),
            _clause(
                "2-legal",
                _("Rules of vendors and countries on where models may be used are kept."),
                _("The whole clause."),
                RULES,
            ),
        ),
    ),
    Section(
        number="3",
        name=_("Who else gets data"),
        clauses=(
            _clause(
                "3.1-forward",
                _("Prompts go to the vendor that the answer names, and to no one else."),
            ),
            _clause(
                "3.1-policies",
                _("Of each vendor we show its policies, and read them again every 180 days."),
            ),
            _clause(
                "3.2-noncontent",
                _("Logs, error reports and metrics carry no content."),
            ),
            _clause(
                "3.3-legal",
                _("Authorities get data of one account at most, after two of us agreed; you are "
                  "told, and all is counted below."),
            ),
        ),
    ),
    Section(
        number="4",
        name=_("Where data is, and for how long"),
        clauses=(
            _clause(
                "4.1-regions",
                _("The service may run in several regions."),
                _("The whole clause."),
                OPERATION,
            ),
            _clause(
                "4.1-olap",
                _("Logs may be archived for analysis under a pseudonym."),
            ),
            _clause(
                "4.2-tls",
                _("In production everything goes over HTTPS."),
            ),
            _clause(
                "4.2-keys",
                _("Of a key we keep a keyed digest; who steals the database cannot call."),
            ),
            _clause(
                "4.2-access",
                _("Staff see what their role needs, and what they read is noted."),
            ),
            _clause(
                "4.3-retention",
                _("Request logs are destroyed after their time; anonymous sums stay."),
            ),
            _clause(
                "4.3-legal-hold",
                _("Only a law keeps data longer, and the table of it is public."),
            ),
        ),
    ),
    Section(
        number="5",
        name=_("Your rights"),
        clauses=(
            _clause(
                "5-access",
                _("You see your usage, balance and profile, and export all we hold."),
            ),
            _clause(
                "5-delete",
                _("Closing your account removes what identifies you from every store."),
            ),
        ),
    ),
    Section(
        number="6",
        name=_("Across borders"),
        clauses=(
            _clause(
                "6-crossborder",
                _("You can keep calls within the places you choose; no call leaves them."),
            ),
            _clause("6-transfer", _("Vendors are reached over verified TLS only.")),
        ),
    ),
    Section(
        number="7",
        name=_("Changes of the policy"),
        clauses=(
            _clause(
                "7-updates",
                _("Each version of the policy stays as it was published; changes are announced."),
            ),
        ),
    ),
    Section(
        number="8",
        name=_("Contact"),
        clauses=(
            _clause(
                "8-contact",
                _("What you write to us is tracked and answered; a right needs proof of who you "
                  "are."),
            ),
        ),
    ),
)  # fmt: skip
BY_ID: Final = {clause.id: clause for section in SECTIONS for clause in section.clauses}
