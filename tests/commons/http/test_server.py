import asyncio
import gc
import pathlib
import platform
import signal
import socket
from typing import Any

import pytest
import uvloop
from support.listening import App, a_head, configuration, serving

from codex_proapi.commons.http import accepting
from codex_proapi.commons.http.accepting import DUPLICATES
from codex_proapi.commons.http.server import HttpServer, freeze_heap, return_large_blocks


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


async def test_it_goes_on_accepting_while_load_balancers_take_notice() -> None:
    async with serving(settle=60) as scene:
        scene.server.handle_exit(signal.SIGTERM, None)
        await asyncio.sleep(0.05)

        body = await scene.ask(a_head("connection: close"))

        assert body.startswith(b"HTTP/1.1 200 OK")
        scene.server.handle_exit(signal.SIGTERM, None)
        await scene.serving


async def test_an_interrupt_does_not_wait_and_a_second_signal_stops_at_once() -> None:
    async with serving(settle=60) as scene:
        _, writer = await scene.connect()
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


async def test_a_second_signal_stops_at_once_also_while_load_balancers_take_notice() -> None:
    async with serving(settle=60) as scene:
        _, writer = await scene.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while not scene.app.asked:
            await asyncio.sleep(0)

        scene.server.handle_exit(signal.SIGTERM, None)
        scene.server.handle_exit(signal.SIGTERM, None)

        assert scene.server.force_exit
        await scene.serving
        writer.close()


async def turns_until_all_are_in(clients: int) -> int:
    """Turns of the loop until so many clients, who came at once, have been let in."""
    async with serving() as scene:
        candidate = [socket.create_connection(("127.0.0.1", scene.port)) for _ in range(clients)]
        turns = 0
        while len(scene.connections) < clients:
            turns += 1
            await asyncio.sleep(0)
        for each in candidate:
            each.close()
        return turns


def test_uvloop_accepts_one_in_each_turn_for_each_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = 40 * DUPLICATES
    through_all = uvloop.run(turns_until_all_are_in(clients))
    monkeypatch.setattr(accepting, "DUPLICATES", 1)
    through_one = uvloop.run(turns_until_all_are_in(clients))

    # When this fails because one listener does as well, uvloop has changed: duplicates can go.
    assert through_one >= clients - 1
    assert through_all < through_one / 2


async def test_under_asyncio_there_is_one_listener() -> None:
    async with serving() as scene:
        assert [len(server.sockets) for server in scene.server.servers] == [1]


def test_every_duplicate_of_a_listener_is_closed() -> None:
    async def serve() -> Any:
        async with serving() as scene:
            listeners = list(scene.server._listeners)
            assert len(listeners) == DUPLICATES
            await scene.ask(a_head("connection: close"))
        return [listener.fileno() for listener in listeners]

    assert uvloop.run(serve()) == [-1] * DUPLICATES


async def test_a_unix_socket_is_duplicated_too(tmp_path: pathlib.Path) -> None:
    async def serve() -> bytes:
        app, path = App(), str(tmp_path / "socket")
        config = configuration(app, drain=1)
        config.uds = path
        server = HttpServer(config, app, settle_seconds=0, drain_seconds=1)
        task = asyncio.ensure_future(server._serve())
        while not server.started:
            await asyncio.sleep(0.005)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(a_head("connection: close"))
        answered = await reader.read()
        writer.close()
        server.should_exit = True
        await task
        return answered

    answered = await asyncio.to_thread(uvloop.run, serve())

    assert answered.startswith(b"HTTP/1.1 200 OK")


def test_a_signal_before_the_start_ends_it() -> None:
    app = App()
    config = configuration(app)
    server = HttpServer(config, app, settle_seconds=0, drain_seconds=5)

    server.handle_exit(signal.SIGTERM, None)

    assert server.should_exit


def test_the_heap_of_the_start_is_out_of_the_collectors_sight() -> None:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    made: list[int] = []
    try:
        freeze_heap()

        assert gc.get_freeze_count() > frozen
        assert not any(each is made for each in gc.get_objects())
        assert gc.get_threshold()[0] == 50_000
    finally:
        gc.set_threshold(*thresholds)


def test_large_blocks_go_back_to_the_system_where_the_c_library_can_be_told_so() -> None:
    assert return_large_blocks() is (platform.libc_ver()[0] == "glibc")
