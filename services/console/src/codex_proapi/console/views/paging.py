"""Long lists as pages, searched on the server. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

PAGE_ROWS = 50
"""Rows of one page: about 150 kB of HTML, a tenth of it compressed."""
LONGEST_SEARCH = 200

T = TypeVar("T")


class ListPage(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list."""

    rows: tuple[T, ...]
    number: int
    """From 1."""
    pages: int
    found: int
    """Rows that match the search, on all pages."""
    q: str
    """What was searched for."""
    paged: bool
    """Whether the whole list has more rows than a page, so that the server has to search."""

    @property
    def first(self) -> int:
        """Number of its first row among those found, from 1; 0 if there is none."""
        return (self.number - 1) * PAGE_ROWS + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Number of its last row among those found."""
        return self.first + len(self.rows) - 1 if self.rows else 0


def page_of(
    rows: Sequence[T], asked: Mapping[str, str], *, text: Callable[[T], str]
) -> ListPage[T]:
    """The page of a list that an address asks for (`q`, `page`).

    Args:
        rows: All rows, in their order.
        asked: The query parameters; a page that is none is the first or the last one.
        text: What a row is searched by.
    """
    q = asked.get("q", "").strip()[:LONGEST_SEARCH]
    wanted = q.casefold()
    found = [row for row in rows if wanted in text(row).casefold()] if wanted else rows
    pages = max(1, -(-len(found) // PAGE_ROWS))
    number = min(pages, max(1, _number(asked.get("page", ""))))
    begin = (number - 1) * PAGE_ROWS
    return ListPage(
        rows=tuple(found[begin : begin + PAGE_ROWS]),
        number=number,
        pages=pages,
        found=len(found),
        q=q,
        paged=len(rows) > PAGE_ROWS,
    )


def _number(page: str) -> int:
    """A page's number as an address has it; 1 where it is none."""
    # No more digits than any list has pages: Python refuses to read some thousands of them.
    return int(page[:20]) if page.isascii() and page.isdecimal() else 1
