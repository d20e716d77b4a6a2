"""What staff read and do on the staff site stands in its log, whichever page it was.

Django notes what its forms change. Here are the rest: rows that belong to people and were shown,
and actions on chosen rows that note nothing themselves. Names, addresses and what was searched for
are left out: rows stand there by number.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Max, Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts import personal_data

if TYPE_CHECKING:  # generic for the type checker only
    Table = ModelAdmin[Any]
else:
    Table = ModelAdmin

# Beside Django's ADDITION, CHANGE and DELETION.
READ: Final = 4
WORDS: Final = {ADDITION: "added", CHANGE: "changed", DELETION: "deleted", READ: "read"}
ROWS_MAX: Final = 200


@cache
def _personal() -> frozenset[type[Model]]:
    return frozenset(store.model for store in personal_data.stores())


def is_personal(model: type[Model]) -> bool:
    """Tell whether rows of a model are about people."""
    return model._meta.concrete_model in _personal()


def latest(request: HttpRequest) -> int:
    """Return the number of what this user noted last."""
    found: int | None = LogEntry.objects.filter(user_id=request.user.pk or 0).aggregate(
        latest=Max("pk")
    )["latest"]
    return found or 0


def note_read(request: HttpRequest, page: Table, response: HttpResponseBase, *, row: str) -> None:
    """Note which rows of people a page showed; `row` is the one that its address names, or ""."""
    if response.status_code != 200 or not is_personal(page.model):
        return
    if row:
        _write(request, page.model, READ, row=row, text="Read.")
    elif shown := _listed(response):
        _write(request, page.model, READ, text=f"Listed: {_numbers(shown)}.")


def note_look_up(request: HttpRequest, model: type[Model], shown: Iterable[Model]) -> None:
    """Note which rows of people a field offered; not by which letters of a name or an address."""
    numbers = [str(row.pk) for row in shown]
    if numbers and is_personal(model):
        _write(request, model, READ, text=f"Looked up: {_numbers(numbers)}.")


def _listed(response: HttpResponseBase) -> list[str]:
    context = getattr(response, "context_data", None) or {}
    listing = context.get("cl")
    return [str(row.pk) for row in listing.result_list] if listing else []


def note_action(request: HttpRequest, page: Table, *, since: int) -> None:
    """Note an action on chosen rows, unless it noted something itself (after `since`)."""
    name = request.POST.get("action", "")
    if name not in page.get_actions(request) or latest(request) > since:
        return
    chosen = request.POST.getlist("_selected_action")
    if request.POST.get("select_across") == "1":
        _write(request, page.model, CHANGE, text=f"{name}: all rows of the list.")
    elif chosen:
        _write(request, page.model, CHANGE, text=f"{name}: {_numbers(chosen)}.")


def note(request: HttpRequest, model: type[Model], text: str) -> None:
    """Note what was done on a page that belongs to no table; `model` is what it was done with."""
    _write(request, model, CHANGE, text=text)


def _numbers(chosen: Sequence[str]) -> str:
    more = f" and {len(chosen) - ROWS_MAX} more" if len(chosen) > ROWS_MAX else ""
    return ", ".join(one[:40] for one in chosen[:ROWS_MAX]) + more


def _write(
    request: HttpRequest, model: type[Model], flag: int, *, text: str, row: str | None = None
) -> None:
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
        object_id=row,
        object_repr="",
        action_flag=flag,
        change_message=text,
    )
