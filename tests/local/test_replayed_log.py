"""Lines that record no selection are passed over."""

import pytest

from codex_proapi.local.replayed_log import replayed


@pytest.mark.parametrize("line", [b"", b"no json", b"{", b'{"event": "other"}', b"\xff{}"])
def test_other_lines_are_passed_over(line: bytes) -> None:
    assert list(replayed([line])) == []
