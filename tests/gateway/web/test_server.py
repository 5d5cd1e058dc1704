import asyncio
import contextlib
import gc
import signal
import socket
from typing import Any

import pytest

from gateway.web.asgi import answer
from gateway.web.bodies import read_body
from gateway.web.server import (
    HEAD_BYTES,
    HEAD_SECONDS,
    KEEP_ALIVE_SECONDS,
    STALL_SECONDS,
    GatewayServer,
    configure,
    settle_heap,
)


class App:
    """Answers everything; a path of /slow waits until it is told to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.drains = []
        self.asked = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        if scope["path"] == "/flood":
            start = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                await asyncio.sleep(0)
                if (await asyncio.wait_for(receive(), 0.001)) if self.go_on.is_set() else False:
                    return
        body = await read_body(receive, {})
        if scope["path"] == "/slow":
            await self.go_on.wait()
        await answer(send, 200, b"%d" % len(body), request_id="req_1")

    def begin_drain(self) -> None:
        self.drains.append("begin")

    def end_drain(self) -> None:
        self.drains.append("end")
        self.go_on.set()


class Scene:
    def __init__(self, app: Any, server: Any, port: Any, serving: Any) -> None:
        self.app = app
        self.server = server
        self.port = port
        self.serving = serving

    @property
    def connections(self) -> Any:
        return list(self.server.server_state.connections)

    def sweep(self, count: int) -> None:
        for _ in range(count):
            for connection in self.connections:
                connection.sweep()

    async def connect(self) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: Any) -> Any:
        """Everything that is answered until the server hangs up or says nothing more."""
        reader, writer = await self.connect()
        writer.write(request)
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(reader.read(), 0.3)
        return bytes(reader._buffer)


@contextlib.asynccontextmanager
async def serving(*, settle: Any = 0.0, drain: Any = 5.0) -> Any:
    app = App()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = configure(app, host="127.0.0.1", port=port, drain_seconds=drain)
    server = GatewayServer(config, app, settle_seconds=settle, drain_seconds=drain)
    task = asyncio.ensure_future(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield Scene(app, server, port, task)
    finally:
        app.go_on.set()
        server.should_exit = server.force_exit = True
        await task


def a_head(*lines: Any) -> Any:
    return "\r\n".join(["GET / HTTP/1.1", "host: x", *lines, "", ""]).encode()


async def test_a_request_is_served_and_the_connection_kept() -> None:
    async with serving() as scene:
        body = await scene.ask(a_head() + a_head())

    assert body.count(b"HTTP/1.1 200 OK") == 2
    assert b"server:" not in body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"no such protocol\r\n\r\n", b"400 Bad Request"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", b"400 Bad Request"),
        (a_head(*(f"x-{n}: y" for n in range(101))), b"431 "),
        (a_head(f"x-large: {'y' * HEAD_BYTES}"), b"431 "),
        (b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"431 "),
        (b"GET / HTTP/1.1\r\nx-endless: " + b"y" * (9 * HEAD_BYTES), b"431 "),
    ],
)
async def test_a_head_beyond_the_limits_is_refused_in_openais_shape(
    request_: Any, status: int
) -> None:
    async with serving() as scene:
        body = await scene.ask(request_)

        assert body.startswith(b"HTTP/1.1 " + status)
        assert b'{"error":{"message":' in body
        assert b"x-request-id: req_" in body
        assert scene.app.asked == []


async def test_a_hundred_headers_are_fine() -> None:
    async with serving() as scene:
        body = await scene.ask(a_head(*(f"x-{n}: y" for n in range(99))))

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

        scene.sweep(KEEP_ALIVE_SECONDS + 1)

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
        while not scene.connections or not scene.connections[0].flow.write_paused:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        [connection] = scene.connections

        scene.sweep(STALL_SECONDS)
        assert not connection.transport.is_closing()
        scene.sweep(2)

        assert connection.transport.is_closing()
        scene.app.go_on.set()
        writer.transport.abort()


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
        body = await scene.ask(head + b"content-length: 5\r\n\r\nhello")

    assert body.endswith(b"\r\n\r\n5")


async def test_a_signal_drains_and_answers_under_way_finish() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0.005)

        scene.server.handle_exit(signal.SIGTERM, None)
        await asyncio.sleep(0.3)
        assert scene.app.drains == ["begin"]
        assert not scene.serving.done()
        scene.app.go_on.set()

        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        await scene.serving
        assert scene.app.drains == ["begin"]
        writer.close()


async def test_when_the_drain_time_is_over_answers_under_way_are_ended() -> None:
    async with serving(drain=0.3) as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0.005)

        scene.server.handle_exit(signal.SIGTERM, None)

        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        await scene.serving
        assert scene.app.drains == ["begin", "end"]
        writer.close()


async def test_the_door_stays_open_while_load_balancers_take_notice() -> None:
    async with serving(settle=0.4) as scene:
        scene.server.handle_exit(signal.SIGTERM, None)
        await asyncio.sleep(0.05)

        body = await scene.ask(a_head("connection: close"))

        assert body.startswith(b"HTTP/1.1 200 OK")
        await scene.serving


async def test_an_interrupt_does_not_wait_and_a_second_signal_stops_at_once() -> None:
    async with serving(settle=60) as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0.005)

        scene.server.handle_exit(signal.SIGINT, None)
        await asyncio.sleep(0.15)
        assert scene.server.should_exit
        assert "draining=True" in repr(scene.server)
        scene.server.handle_exit(signal.SIGINT, None)

        assert scene.server.force_exit
        writer.close()


def test_a_signal_before_the_start_ends_it() -> None:
    app = App()
    config = configure(app, host="127.0.0.1", port=0, drain_seconds=5)
    server = GatewayServer(config, app, settle_seconds=0, drain_seconds=5)

    server.handle_exit(signal.SIGTERM, None)

    assert server.should_exit


def test_the_heap_of_the_start_is_out_of_the_collectors_sight() -> None:
    thresholds = gc.get_threshold()
    try:
        settle_heap()

        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == 50_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
