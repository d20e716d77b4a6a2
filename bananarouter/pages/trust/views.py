"""The trust page: each promise with its proofs, and counts of what authorities and others ask."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView

from accounts import disclosures, takedowns
from accounts.sealing import CannotSeal
from bananarouter import clauses, trust
from bananarouter.pages.words import Words

STATES: dict[trust.State, tuple[Words, str]] = {
    trust.State.PROVED: (_("proved"), "good"),
    trust.State.PARTLY: (_("partly proved"), "warn"),
    trust.State.OPEN: (_("not proved"), ""),
}
KINDS: dict[str, Words] = {
    disclosures.Kind.COURT: _("Court order"),
    disclosures.Kind.AUTHORITY: _("Order of an authority"),
    disclosures.Kind.EMERGENCY: _("Danger to life"),
    disclosures.Kind.OTHER: _("Other request"),
}
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProof:
    """A test, as the page tells of it."""

    sentence: str
    test: str
    databases: str
    breaks: Sequence[trust.Break]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownClause:
    """A promise, as the page tells of it."""

    clause: clauses.Clause
    state: Words
    badge: str
    proofs: Sequence[ShownProof]
    broken_count: int


class Trust(TemplateView):
    """What we promise, what proves it, and what does not yet."""

    template_name = "trust/trust.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        report = trust.read()
        today = timezone.now().date()
        return super().get_context_data(
            report=report,
            totals=report.totals(),
            count=len(clauses.BY_ID),
            promises=_promises(report),
            disclosures=_disclosures(today),
            reports=_reports(today),
            public_key=_public_key(),
            **kwargs,
        )


# By language: hundreds of lines that are the same until the next release.
_drawn: dict[str, tuple[trust.Report, SafeString]] = {}


def _promises(report: trust.Report) -> SafeString:
    """Draw all promises with their proofs, once for each language and report."""
    language = get_language() or ""
    kept = _drawn.get(language)
    if kept is None or kept[0] is not report:
        sections = [
            (section, [_shown(report, clause) for clause in section.clauses])
            for section in clauses.SECTIONS
        ]
        text = render_to_string("trust/promises.html", {"sections": sections})
        kept = _drawn[language] = (report, text)
    return kept[1]


def _shown(report: trust.Report, clause: clauses.Clause) -> ShownClause:
    state, badge = STATES[report.state(clause)]
    # What was never seen to fail proves nothing, and is not shown as if it did.
    proofs = [
        ShownProof(
            sentence=_sentence(proof.test),
            test=proof.test,
            databases=", ".join(DATABASES[name] for name in proof.databases),
            breaks=proof.breaks,
        )
        for proof in report.proofs.get(clause.id, ())
        if proof.breaks
    ]
    return ShownClause(
        clause=clause,
        state=state,
        badge=badge,
        proofs=proofs,
        broken_count=sum(len(proof.breaks) for proof in proofs),
    )


def _sentence(test: str) -> str:
    """Read the sentence that a test's name is."""
    return test.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _disclosures(today: dt.date) -> list[dict[str, Any]]:
    """Return the counts by year and kind; a year without any is shown as zero."""
    rows = disclosures.years()
    found = [
        {
            "year": row.year,
            "kind": KINDS[row.kind],
            "counts": (row.received, row.delivered, row.refused, row.told),
        }
        for row in rows
    ]
    if not any(row.year == today.year for row in rows):
        found.insert(0, {"year": today.year, "kind": _("All kinds"), "counts": (0, 0, 0, 0)})
    return found


def _reports(today: dt.date) -> list[takedowns.Year]:
    rows = takedowns.years()
    if not any(row.year == today.year for row in rows):
        rows.insert(0, takedowns.Year.empty(today.year))
    return rows


def _public_key() -> str:
    try:
        return disclosures.public_key()
    except CannotSeal:
        return ""
