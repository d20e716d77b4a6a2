"""The table of retention, as it is in force here."""

from dataclasses import dataclass

from django import template
from django.utils.translation import gettext as _

from logs import removal, retention_rules
from logs.retention_rules import Life, Rule, Words

register = template.Library()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One class of record in the reader's language."""

    what: Words
    life: Words
    why: Words


@register.simple_tag
def retention_table() -> list[Row]:
    """Return the rows that are in force, in the order of the table."""
    rules = retention_rules.table(ended=removal.ended_records())
    return [Row(what=one.what, life=_life(one), why=one.why) for _record, one in rules]


def _life(one: Rule) -> str:
    match one.life:
        case Life.ACCOUNT:
            return _("as long as the account")
        case Life.KEPT:
            return _("no end by time")
        case Life.MEMORY:
            return _("at most {hours} hours, in memory only").format(hours=24 * one.days)
        case Life.DAYS:
            days = _("1 day") if one.days == 1 else _("{days} days").format(days=one.days)
            return _("{days} {since}").format(days=days, since=one.since) if one.since else days
