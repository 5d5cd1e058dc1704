"""Lines of CSV that a spreadsheet shows and never runs. Pure."""

import csv
import io
from collections.abc import Iterable

FORMULA_STARTS = frozenset("=+-@\t\r")
"""First characters of a text that a spreadsheet takes for a formula."""


def csv_line(values: Iterable[object]) -> str:
    """One line with its end; text that looks like a formula gets a leading quote, None is empty."""
    out = io.StringIO()
    csv.writer(out).writerow(map(_cell, values))
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in FORMULA_STARTS:
        return f"'{value}"
    return "" if value is None else value
