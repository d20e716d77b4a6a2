"""Cells of CSV files: plain text that no spreadsheet takes for a formula."""

import datetime as dt

# What begins a formula in one spreadsheet or another (OWASP, CSV injection).
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide forms count as well
# With nothing, and with the space that spreadsheets skip before one.
MAY_BEGIN_FORMULA = frozenset((*_FORMULA, " ", ""))


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
