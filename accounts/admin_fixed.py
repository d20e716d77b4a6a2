"""Staff pages of rows that are read and never rewritten."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import ForeignKey
from django.http import HttpRequest

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class Fixed:
    """Rows that nobody adds, changes or deletes by hand."""

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        return False


class Unlinked(Base):
    """A table of read-only rows that name rows of other tables: a link for who may open it.

    Django links them for everybody, also where the link would be refused.
    """

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self._shown(request, name) for name in super().get_readonly_fields(request, obj)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self._shown(request, name) for name in super().get_fields(request, obj)]

    def _shown(self, request: HttpRequest, name: Any) -> Any:
        known = {field.name: field for field in self.opts.fields}
        field = known.get(name)
        if not isinstance(field, ForeignKey):
            return name
        other = field.related_model._meta
        may_open = request.user.has_perm(f"{other.app_label}.view_{other.model_name}")
        return name if may_open else _plain(field.name, str(field.verbose_name))


@cache
def _plain(name: str, label: str) -> Callable[[Any], str]:
    """Return how a row of another table is shown without a link; for one field always the same."""

    @admin.display(description=label)
    def plain(row: Any) -> str:
        return str(getattr(row, name) or "-")

    return plain
