"""Connections that leave HTTP: who is offered it, what the server goes on doing for them."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.listening import App, a_head, serving

from codex_proapi.commons.http.upgrade import (
    UPGRADE,
    UpgradedConnection,
    UpgradeOffer,
    offers_websocket,
)

OFFER = ("connection: Upgrade", "upgrade: WebSocket")


class Echo(UpgradedConnection):
    """Answers with what it gets; busy while `busy`."""

    def __init__(self) -> None:
        super().__init__(stall_seconds=3)
        self.busy = self.left = self.gone = False

    @property
    def waits(self) -> bool:
        return not self.busy

    def received(self, data: bytes) -> None:
        self.transport.write(data)

    def leave(self) -> None:
        self.left = True
        if self.waits:
            self.transport.close()

    def lost(self) -> None:
        self.gone = True


class Upgrading(App):
    """Takes every offer, once it is told to; what is not offered is answered as by `App`."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: list[UpgradeOffer | None] = []
        self.taken: list[Echo] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.refused: list[Exception] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        offer = scope.get("extensions", {}).get(UPGRADE)
        self.offers.append(offer)
        if offer is None or scope["path"] == "/refused":
            return await super().__call__(scope, receive, send)
        await self.may_take.wait()
        echo = Echo()
        try:
            offer.take(echo)
        except ConnectionResetError as error:
            self.refused.append(error)
            return None
        self.taken.append(echo)
        echo.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        return None


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("method", "headers", "offered"),
    [
        (b"GET", [(b"upgrade", b"websocket")], True),
        (b"GET", [(b"host", b"x"), (b"upgrade", b" WebSocket ")], True),
        (b"GET", [(b"upgrade", b"h2c")], False),
        (b"GET", [], False),
        (b"POST", [(b"upgrade", b"websocket")], False),
        (b"GET", [(b"upgrade", b"websocket"), (b"content-length", b"0")], False),
        (b"GET", [(b"transfer-encoding", b"chunked"), (b"upgrade", b"websocket")], False),
    ],
)
def test_only_a_get_without_a_body_that_asks_for_websocket_offers_it(
    method: bytes, headers: list[tuple[bytes, bytes]], offered: bool
) -> None:
    assert offers_websocket(method, headers) is offered


async def test_a_taken_connection_gets_what_came_after_the_head_and_counts_until_it_ends() -> None:
    async with serving(app=Upgrading()) as scene:
        reader, writer = await scene.connect()
        writer.write(a_head(*OFFER) + b"early")
        assert (
            await reader.readuntil(b"\r\n\r\n") == b"earlyHTTP/1.1 101 Switching Protocols\r\n\r\n"
        )
        writer.write(b"late")
        assert await reader.readexactly(4) == b"late"
        assert scene.connections == scene.app.taken
        writer.close()
        await until(lambda: scene.app.taken[0].gone)

        assert scene.connections == []


async def test_a_refused_offer_is_answered_and_the_connection_closed() -> None:
    async with serving(app=Upgrading()) as scene:
        refused = await scene.ask(a_head(*OFFER).replace(b"GET /", b"GET /refused"))
        other = await scene.ask(a_head("connection: Upgrade", "upgrade: h2c"))

        assert scene.app.taken == []
        assert scene.app.offers[1] is None
    for answer in (refused, other):
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"connection: close" in answer


async def test_http_1_0_offers_nothing() -> None:
    async with serving(app=Upgrading()) as scene:
        answer = await scene.ask(a_head(*OFFER).replace(b"HTTP/1.1", b"HTTP/1.0"))

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert scene.app.offers == [None]


async def test_an_offer_of_a_client_that_has_left_cannot_be_taken() -> None:
    async with serving(app=Upgrading()) as scene:
        scene.app.may_take.clear()
        _, writer = await scene.connect()
        writer.write(a_head(*OFFER))
        await until(lambda: scene.app.offers)
        scene.connections[0].transport.abort()
        await until(lambda: not scene.connections)
        scene.app.may_take.set()
        await until(lambda: scene.app.refused)

        assert scene.app.taken == []
        writer.close()


async def test_an_offer_of_a_client_that_is_just_leaving_is_no_fault_of_the_application() -> None:
    async with serving(app=Upgrading()) as scene:
        scene.app.may_take.clear()
        _, writer = await scene.connect()
        writer.write(a_head(*OFFER))
        await until(lambda: scene.app.offers)
        with capture_logs() as lines:
            scene.app.may_take.set()  # the application goes on before it hears of the end
            scene.connections[0].transport.abort()
            await until(lambda: not scene.connections and scene.app.refused)
            writer.close()

    assert scene.app.taken == []
    assert [line["event"] for line in lines if line["log_level"] == "error"] == []


async def test_a_drain_asks_upgraded_connections_to_leave_and_waits_for_the_busy() -> None:
    async with serving(app=Upgrading()) as scene:
        streams = [await scene.connect() for _ in range(2)]
        for reader, writer in streams:
            writer.write(a_head(*OFFER))
            await reader.readuntil(b"\r\n\r\n")
        busy, idle = scene.app.taken
        busy.busy = True
        scene.server.drain(0.0)
        await until(lambda: idle.gone)

        assert busy.left
        assert not busy.gone
        assert not scene.serving.done()
        busy.transport.close()
        await asyncio.wait_for(scene.serving, 60)
        for _, writer in streams:
            writer.close()


async def test_a_client_that_reads_nothing_is_cut_off_and_not_read_meanwhile() -> None:
    async with serving(app=Upgrading()) as scene:
        reader, writer = await scene.connect()
        writer.write(a_head(*OFFER))
        await reader.readuntil(b"\r\n\r\n")
        [echo] = scene.app.taken
        writer.transport.pause_reading()
        echo.transport.write(b"x" * 30_000_000)
        await until(lambda: echo.full)
        waiting = asyncio.ensure_future(echo.drained())
        await asyncio.sleep(0)
        assert not waiting.done()

        scene.sweep(60)
        await until(lambda: echo.gone)
        await asyncio.wait_for(waiting, 60)
        writer.close()


async def test_an_upgraded_connection_tells_how_long_nothing_was_under_way() -> None:
    async with serving(app=Upgrading()) as scene:
        reader, writer = await scene.connect()
        writer.write(a_head(*OFFER))
        await reader.readuntil(b"\r\n\r\n")
        [echo] = scene.app.taken
        scene.sweep(5)
        assert echo.waited >= 5
        echo.busy = True
        scene.sweep(1)

        assert echo.waited == 0
        writer.close()
