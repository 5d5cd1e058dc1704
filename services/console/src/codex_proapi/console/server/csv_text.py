"""Lines of CSV that a spreadsheet shows and never runs. Pure."""

import csv
import io
from collections.abc import Iterable

FORMULA_STARTS = frozenset("=+-@\t\r")
"""First characters of a text that a spreadsheet takes for a formula."""


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Lines with their ends; text that looks like a formula gets a leading quote, None is empty."""
    out = io.StringIO()
    csv.writer(out).writerows(map(_cell, values) for values in rows)
    return out.getvalue()


def csv_line(values: Iterable[object]) -> str:
    """One such line."""
    return csv_lines([values])


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in FORMULA_STARTS:
        return f"'{value}"
    return "" if value is None else value
