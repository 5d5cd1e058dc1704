"""Bytes behind a whole answer, in the same read: the answer itself is whole all the same."""

import pytest
from gateway.exchange.test_copied_streams import Upstream

from codex_proapi.gateway.upstream.http_connection import HttpConnection


class Taker:
    """A receiver."""

    def __init__(self) -> None:
        self.data = b""

    def received(self, data: bytes) -> bool:
        self.data += data
        return True

    def ended(self, error: Exception | None) -> None:
        pass


@pytest.mark.parametrize("behind", [b"GARBAGE", b"HTTP/1.1 408 Late\r\ncontent-length: 0\r\n\r\n"])
def test_what_follows_an_answer_takes_nothing_from_it(behind: bytes) -> None:
    ends, taker = Upstream(), Taker()
    connection = HttpConnection(ends)
    connection.connection_made(ends)  # type: ignore[arg-type]
    answer = connection.send(b"", b"")
    connection.data_received(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    answer.push_to(taker)
    connection.data_received(b"5\r\nfirst\r\n")
    connection.data_received(b"4\r\nlast\r\n0\r\n\r\n" + behind)
    connection.connection_lost(None)
    assert ends.closed
    assert taker.data == b"firstlast"
