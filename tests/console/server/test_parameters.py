"""Places in a stream."""

import pytest

from codex_proapi.console.server.parameters import is_position


@pytest.mark.parametrize("text", ["0-0", "1795490787528-0", "17", "9999999999999999999-1"])
def test_a_stream_id_is_a_place(text: str) -> None:
    assert is_position(text)


@pytest.mark.parametrize("text", ["", "$", "+", "1-", "-1", "1-2-3", "x", "1" * 30, "1\n", "１"])
def test_anything_else_is_none(text: str) -> None:
    assert not is_position(text)
