"""One request and its response, beside a connection that only collects."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from uvicorn.server import ServerState

from codex_proapi.commons.http.connection.heads import Header, RequestHead
from codex_proapi.commons.http.connection.request_cycle import ClientGone, RequestCycle

DATE = (b"date", b"today")


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Connection:
    def __init__(self) -> None:
        self.transport: Any = Transport()
        self.read_paused = self.write_paused = False
        self.server_state = ServerState()
        self.server_state.default_headers = [DATE]
        self.complete: list[RequestCycle] = []
        self.go_on = asyncio.Event()

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.transport.close()

    async def writable(self) -> None:
        await self.go_on.wait()
        self.write_paused = False

    def response_complete(self, cycle: RequestCycle) -> None:
        self.complete.append(cycle)


def a_cycle(
    method: str = "POST", *, keep_alive: bool = True, expects: bool = False
) -> tuple[RequestCycle, Connection]:
    connection = Connection()
    head = RequestHead(method, "/x", b"/x", b"", "1.1", [], ("127.0.0.1", 1), expects)
    return RequestCycle(connection, head, keep_alive=keep_alive), connection


async def run(cycle: RequestCycle, answering: Coroutine[Any, Any, None]) -> None:
    """Have something answer, as the connection does."""
    task = asyncio.ensure_future(answering)
    await asyncio.wait([task])
    cycle.answered(task)


HEADERS: list[list[Header]] = [
    [(b"content-type", b"text/plain")],
    [(b"content-length", b"9")],
    [(b"connection", b"close")],
]


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("pieces", [[b"two", b" parts"], [b"", b"one piece"], [b"one piece", b""]])
async def test_a_direct_response_has_the_bytes_of_the_same_one_by_asgi(
    headers: list[Header], method: str, keep_alive: bool, pieces: list[bytes]
) -> None:
    direct, one = a_cycle(method, keep_alive=keep_alive)
    asgi, other = a_cycle(method, keep_alive=keep_alive)

    direct.start(200, headers)
    direct.write(pieces[0])
    direct.end(pieces[1])
    await asgi.send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece, more in zip(pieces, (True, False), strict=True):
        await asgi.send({"type": "http.response.body", "body": piece, "more_body": more})

    assert one.transport.written == other.transport.written != b""
    assert one.transport.closed == other.transport.closed
    assert (one.complete, other.complete) == ([direct], [asgi])


async def test_a_head_leaves_with_the_first_bytes() -> None:
    cycle, connection = a_cycle()

    cycle.start(200, [])
    assert connection.transport.written == b""
    cycle.write(b"first")

    head, _, body = connection.transport.written.partition(b"\r\n\r\n")
    assert head.splitlines() == [b"HTTP/1.1 200 OK", b"date: today", b"transfer-encoding: chunked"]
    assert body == b"5\r\nfirst\r\n"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_no_chunks(status: int) -> None:
    cycle, connection = a_cycle()

    cycle.start(status, [])
    cycle.end()

    assert b"chunked" not in connection.transport.written
    assert connection.transport.written.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("body", [b"too long", b"sh"])
async def test_a_body_is_as_long_as_its_length(body: bytes) -> None:
    cycle, connection = a_cycle()
    cycle.start(200, [(b"content-length", b"3")])

    with pytest.raises(RuntimeError, match="content-length"):
        cycle.end(body)
    assert connection.complete == []


async def test_a_header_that_is_none_leaves_room_for_a_500() -> None:
    cycle, connection = a_cycle()

    async def answer() -> None:
        cycle.start(200, [(b"x", b"a\r\nb: c")])

    await run(cycle, answer())

    assert connection.transport.written.startswith(b"HTTP/1.1 500 ")
    assert connection.transport.closed


async def test_an_application_that_ends_in_the_middle_closes_the_connection() -> None:
    cycle, connection = a_cycle()

    async def answer() -> None:
        cycle.start(200, [])
        cycle.write(b"half")

    await run(cycle, answer())

    assert connection.transport.closed
    assert connection.complete == []


async def test_messages_out_of_turn_are_refused() -> None:
    cycle, _ = a_cycle()
    body = {"type": "http.response.body", "body": b""}

    with pytest.raises(RuntimeError, match="out of turn"):
        await cycle.send(body)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": []})
    with pytest.raises(RuntimeError, match="out of turn"):
        await cycle.send({"type": "http.response.start", "status": 200, "headers": []})
    await cycle.send(body)
    with pytest.raises(RuntimeError, match="out of turn"):
        await cycle.send(body)


async def test_a_body_that_has_come_needs_no_wait_and_is_given_once() -> None:
    cycle, _ = a_cycle()
    cycle.feed(b"hel")
    assert cycle.whole_body is None
    cycle.feed(b"lo")
    cycle.end_body()

    assert cycle.whole_body == b"hello"
    assert cycle.whole_body is None


async def test_a_body_is_read_as_it_comes_then_the_end_is_waited_for() -> None:
    cycle, _ = a_cycle()
    cycle.feed(b"one")
    assert await cycle.read() == (b"one", True)
    later = asyncio.ensure_future(cycle.read())
    await asyncio.sleep(0)
    cycle.feed(b"two")
    cycle.end_body()
    assert await later == (b"two", False)

    last = asyncio.ensure_future(cycle.receive())
    await asyncio.sleep(0)
    assert not last.done()
    cycle.disconnect()

    assert await last == {"type": "http.disconnect"}
    with pytest.raises(ClientGone):
        await cycle.read()


async def test_single_bytes_of_a_body_count_with_the_memory_they_take() -> None:
    cycle, _ = a_cycle()

    assert [cycle.feed(b"x") for _ in range(3)] == [65, 130, 195]
    assert await cycle.read() == (b"xxx", True)
    assert cycle.feed(b"x") == 65


async def test_a_client_that_waits_for_100_hears_it_when_its_body_is_read() -> None:
    cycle, connection = a_cycle(expects=True)
    cycle.end_body()
    assert cycle.whole_body is None
    await cycle.read()

    assert connection.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_who_watches_is_told_once_that_the_client_has_left() -> None:
    told: list[int] = []
    cycle, connection = a_cycle()
    cycle.watch(lambda: told.append(1))
    cycle.disconnect()
    cycle.disconnect()
    assert told == [1]

    cycle.watch(lambda: told.append(2))
    assert told == [1, 2]
    cycle.start(200, [])
    cycle.write(b"to nobody")
    cycle.end()
    assert connection.transport.written == b""


async def test_a_client_that_leaves_after_its_response_is_nobodys_matter() -> None:
    told: list[int] = []
    cycle, _ = a_cycle()
    cycle.watch(lambda: told.append(1))
    cycle.start(200, [])
    cycle.end(b"all")
    cycle.disconnect()

    assert told == []


async def test_asgi_waits_while_too_much_waits_for_the_client() -> None:
    cycle, connection = a_cycle()
    connection.write_paused = True
    sending = asyncio.ensure_future(
        cycle.send({"type": "http.response.start", "status": 200, "headers": []})
    )
    await asyncio.sleep(0)
    assert connection.transport.written == b""
    assert not cycle.writable
    connection.go_on.set()
    await sending

    assert connection.transport.written.startswith(b"HTTP/1.1 200")
    await cycle.drained()
