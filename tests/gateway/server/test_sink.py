"""A response written on its connection, beside the same one through ASGI."""

import asyncio
import itertools
from typing import Any

import pytest
from uvicorn.server import ServerState

from codex_proapi.commons.http.connection.heads import RequestHead
from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.errors import Overloaded
from codex_proapi.gateway.server.sink import DirectSink, HttpSink

STREAM = ((b"content-type", b"text/event-stream"),)
LIMITS = [(b"x-ratelimit-limit-requests", b"60"), (b"x-small-work", b"title=luna")]


class Connection:
    """A client that takes everything at once."""

    def __init__(self) -> None:
        self.transport: Any = self
        self.server_state = ServerState()
        self.server_state.default_headers = [(b"date", b"today")]
        self.read_paused = self.write_paused = self.closed = False
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def resume_reading(self) -> None:
        pass

    async def writable(self) -> None:
        pass

    def response_complete(self, cycle: RequestCycle) -> None:
        del cycle


def a_cycle(*, keep_alive: bool = True, version: str = "1.1") -> tuple[RequestCycle, Connection]:
    connection = Connection()
    head = RequestHead("POST", "/x", b"/x", b"", version, [], None)
    return RequestCycle(connection, head, keep_alive=keep_alive), connection


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_both_sinks_write_the_same_bytes(dialect: Any) -> None:
    for headers, more, keep_alive, version in itertools.product(
        (STREAM, [*STREAM], [(b"content-length", b"4")], ((b"connection", b"close"), *STREAM), ()),
        ((), LIMITS),
        (True, False),
        ("1.1", "1.0"),
    ):
        one, direct = a_cycle(keep_alive=keep_alive, version=version)
        other, asgi = a_cycle(keep_alive=keep_alive, version=version)

        for sink in (
            DirectSink(one.send, "req_1", dialect, one),
            HttpSink(other.send, "req_1", dialect),
        ):
            await sink.start(200, headers, more)
            await sink.write(b"ab")
            await sink.end(b"cd")

        assert direct.written == asgi.written, (headers, more, keep_alive, version)
        assert direct.closed == asgi.closed, (headers, more, keep_alive, version)
        assert direct.written.startswith(b"HTTP/1.1 200 OK\r\ndate: today\r\n")
        assert all(b"%b: %b\r\n" % header in direct.written for header in (*headers, *more))


async def test_a_header_that_is_none_is_refused_wherever_it_stands() -> None:
    bad = (b"x", b"a\r\nb: c")
    for headers, more in ((STREAM, [bad]), ([bad], []), ((bad,), [])):
        cycle, connection = a_cycle()
        with pytest.raises(ValueError, match="header"):
            DirectSink(cycle.send, "req_1", DIALECTS[0], cycle).start(200, headers, more)
        assert not cycle.response_started
        assert not connection.written


async def test_an_error_is_the_same_on_both() -> None:
    one, direct = a_cycle()
    other, asgi = a_cycle()
    for sink in (
        DirectSink(one.send, "req_1", DIALECTS[0], one),
        HttpSink(other.send, "req_1", DIALECTS[0]),
    ):
        await asyncio.ensure_future(sink.fail(Overloaded("full"), LIMITS))  # type: ignore[arg-type]

    assert direct.written == asgi.written
    assert b" 503 " in direct.written
