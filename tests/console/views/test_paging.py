"""Long lists come as pages, and are searched as a whole."""

import pytest

from codex_proapi.console.views.paging import PAGE_ROWS, ListPage, page_of

ROWS = [f"row {number}" for number in range(120)]


def page(**asked: str) -> ListPage[str]:
    return page_of(ROWS, asked, text=str)


@pytest.mark.parametrize(
    ("asked", "number", "first", "last"),
    [
        ("", 1, 1, 50),
        ("1", 1, 1, 50),
        ("2", 2, 51, 100),
        ("3", 3, 101, 120),
        ("4", 3, 101, 120),
        ("9" * 40, 3, 101, 120),
        ("9" * 6_000, 3, 101, 120),
        *((strange, 1, 1, 50) for strange in ("0", "-1", "x", "²", "1.5")),
    ],
)
def test_a_page_that_there_is_none_of_is_the_nearest(
    asked: str, number: int, first: int, last: int
) -> None:
    found = page(page=asked)

    assert (found.number, found.first, found.last, found.found) == (number, first, last, 120)
    assert found.rows == tuple(ROWS[first - 1 : last])
    assert found.paged


def test_a_search_is_over_all_pages_and_regards_no_case() -> None:
    found = page(q=" ROW 11 ", page="2")

    assert found.rows == ("row 11", *(f"row 11{n}" for n in range(10)))
    assert (found.number, found.pages, found.found, found.q) == (1, 1, 11, "ROW 11")
    assert found.paged, "the list itself is long"
    nothing = page(q="nobody")
    assert (nothing.rows, nothing.first, nothing.last, nothing.pages) == ((), 0, 0, 1)


def test_a_short_list_is_one_page() -> None:
    found = page_of(ROWS[:PAGE_ROWS], {}, text=str)

    assert (found.pages, found.paged, len(found.rows)) == (1, False, PAGE_ROWS)
