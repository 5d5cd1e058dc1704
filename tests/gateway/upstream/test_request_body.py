"""Long requests are sent as the backend takes them, in small writes, and are gone once they are sent."""

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop
from support.certificates import Authority
from support.scripted_servers import WHOLE, read_all

from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_response import ConnectionLost, HttpResponse
from codex_proapi.gateway.upstream.request_body import (
    LONG_BYTES,
    PIECE_BYTES,
    WHOLE_BYTES,
    RequestBody,
    encoded,
)
from codex_proapi.gateway.upstream.websocket.socket_turns import MOST_MESSAGE_BYTES

LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
ENCRYPTED = pytest.mark.parametrize("encrypted", [False, True])
PARTS = [bytes([65 + n]) * (3 * PIECE_BYTES + n) for n in range(20)]


class Slow:
    """A server that reads a request's body only when it is told to."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.answer = WHOLE
        self.body = b""
        self.writers: list[Any] = []

    async def serve(self, reader: Any, writer: Any) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self.answer is not WHOLE:
                    writer.write(self.answer)
                await self.reads.wait()
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.body = await reader.readexactly(length)
                writer.write(WHOLE)


@contextlib.asynccontextmanager
async def slow_backend(
    folder: pathlib.Path, *, encrypted: bool
) -> AsyncIterator[tuple[Slow, HttpClient]]:
    made, authority = Slow(), Authority(folder)
    tls: ssl.SSLContext | None = authority.server() if encrypted else None
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls, limit=PIECE_BYTES)
    scheme, port = "https" if encrypted else "http", listener.sockets[0].getsockname()[1]
    client = HttpClient(f"{scheme}://localhost:{port}/", tls=authority.client())
    try:
        yield made, client
    finally:
        client.close()
        listener.close()
        for writer in made.writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


async def until(holds: Any) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0)


@LOOPS
@ENCRYPTED
def test_what_the_backend_does_not_take_waits_unencrypted_and_is_gone_when_it_is_sent(
    run: Any, encrypted: bool, tmp_path: pathlib.Path
) -> None:
    async def ask() -> None:
        async with slow_backend(tmp_path, encrypted=encrypted) as (backend, client):
            body = RequestBody(PARTS)
            asking = asyncio.ensure_future(client.post({}, body))
            await until(lambda: client._all)
            [connection] = client._all
            await until(lambda: connection._upload and connection._upload._paused)
            for _ in range(100):
                await asyncio.sleep(0)
            assert connection._transport is not None
            assert connection._transport.get_write_buffer_size() < 8 * PIECE_BYTES
            assert body.joined(), "the rest still waits"

            backend.reads.set()
            assert await read_all(await asking) == b"ok"

            assert backend.body == b"".join(PARTS)
            assert body.joined() == b""
            assert len(client.idle) == 1, "the connection is kept"

    run(ask())


@LOOPS
@ENCRYPTED
def test_a_connection_is_not_kept_whose_answer_came_before_its_request_was_sent(
    run: Any, encrypted: bool, tmp_path: pathlib.Path
) -> None:
    refusal = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig"

    async def ask() -> None:
        async with slow_backend(tmp_path, encrypted=encrypted) as (backend, client):
            backend.answer = refusal
            answer = await client.post({}, RequestBody(PARTS))
            assert (answer.status, await read_all(answer)) == (413, b"big")
            await until(lambda: not client._all)
            assert not client.idle

            backend.answer = WHOLE
            backend.reads.set()
            assert await read_all(await client.post({}, b"{}")) == b"ok"
            assert len(backend.writers) == 2

    run(ask())


@LOOPS
@ENCRYPTED
def test_a_client_that_leaves_ends_the_upload(
    run: Any, encrypted: bool, tmp_path: pathlib.Path
) -> None:
    async def ask() -> None:
        async with slow_backend(tmp_path, encrypted=encrypted) as (_, client):
            asking = asyncio.ensure_future(client.post({}, RequestBody(PARTS)))
            await until(lambda: client._all)
            [connection] = client._all
            await until(lambda: connection._upload and connection._upload._paused)

            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
            await until(lambda: not client._all)

            assert connection._upload is None

    run(ask())


@LOOPS
def test_a_backend_that_leaves_during_the_upload_is_a_lost_connection(
    run: Any, tmp_path: pathlib.Path
) -> None:
    async def ask() -> HttpResponse:
        listener = await asyncio.start_server(lambda _, w: w.transport.abort(), "127.0.0.1", 0)
        client = HttpClient(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
        try:
            return await client.post({}, RequestBody(PARTS))
        finally:
            client.close()
            listener.close()

    with pytest.raises(ConnectionLost):
        run(ask())


def a_request(size: int) -> UpstreamRequest:
    text = "word " * (size // 5)
    part = {"type": "input_text", "text": text}
    return UpstreamRequest(
        model="gpt-5.5",
        shape=Shape.CLASSIC,
        session_id="s",
        input=({"type": "message", "role": "user", "content": [part]},),
    )


@pytest.mark.parametrize(
    ("size", "kind"),
    [(1000, bytes), (LONG_BYTES, bytes), (WHOLE_BYTES, RequestBody)],
)
async def test_a_request_is_in_pieces_only_where_no_websocket_message_could_hold_it(
    size: int, kind: type
) -> None:
    request = a_request(size)

    body = await encoded(request, size=size)

    assert type(body) is kind
    joined = body.joined() if isinstance(body, RequestBody) else body
    assert joined == request.encode()
    assert len(body) == len(joined)
    assert WHOLE_BYTES >= MOST_MESSAGE_BYTES


async def test_others_run_between_the_pieces_of_a_long_request() -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(turn())
    await asyncio.sleep(0)

    await encoded(a_request(2 * LONG_BYTES), size=2 * LONG_BYTES)

    other.cancel()
    assert turns > 4
