"""Cells of CSV files: plain text that no spreadsheet takes for a formula."""

import csv
import datetime as dt
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

# What begins a formula in one spreadsheet or another (OWASP, CSV injection).
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide forms count as well


def cell(value: object) -> str:
    """Write a value: times in ISO 8601, true and false, nothing for None; text made harmless."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds")
    text = str(value)
    is_number = isinstance(value, int | float)
    return f"'{text}" if not is_number and text.lstrip(" ").startswith(_FORMULA) else text


def response(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """Return rows as a CSV file to be saved under a name."""
    found = HttpResponse(content_type="text/csv; charset=utf-8")
    found["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(found)
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return found
