"""Large values are encoded in pieces that, joined, are what one call gives."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_proapi.gateway.formats import json_pieces
from codex_proapi.gateway.formats.json_pieces import PIECE_BYTES, encoded_pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(VALUES, st.integers(1, 40))
@example(["", {}, "a" * 32], 32)
def test_joined_they_are_what_one_call_gives(value: Any, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pieces, "PIECE_BYTES", most)

        assert b"".join(encoded_pieces(value)) == msgspec.json.encode(value)


@pytest.mark.parametrize(
    "value",
    [
        "ä\n\U0001f600" * PIECE_BYTES,
        {"content": [{"text": "a" * PIECE_BYTES * 2}, {"text": "b"}] * 3, "role": "user"},
        [{"text": "a" * 900}] * 5000,
        [1] * PIECE_BYTES,
        {str(n): "a" * 99 for n in range(30_000)},
        (msgspec.Raw(b'"%b"' % (b"a" * 900)),) * 5000,
    ],
)
def test_no_piece_is_much_larger_than_the_bound(value: Any) -> None:
    pieces = list(encoded_pieces(value))

    assert b"".join(pieces) == msgspec.json.encode(value)
    assert len(pieces) > 1
    assert max(map(len, pieces)) < 4 * PIECE_BYTES, "a character may be four bytes"


def test_what_is_small_is_one_piece() -> None:
    assert list(encoded_pieces({"a": [1, "b"]})) == [b'{"a":[1,"b"]}']


def test_nesting_that_no_call_takes_is_an_error() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(RecursionError):
        list(encoded_pieces(deep))
