import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any

import pytest
import structlog
from support.listening import a_head, serving

from codex_proapi.commons.http.connection import sweep
from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.commons.runtime.logging import TASK_FIELDS, add_task_fields
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS

HEAD_BYTES, HEAD_SECONDS = HTTP_LIMITS.head_bytes, HTTP_LIMITS.head_seconds
STALL_SECONDS = HTTP_LIMITS.stall_seconds
PATIENCE_SECONDS = 60


async def test_a_request_is_served_and_the_connection_kept() -> None:
    async with serving() as scene:
        body = await scene.ask(a_head() + a_head(), answers=2)

    assert body.count(b"HTTP/1.1 200 OK") == 2
    assert b"server:" not in body


async def test_what_a_direct_handler_binds_is_its_requests_alone_and_its_failures_log_it() -> None:
    bound: list[tuple[str, str]] = []

    def direct(cycle: RequestCycle) -> Coroutine[Any, Any, None]:
        before = TASK_FIELDS.get().get("path", "")
        TASK_FIELDS.set({"path": cycle.head.path})
        return answer(cycle, before)

    async def answer(cycle: RequestCycle, before: str) -> None:
        bound.append((before, TASK_FIELDS.get()["path"]))
        if cycle.head.path == "/fails":
            raise ValueError("fails")
        cycle.start(200, [(b"content-length", b"0")])
        cycle.end()

    ask = "GET {} HTTP/1.1\r\nhost: x\r\n\r\n"
    with structlog.testing.capture_logs([add_task_fields]) as logs:
        async with serving(direct=direct) as scene:
            reader, writer = await scene.connect()
            for path in ("/one", "/two", "/fails"):
                writer.write(ask.format(path).encode())
                assert (await reader.readline()).startswith(b"HTTP/1.1 ")
                await reader.readuntil(b"\r\n\r\n")
            assert await reader.read() == b"Internal Server Error"
            writer.close()

    assert bound == [("", "/one"), ("", "/two"), ("", "/fails")]
    [failure] = logs
    assert (failure["event"], failure["path"]) == ("server.application_failed", "/fails")


async def test_a_direct_handler_that_raises_is_a_500_with_a_line_in_the_log() -> None:
    def direct(_: RequestCycle) -> Coroutine[Any, Any, None]:
        raise ValueError("fails")

    with structlog.testing.capture_logs() as logs:
        async with serving(direct=direct) as scene:
            answer = await scene.ask(a_head())

    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert [line["event"] for line in logs] == ["server.application_failed"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"no such protocol\r\n\r\n", b"400 Bad Request"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nHost: x\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n", b"400 Bad Request"),
        (a_head(*(f"x-{n}: y" for n in range(101))), b"431 "),
        (a_head(f"x-large: {'y' * HEAD_BYTES}"), b"431 "),
        (b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"431 "),
        (b"GET / HTTP/1.1\r\nx-endless: " + b"y" * (9 * HEAD_BYTES), b"431 "),
    ],
)
async def test_a_head_beyond_the_limits_is_refused_in_openais_shape(
    request_: bytes, status: bytes
) -> None:
    async with serving() as scene:
        body = await scene.ask(request_)

        assert body.startswith(b"HTTP/1.1 " + status)
        assert b'{"error":{"message":' in body
        assert b"x-request-id: req_" in body
        assert scene.app.asked == []


@pytest.mark.parametrize("head", [b"HTTP/1.0\r\n\r\n", b"HTTP/1.1\r\nhost:\r\n\r\n"])
async def test_a_host_may_be_empty_and_http_1_0_needs_none(head: bytes) -> None:
    async with serving() as scene:
        body = await scene.ask(b"GET / " + head, answers=1)

    assert body.startswith(b"HTTP/1.1 200 OK")


async def test_a_hundred_headers_are_fine() -> None:
    async with serving() as scene:
        body = await scene.ask(a_head(*(f"x-{n}: y" for n in range(99))), answers=1)

    assert body.startswith(b"HTTP/1.1 200 OK")


async def test_a_head_that_drips_is_cut_off_after_ten_seconds() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-drip: ")
        while not scene.connections or not scene.connections[0]._in_head:
            await asyncio.sleep(0.005)

        scene.sweep(HEAD_SECONDS)
        writer.write(b"y")
        await asyncio.sleep(0.01)
        scene.sweep(1)

        assert (await reader.read()).startswith(b"HTTP/1.1 408 Request Timeout")
        writer.close()


async def test_a_connection_that_says_nothing_is_closed_like_an_idle_one() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        while not scene.connections:
            await asyncio.sleep(0.005)

        scene.sweep(HTTP_LIMITS.idle_seconds + 1)

        assert await reader.read() == b""
        writer.close()


async def test_a_long_answer_is_no_slow_head() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0.005)

        scene.sweep(10 * HEAD_SECONDS)
        scene.app.go_on.set()

        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        writer.close()


async def test_a_reader_that_has_stopped_is_cut_off_after_a_minute() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        reader._transport.pause_reading()
        writer.write(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.connections or not scene.connections[0].write_paused:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        [connection] = scene.connections

        scene.sweep(STALL_SECONDS)
        assert not connection.transport.is_closing()
        scene.sweep(2)

        assert connection.transport.is_closing()
        scene.app.go_on.set()
        writer.transport.abort()


async def test_a_reader_that_is_only_slower_than_upstream_is_not_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0.005)
        [connection] = scene.connections
        unread = taken = 0

        class Growing:
            """A connection of which more waits each second, though bytes are taken."""

            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def get_write_buffer_size(self) -> int:
                return unread

        transport, connection.transport = connection.transport, Growing()
        monkeypatch.setattr(sweep, "acknowledged_bytes", lambda _: taken)
        for _ in range(3 * STALL_SECONDS):
            unread, taken = unread + 600, taken + 4900
            scene.sweep(1)
        assert not transport.is_closing()

        for _ in range(STALL_SECONDS + 1):
            unread += 600
            scene.sweep(1)

        assert transport.is_closing()
        scene.app.go_on.set()
        writer.close()
        del reader


async def test_what_a_client_has_taken_is_known() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(a_head())
        await reader.readuntil(b"\r\n\r\n")
        [connection] = scene.connections

        assert sys.platform != "linux" or connection._bytes_taken() > 0
        writer.close()


@pytest.mark.parametrize("name", ["websocket", "h2c"])
async def test_a_request_that_offers_an_upgrade_is_served_and_its_connection_closed(
    name: str,
) -> None:
    async with serving() as scene:
        body = await scene.ask(a_head("connection: Upgrade", f"upgrade: {name}"))

    assert body.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in body


async def test_a_body_after_an_offered_upgrade_is_read() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\n"
    async with serving() as scene:
        body = await scene.ask(head + b"content-length: 5\r\n\r\nhello and more")
        reader, writer = await scene.connect()
        writer.write(head + b"content-length: 300000\r\n\r\n")
        for _ in range(3):
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"x" * 100_000)
        in_pieces = await reader.read()
        writer.close()

    assert body.endswith(b"\r\n\r\n5")
    assert in_pieces.endswith(b"\r\n\r\n300000")


EARLY = b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n"


async def test_a_request_answered_before_its_body_came_may_send_it_and_another_one() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(EARLY + b"\r\n" + b"x" * 50_000)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.write(b"x" * 50_000 + a_head("connection: close"))

        assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 1
        assert scene.app.asked == ["/early", "/"]
        writer.close()


async def test_the_rest_of_a_body_is_not_taken_in_for_ever() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(EARLY + b"\r\n" + b"x" * 50_000)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"

        scene.sweep(HTTP_LIMITS.rest_seconds + 1)

        assert b"1.1 200" not in await reader.read()
        writer.close()


async def test_a_client_that_waits_for_our_word_before_its_body_is_let_go() -> None:
    async with serving() as scene:
        body = await scene.ask(EARLY + b"expect: 100-continue\r\n\r\n")

    assert body.startswith(b"HTTP/1.1 200 OK")
    assert b"100 Continue" not in body


async def test_a_connection_has_no_dictionary_of_its_own() -> None:
    """It has more attributes than the interpreter shares names of: 2 KB for each connection."""
    async with serving() as scene:
        _, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0.005)
        [connection] = scene.connections

        assert not hasattr(connection, "__dict__")
        scene.app.go_on.set()
        writer.close()


class Numbered:
    def __init__(self, number: int) -> None:
        self.number = number


def test_each_connection_is_swept_once_a_second_and_never_all_in_one_turn() -> None:
    connections: list[Any] = [Numbered(number) for number in range(7, 1007)]

    turns = [sweep.due(connections, tick) for tick in range(31, 31 + sweep.TICKS)]

    assert sorted(each.number for turn in turns for each in turn) == list(range(7, 1007))
    assert {len(turn) for turn in turns} == {100}


async def test_a_connection_that_has_ended_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        async with serving() as scene, asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await scene.connect()
            writer.write(a_head())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 OK")
            [kind] = {type(each) for each in scene.connections}  # this server's own
            assert kind in set(map(type, gc.get_objects()))
            writer.close()
            while kind in set(map(type, gc.get_objects())):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
