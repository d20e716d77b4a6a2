"""Staff pages of rows that are read and never rewritten."""

from typing import Any


class Fixed:
    """Rows that nobody adds, changes or deletes by hand."""

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        return False
