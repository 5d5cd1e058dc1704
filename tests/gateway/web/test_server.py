import asyncio
import gc
import signal

from support.listening import App, a_head, serving

from gateway.web.server import GatewayServer, configure, settle_heap


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
