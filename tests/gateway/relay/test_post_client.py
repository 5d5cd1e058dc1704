import asyncio
import contextlib
from typing import Any

import pytest

from gateway.relay.post_client import (
    HIGH_WATER,
    IDLE_BEATS,
    ConnectionLost,
    PostClient,
    Unreachable,
)


class Server:
    """A server that says, connection by connection, exactly what a test wants said."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.scripts: list[Any] = []
        self.connections: list[Any] = []
        self.gone = asyncio.Event()
        self.port = 0

    async def serve(self, reader: Any, writer: Any) -> None:
        number = len(self.connections)
        self.connections.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.requests.append((number, head, body))
                script = self.scripts.pop(0) if self.scripts else [WHOLE]
                for step in script:
                    if step == "close":
                        return
                    if step == "abort":
                        writer.transport.abort()
                        return
                    if step == "hang":
                        await reader.read()
                        return
                    writer.write(step)
                    await writer.drain()
                    await asyncio.sleep(0.005)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


def chunked(*pieces: Any, end: Any = True) -> Any:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join([HEAD_CHUNKED, *chunks, b"0\r\n\r\n" if end else b""])


HEAD_CHUNKED = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
async def server() -> Any:
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()
    for writer in made.connections:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def client(server: Any) -> Any:
    made = PostClient(f"http://127.0.0.1:{server.port}/codex/responses?a=b")
    yield made
    made.close()
    await asyncio.sleep(0)


async def read_all(answer: Any) -> Any:
    pieces: list[Any] = []
    while piece := await answer.read():
        pieces.append(piece)
    return b"".join(pieces)


async def test_a_request_is_one_head_and_its_body(client: Any, server: Any) -> None:
    answer = await client.post({"authorization": "Bearer t", "x-b": "c"}, b'{"a":1}')

    assert await read_all(answer) == b"ok"
    assert server.requests == [
        (
            0,
            b"POST /codex/responses?a=b HTTP/1.1\r\n"
            b"host: 127.0.0.1:%d\r\nauthorization: Bearer t\r\nx-b: c\r\n"
            b"content-length: 7\r\n\r\n" % server.port,
            b'{"a":1}',
        )
    ]


async def test_chunks_come_as_one_piece_for_each_read_of_the_socket(
    client: Any, server: Any
) -> None:
    server.scripts = [[chunked(b"one ", b"two ", end=False), b"5\r\nthree\r\n0\r\n\r\n"]]

    answer = await client.post({}, b"")

    assert (answer.status, answer.headers["x-a"]) == (200, "b")
    assert await answer.read() == b"one two "
    assert not answer.at_end
    assert await answer.read() == b"three"
    assert (await answer.read(), await answer.read()) == (b"", b"")
    assert answer.at_end


@pytest.mark.parametrize("cut", [1, 7, 16, 40, 64])
async def test_any_cut_of_the_bytes_gives_the_same_answer(
    client: Any, server: Any, cut: Any
) -> None:
    whole = chunked(b"data: one\n\n", b"data: two\n\n")
    server.scripts = [[whole[i : i + cut] for i in range(0, len(whole), cut)]]

    answer = await client.post({}, b"")

    assert await read_all(answer) == b"data: one\n\ndata: two\n\n"


async def test_an_answer_without_a_length_ends_with_its_connection(
    client: Any, server: Any
) -> None:
    server.scripts = [[b"HTTP/1.1 200 OK\r\n\r\n", b"all of it", "close"], [WHOLE]]

    assert await read_all(await client.post({}, b"")) == b"all of it"
    assert await read_all(await client.post({}, b"")) == b"ok"
    assert len(server.connections) == 2


async def test_announcements_before_the_answer_are_passed_over(client: Any, server: Any) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    server.scripts = [[early, WHOLE]]

    answer = await client.post({}, b"")

    assert (answer.status, answer.headers) == (200, {"content-length": "2"})
    assert await read_all(answer) == b"ok"


async def test_a_connection_is_used_again_the_last_one_first(client: Any, server: Any) -> None:
    for _ in range(3):
        await read_all(await client.post({}, b""))
    server.scripts = [[HEAD_CHUNKED, "hang"]]
    busy = await client.post({}, b"")
    await read_all(await client.post({}, b""))
    await read_all(await client.post({}, b""))

    assert [number for number, _, _ in server.requests] == [0, 0, 0, 0, 1, 1]
    busy.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        WHOLE + b"and what nobody asked for",
    ],
)
async def test_a_connection_that_cannot_be_used_again_is_not(
    client: Any, server: Any, answer: Any
) -> None:
    server.scripts = [[answer]]

    assert await read_all(await client.post({}, b"")) == b"ok"
    await asyncio.sleep(0.02)
    assert await read_all(await client.post({}, b"")) == b"ok"

    assert [number for number, _, _ in server.requests] == [0, 1]


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_kept_connection_that_turns_out_dead_costs_nothing(
    client: Any, server: Any, end: Any
) -> None:
    await read_all(await client.post({}, b""))
    server.scripts = [[end], [WHOLE]]

    answer = await client.post({}, b"again")

    assert await read_all(answer) == b"ok"
    assert [number for number, _, _ in server.requests] == [0, 0, 1]


@pytest.mark.parametrize(
    "script",
    [
        ["close"],
        ["abort"],
        [b"HTTP/1.1 200 OK\r\ncontent-len", "close"],
        [b"no such protocol\r\n\r\n"],
        [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    ],
)
async def test_an_answer_that_never_begins_is_a_lost_connection(
    client: Any, server: Any, script: Any
) -> None:
    server.scripts = [script]

    with pytest.raises(ConnectionLost):
        await client.post({}, b"")
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_an_answer_that_breaks_off_gives_what_has_come_and_then_says_so(
    client: Any, server: Any, end: Any
) -> None:
    server.scripts = [[chunked(b"one ", end=False), end]]
    answer = await client.post({}, b"")

    assert await answer.read() == b"one "
    with pytest.raises(ConnectionLost):
        await answer.read()
    assert answer.closed


async def test_an_answer_that_is_closed_early_cuts_its_connection(client: Any, server: Any) -> None:
    server.scripts = [[chunked(b"one ", end=False), "hang"]]
    answer = await client.post({}, b"")

    answer.close()
    answer.close()

    await asyncio.wait_for(server.gone.wait(), 1)
    assert repr(client).endswith("0 connections>")


async def test_giving_up_on_the_head_cuts_the_connection(client: Any, server: Any) -> None:
    server.scripts = [["hang"]]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.post({}, b"")

    await asyncio.wait_for(server.gone.wait(), 1)


async def test_a_reader_that_does_not_read_holds_upstream_back(client: Any, server: Any) -> None:
    piece = b"x" * 65536
    endless = b"%x\r\n%b\r\n" % (len(piece), piece)
    server.scripts = [[HEAD_CHUNKED, *[endless] * 300, b"0\r\n\r\n"]]
    answer = await client.post({}, b"")
    await asyncio.sleep(0.3)

    held = answer._size
    await asyncio.sleep(0.1)

    assert answer._size == held
    assert HIGH_WATER < held < 20 * HIGH_WATER
    assert len(await read_all(answer)) == 300 * len(piece)


async def test_a_request_that_was_answered_before_it_was_sent_ends_its_connection(
    client: Any, server: Any
) -> None:
    async def answer_at_once(reader: Any, writer: Any) -> None:
        server.connections.append(writer)
        writer.write(WHOLE)
        await asyncio.sleep(1)

    listener = await asyncio.start_server(answer_at_once, "127.0.0.1", 0)
    eager = PostClient(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")

    answer = await eager.post({}, b"x" * 50_000_000)

    assert await read_all(answer) == b"ok"
    assert eager._idle == []
    eager.close()
    listener.close()


async def test_connections_that_are_idle_for_long_are_closed(client: Any, server: Any) -> None:
    await read_all(await client.post({}, b""))
    for _ in range(IDLE_BEATS):
        client.beat()
    assert len(client._idle) == 1

    client.beat()

    await asyncio.wait_for(server.gone.wait(), 1)
    assert client._idle == []


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no.such.host.invalid"])
async def test_where_nobody_listens_it_says_so(host: Any) -> None:
    with pytest.raises(Unreachable):
        await PostClient(f"http://{host}/").post({}, b"")


async def test_a_server_that_cannot_be_trusted_is_not_spoken_to(server: Any) -> None:
    with pytest.raises(Unreachable):
        await PostClient(f"https://127.0.0.1:{server.port}/").post({}, b"")


@pytest.mark.parametrize("value", ["a\r\nx-evil: b", "a\nb", "a\rb"])
async def test_a_header_cannot_bring_another_one(client: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="line break"):
        await client.post({"x-a": value}, b"")
