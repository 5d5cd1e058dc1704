"""Clients that hold the console's connections: half requests, single bytes, too many, too large ones."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from support.consoles import console_settings, listening, running

from codex_proapi.commons.http.limits import BodyDeadlines
from codex_proapi.console.server.http_limits import BODY_DEADLINES, HTTP_LIMITS

HOST = b"host: localhost\r\n"
SIGN_IN = b"POST /api/session HTTP/1.1\r\n" + HOST + b"content-type: application/json\r\n"
HEALTH = b"GET /health HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n"
IMPATIENT = BodyDeadlines(stall_seconds=0.2, least_rate=1024, whole_seconds=0.4)


class Listening:
    """A console's listening port."""

    def __init__(self, console: Any, server: Any, port: int) -> None:
        self.console, self.server, self.port = console, server, port

    async def connect(self) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> bytes:
        reader, writer = await self.connect()
        writer.write(request)
        answer = bytes(await reader.read())
        writer.close()
        return answer

    def pass_seconds(self, count: int) -> None:
        for _ in range(count):
            for connection in self.server.connections:
                connection.sweep()


@contextlib.asynccontextmanager
async def opened(redis_url: str, **limits: int) -> AsyncIterator[Listening]:
    async with running(console_settings(redis_url)) as console:
        changed = msgspec.structs.replace(HTTP_LIMITS, **limits)
        async with listening(console, changed) as (server, port):
            yield Listening(console, server, port)


def code_of(answer: bytes) -> tuple[int, str]:
    """Status and error code of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    error = msgspec.json.decode(body)["error"]
    assert error["request_id"].encode() in head
    assert error["message"]
    return int(head.split()[1]), error["code"]


async def test_half_a_head_is_answered_when_its_time_is_over(redis_url: str) -> None:
    async with opened(redis_url) as listens:
        reader, writer = await listens.connect()
        writer.write(b"GET /health HTTP/1.1\r\nx-half: ")
        while not any(each._in_head for each in listens.server.connections):
            await asyncio.sleep(0.005)
        [connection] = listens.server.connections
        for _ in range(HTTP_LIMITS.head_seconds):
            had = connection._head_bytes
            writer.write(b"x")  # a byte a second makes no difference
            while connection._head_bytes == had:
                await asyncio.sleep(0)
            listens.pass_seconds(1)
        listens.pass_seconds(1)

        assert code_of(await reader.read()) == (408, "request_timeout")
        writer.close()


@pytest.mark.parametrize("size", [b"content-length: 1000\r\n", b"transfer-encoding: chunked\r\n"])
async def test_half_a_body_is_answered_when_its_time_is_over(redis_url: str, size: bytes) -> None:
    async with opened(redis_url) as listens:
        listens.console.asgi._body_deadlines = IMPATIENT
        reader, writer = await listens.connect()
        writer.write(SIGN_IN + size + b"\r\n" + (b"1\r\n{\r\n" if b"chunked" in size else b"{"))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])

        assert code_of(head + await reader.readexactly(length)) == (408, "request_timeout")
        listens.pass_seconds(HTTP_LIMITS.rest_seconds + 1)
        assert await reader.read() == b"", "the rest of the body is not waited for, either"
        writer.close()


async def test_a_body_of_single_bytes_is_answered_when_its_time_is_over(redis_url: str) -> None:
    async with opened(redis_url) as listens:
        listens.console.asgi._body_deadlines = IMPATIENT
        reader, writer = await listens.connect()
        writer.write(SIGN_IN + b"content-length: 60000\r\n\r\n")
        answered = asyncio.ensure_future(reader.readline())
        while not answered.done():
            writer.write(b"x")
            await asyncio.sleep(0.01)

        assert answered.result().startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_body_that_nobody_reads_holds_nothing(redis_url: str) -> None:
    async with opened(redis_url) as listens:
        reader, writer = await listens.connect()
        writer.write(b"GET /health HTTP/1.1\r\n" + HOST + b"content-length: 1000\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

        listens.pass_seconds(HTTP_LIMITS.rest_seconds + 1)

        await reader.read()
        writer.close()


async def test_idle_connections_and_half_heads_do_not_keep_probes_out(redis_url: str) -> None:
    async with opened(redis_url, connections=20) as listens:
        held = []
        for number in range(60):
            held.append(await listens.connect())
            if number % 2:
                held[-1][1].write(b"GET /health HTTP/1.1\r\nx-half: ")

        assert (await listens.ask(HEALTH)).startswith(b"HTTP/1.1 200")

        assert len(listens.server.connections) <= 20
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            b"GET / HTTP/1.1\r\nx-large: " + b"x" * 33_000 + b"\r\n\r\n",
            (431, "request_head_too_large"),
        ),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 102 + b"\r\n", (431, "request_head_too_large")),
        (b"no such protocol\r\n\r\n", (400, "malformed_http")),
    ],
)
async def test_a_head_that_is_too_large_or_no_http_is_answered_in_the_consoles_shape(
    redis_url: str, request_: bytes, told: tuple[int, str]
) -> None:
    async with opened(redis_url) as listens:
        assert code_of(await listens.ask(request_)) == told


async def test_a_body_that_is_too_large_is_refused(redis_url: str) -> None:
    async with opened(redis_url) as listens:
        reader, writer = await listens.connect()
        writer.write(SIGN_IN + b"content-length: 200000\r\n\r\n" + b"x" * 200_000)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])

        assert code_of(head + await reader.readexactly(length)) == (413, "request_too_large")
        writer.close()


def test_the_consoles_deadlines_leave_time_for_a_slow_line() -> None:
    assert BODY_DEADLINES.latest(begun=0, now=0, size=0) == BODY_DEADLINES.stall_seconds
    assert BODY_DEADLINES.latest(begun=0, now=60, size=60 * 2048) == 80
    assert BODY_DEADLINES.latest(begun=0, now=119, size=10**9) == BODY_DEADLINES.whole_seconds
