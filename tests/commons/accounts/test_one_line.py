"""Names, e-mail addresses and plans that come from outside stand in one line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.accounts.one_line import (
    LINE_PATTERN,
    MOST_NAME,
    NAME_PATTERN,
    is_name,
    one_line,
)

UNSEEN = ("\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u200e", "\u2028", "\u202e", "\u2067")


@pytest.mark.parametrize("mark", UNSEEN)
def test_a_mark_that_cannot_be_seen_makes_no_name_wherever_it_stands(mark: str) -> None:
    for text in (f"a{mark}b", f"{mark}ab", f"ab{mark}"):
        assert not is_name(text)
        assert re.search(LINE_PATTERN, text) is None
        assert not set(one_line(text, 10)) & set(UNSEEN)


@pytest.mark.parametrize(
    "text", ["CI", "Ada’s laptop", "数据组", "👩‍💻 dev", "a\u00a0b", "x" * MOST_NAME]
)
def test_what_people_call_things_is_a_name_and_stays(text: str) -> None:
    assert is_name(text)
    assert one_line(text, MOST_NAME) == " ".join(text.split())


@pytest.mark.parametrize("text", ["", "  ", "\u3000", "x" * (MOST_NAME + 1)])
def test_nothing_and_too_much_is_no_name(text: str) -> None:
    assert not is_name(text)


@given(text=st.text(), most=st.integers(0, 50))
def test_a_line_is_short_trimmed_and_a_line_again(text: str, most: int) -> None:
    line = one_line(text, most)

    assert len(line) <= most
    assert line == line.strip() == one_line(line, most)
    assert re.search(LINE_PATTERN, line) is not None
    assert not line or re.search(NAME_PATTERN, line)
