"""Who or what a sum belongs to: from keys, endpoints and labels to the groups of a report."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.models import ApiKey
from bananarouter.pages.usage.choices import Grouping
from routing.models import Channel

# Labels beyond the ones that are told apart. No label of a caller's can be this.
OTHERS = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A row of the table: `ident` tells groups apart, the name is for people."""

    ident: str
    name: str
    # What tells two of one name apart.
    note: str = ""


def nameless(grouping: Grouping) -> Group:
    """Return the group of what has none, so that a total is always whole."""
    names = {
        Grouping.MODEL: _("Unknown model"),
        Grouping.KEY: _("Unknown key"),
        Grouping.MEMBER: _("Nobody who is known"),
        Grouping.VENDOR: _("No vendor"),
        Grouping.COST_CENTER: _("Without a cost center"),
        Grouping.TAG: _("Without a tag"),
        Grouping.END_USER: _("Without an end user"),
    }
    return Group(ident="", name=names[grouping])


def of_model(slug: str) -> Group:
    """Return the group of a model."""
    return Group(ident=slug, name=slug) if slug else nameless(Grouping.MODEL)


def of_vendor(slug: str) -> Group:
    """Return the group of a vendor."""
    return Group(ident=slug, name=slug) if slug else nameless(Grouping.VENDOR)


def of_label(label: str | None) -> Group:
    """Return the group of a label; None: those beyond the ones told apart."""
    if label is None:
        return Group(ident=OTHERS, name=_("All others"))
    return Group(ident=label, name=label)


def vendors(channels: Collection[str]) -> Mapping[str, str]:
    """Return the vendors of channels by name; one query. A channel that is gone has none."""
    return dict(Channel.objects.filter(name__in=channels).values_list("name", "vendor"))


def of_keys(
    grouping: Grouping, key_ids: Collection[int], *, account_id: int
) -> Mapping[int, Group]:
    """Return the group of each key: itself, who made it, or its cost center; one query."""
    keys = ApiKey.objects.filter(account=account_id, pk__in=[n for n in key_ids if n])
    rows = keys.select_related("created_by")
    return {key.pk: _group_of(grouping, key) for key in rows}


def _group_of(grouping: Grouping, key: ApiKey) -> Group:
    if grouping is Grouping.MEMBER:
        person = key.created_by
        if person is None:
            return nameless(grouping)
        return Group(ident=str(person.pk), name=person.get_short_name(), note=person.username)
    if grouping is Grouping.COST_CENTER:
        center = key.cost_center
        return Group(ident=center, name=center) if center else nameless(grouping)
    if key.purpose == ApiKey.Purpose.PLAYGROUND:
        return Group(ident="playground", name=_("Playground"))
    return Group(ident=str(key.pk), name=key.name, note=f"…{key.last_four}")
