"""Tables as CSV files to be saved."""

import csv
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

from accounts.cells import cell


def response(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """Return rows as a CSV file to be saved under a name."""
    found = HttpResponse(content_type="text/csv; charset=utf-8")
    found["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(found)
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return found
