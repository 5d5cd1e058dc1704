"""Lines of CSV."""

import pytest

from codex_proapi.console.server.csv_text import csv_line


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (("a", 1, None, 2.5), "a,1,,2.5\r\n"),
        (('say "hi"', "a,b", "two\nlines"), '"say ""hi""","a,b","two\nlines"\r\n'),
        (("=1+1", "+1", "-1", "@x", "\tx"), "'=1+1,'+1,'-1,'@x,'\tx\r\n"),
        ((-1, ""), "-1,\r\n"),
    ],
)
def test_a_spreadsheet_shows_it_and_runs_nothing(values: tuple[object, ...], line: str) -> None:
    assert csv_line(values) == line
