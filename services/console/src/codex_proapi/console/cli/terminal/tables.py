"""Output of commands: tables, counts and the console's errors."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from codex_proapi.console.errors import Code
from codex_proapi.console.texts.phrases import CURES, FAULTS

BETWEEN = 2
"""Blanks between two columns of a table."""


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal, tab-separated lines elsewhere.

    On a terminal too narrow for the table each row is a paragraph with a line for each of its cells that
    is not empty: nothing is cut, as what was cut could not be copied.
    """
    rows = [[plain(cell) for cell in row] for row in rows]
    screen = Console(highlight=False, markup=False, soft_wrap=True)
    if not screen.is_terminal:
        for row in [columns, *rows]:
            print("\t".join(row))
        return None
    widths = _widths(columns, rows)
    if sum(widths) + BETWEEN * (len(widths) - 1) > screen.width:
        told = [
            "\n".join(f"{name}: {cell}" for name, cell in zip(columns, row, strict=True) if cell)
            for row in rows
        ]
        return print("\n\n".join(told))
    table = Table(box=None, pad_edge=False)
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name, min_width=width)
    for row in rows:
        table.add_row(*row)
    return screen.print(table)


HARMLESS = "\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""In names of people and in emoji; Python calls them unprintable, and they move nothing."""


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """What each column of a table needs at least; only heads may go on several lines."""
    heads = [max(map(cell_len, head.split())) for head in columns]
    return [max(head, *(cell_len(row[n]) for row in rows), 0) for n, head in enumerate(heads)]


def plain(text: str) -> str:
    """A text without control characters: names come from outside and must not move a cursor."""
    return "".join(
        c if c.isprintable() or c in HARMLESS else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def counted(count: int, one: str) -> str:
    """A number and what it counts, in English: "1 log entry", "2 log entries".

    `one` names one of them, its noun first or last: "API key", "day of usage".
    """
    noun, of, rest = one.partition(" of ")
    if count != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count} {noun}{of}{rest}"


def explain(code: Code) -> str:
    """What is wrong and what helps, in the console's words."""
    return " ".join(filter(None, (FAULTS[code], CURES.get(code, ""))))
