"""How a connection ends: whole answers first, refusals behind them, and nothing lost by a reset."""

import asyncio
import sys
from typing import Any

import pytest
from support.listening import a_head, serving

from codex_proapi.gateway.server.http_limits import HTTP_LIMITS

GARBAGE = b"\x00 is no request\r\n\r\n"
LARGE = 4 * 1024 * 1024


async def test_requests_before_what_is_no_request_are_answered_before_it_is_refused() -> None:
    async with serving() as scene:
        body = await scene.ask(a_head() + a_head() + GARBAGE + a_head())

        assert body.startswith(b"HTTP/1.1 200 OK")
        assert body.count(b"HTTP/1.1 200 OK") == 2
        assert b"malformed_http" in body[body.index(b"HTTP/1.1 400") :]
        assert scene.app.asked == ["/", "/"]


async def test_a_bad_body_behind_a_whole_request_is_refused_after_its_answer() -> None:
    bad = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n"
    async with serving() as scene:
        body = await scene.ask(a_head() + bad)

        assert body.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1 400 Bad Request" in body
        assert scene.app.asked == ["/"]


@pytest.mark.parametrize("behind", [GARBAGE, b"GET / HTTP/1.1\r\nx-endless: " + b"y" * 300_000])
async def test_what_follows_a_request_does_not_stand_in_the_middle_of_its_answer(
    behind: bytes,
) -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /begun HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(behind)
        await _until(lambda: scene.connections[0]._refusal)
        scene.app.go_on.set()

        assert (await reader.read()).startswith(b"5\r\nbegun\r\n0\r\n\r\nHTTP/1.1 4")
        writer.close()


async def test_a_head_that_waits_for_its_turn_is_not_slow() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /begun HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET / HTT")
        await _until(lambda: scene.connections[0]._in_head)

        scene.sweep(HTTP_LIMITS.head_seconds + 1)
        scene.app.go_on.set()

        assert await reader.readuntil(b"0\r\n\r\n") == b"5\r\nbegun\r\n0\r\n\r\n"
        writer.write(b"P/1.1\r\nhost: x\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /early HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", b"HTTP/1.1 200"),
        (b"POST /early HTTP/1.0\r\n", b"HTTP/1.1 200"),
        (b"POST /early HTTP/1.1\r\nx y: z\r\n", b"HTTP/1.1 400"),
    ],
)
async def test_an_answer_before_the_body_is_not_lost_by_a_reset(head: bytes, status: bytes) -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(head + b"content-length: %d\r\n\r\n" % LARGE)
        writer.write(b"x" * LARGE)
        await writer.drain()  # raises where the connection was reset

        assert (await reader.read()).startswith(status)
        writer.close()
        await _until(lambda: not scene.connections)


async def test_who_goes_on_sending_after_a_refusal_is_not_heard_for_ever() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(GARBAGE)
        await reader.read()
        assert scene.connections[0].waits  # it makes room for another one

        scene.sweep(HTTP_LIMITS.rest_seconds + 1)

        await _until(lambda: not scene.connections)
        writer.close()


async def test_http_1_0_gets_no_chunks() -> None:
    async with serving() as scene:
        scene.app.go_on.set()
        body = await scene.ask(b"GET /begun HTTP/1.0\r\n\r\n")

    assert b"transfer-encoding" not in body
    assert body.endswith(b"\r\n\r\nbegun")


async def test_a_trailer_is_no_header() -> None:
    async with serving() as scene:
        body = await scene.ask(
            b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\nauthorization: Bearer x\r\nx-forwarded-for: 1.2.3.4\r\n\r\n"
            + a_head(),
            answers=2,
        )

        assert body.count(b"HTTP/1.1 200 OK") == 2
        assert [[name for name, _ in headers] for headers in scene.app.headers] == [
            [b"host", b"transfer-encoding"],
            [b"host"],
        ]


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a reset")


@on_linux
async def test_a_client_that_ends_its_half_behind_its_request_is_answered() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        writer.write_eof()
        await _until(lambda: scene.app.asked and scene.connections[0]._half_closed)
        scene.sweep(3)
        scene.app.go_on.set()

        body = await reader.read()
        assert body.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert body.endswith(b"\r\n\r\n2")
        writer.close()
        await _until(lambda: not scene.connections)


@on_linux
async def test_a_client_that_has_left_is_told_from_one_that_has_ended_its_half() -> None:
    async with serving() as scene:
        _, writer = await scene.connect()
        writer.write(b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        await _until(lambda: scene.app.asked)
        writer.close()

        await _until(lambda: not scene.connections)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{}",
        b"GET /slow HTTP/1.0\r\n\r\n",
        b"GET /begun HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost",
    ],
)
async def test_the_end_of_a_client_that_cannot_be_asked_is_its_leaving(sent: bytes) -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(sent)
        if b"/begun" in sent:
            await reader.readuntil(b"\r\n\r\n")
        writer.write_eof()

        assert await reader.read() == b""
        writer.close()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
