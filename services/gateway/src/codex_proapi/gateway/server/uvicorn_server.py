"""uvicorn with deadlines for connections, and a drain in which running streams may finish.

Connections are checked once a second. At the end of the drain `app.Gateway` ends what still runs.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import struct
import sys
from types import FrameType
from typing import Protocol, cast

import uvicorn
from uvicorn.config import Config

from codex_proapi.gateway.server.asgi import ASGIApp
from codex_proapi.gateway.server.http_protocol import (
    KEEP_ALIVE_SECONDS,
    FaultBody,
    HttpProtocol,
    with_fault_body,
)

LET_IN_SECONDS = 5
"""How long connections that wait to be accepted are accepted before the sockets are closed."""
DOORS = 8
"""How often each listening socket is listened on under uvloop.

uvloop accepts one connection in each turn of its loop for each socket it listens on, asyncio as
many as there are. While 800 streams saturated a process, half of 500 new clients waited 0.3 to
1.0 s with one door, 0.04 to 0.27 s with eight, and no less with sixteen. A door costs 4 µs for
each new connection, which costs 200 µs anyway, and one file descriptor.
"""
UNACCEPTED = struct.Struct("=24xI")
"""Where Linux' tcp_info tells of a listening socket how many wait to be accepted."""
LAST_WORDS_SECONDS = 5
"""Time for the error events after the drain, before connections are cut."""


class Drainable(Protocol):
    """The application, as the server drains it."""

    def begin_drain(self) -> None:
        """Have `/readyz` fail; requests are still served."""

    def end_drain(self) -> None:
        """End the exchanges still in flight with an error."""


class GatewayServer(uvicorn.Server):
    """A server with a drain: `/readyz` fails, listening ends, streams finish or are ended."""

    def __init__(
        self, config: Config, drainable: Drainable, *, settle_seconds: float, drain_seconds: float
    ) -> None:
        super().__init__(config)
        self._drainable = drainable
        self._settle_seconds = settle_seconds
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain_began = False
        self._doors: list[socket.socket] = []
        self._deadline: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<GatewayServer draining={self._drain_began} exiting={self.should_exit}>"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop for the signal handler, then listen, through many doors."""
        self._loop = asyncio.get_running_loop()
        listening = sockets or [self.config.bind_socket()]
        doors = DOORS if type(self._loop).__module__.startswith("uvloop") else 1
        self._doors = [each.dup() for each in listening for _ in range(doors)]
        if not sockets:
            listening[0].close()
        await super().startup(self._doors)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; stop at once at the second."""
        del frame
        if self._loop is None or self._drain_began:
            self.force_exit = self._drain_began
            self.should_exit = True
            return
        self._drain_began = True
        settle = 0.0 if sig == signal.SIGINT else self._settle_seconds
        self._loop.call_soon_threadsafe(self.drain, settle)

    def drain(self, settle_seconds: float) -> None:
        """Begin to stop: `/readyz` says no at once, listening ends after the settling time."""
        self._drain_began = True
        self._drainable.begin_drain()
        for connection in list(self.server_state.connections):
            cast("HttpProtocol", connection).leave()
        loop = asyncio.get_running_loop()
        loop.call_later(settle_seconds, self._stop_accepting)
        self._deadline = loop.call_later(
            settle_seconds + self._drain_seconds, self._drainable.end_drain
        )

    async def on_tick(self, counter: int) -> bool:
        """Sweep the connections once a second."""
        if counter % 10 == 0:
            for connection in list(self.server_state.connections):
                cast("HttpProtocol", connection).sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the streams, then forget the deadline that would have ended them."""
        await self._let_in()
        await super().shutdown([*(sockets or []), *self._doors])
        if self._deadline is not None:
            self._deadline.cancel()

    def _stop_accepting(self) -> None:
        self.should_exit = True

    async def _let_in(self) -> None:
        """Accept connections that already wait; closing the socket would reset them unanswered."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LET_IN_SECONDS
        with contextlib.ExitStack() as stack:
            doors = [each.dup() for server in self.servers for each in server.sockets]
            for listener in doors:
                stack.callback(listener.close)
            # One turn of the loop accepts what has come; there is no event to wait for.
            while any(map(waiting_at, doors)) and loop.time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0)


def waiting_at(listener: socket.socket) -> int:
    """How many connections nobody has accepted yet; 0 where the system does not tell."""
    if listener.family not in {socket.AF_INET, socket.AF_INET6} or sys.platform != "linux":
        return 0
    facts = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, UNACCEPTED.size)
    waiting: int = UNACCEPTED.unpack(facts)[0]
    return waiting


def settle_heap() -> None:
    """Take what the start has made out of the collector's sight, and let it run seldom.

    With 2000 streams a full collection stops the loop for 25 ms, half of it for the start-up heap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)


def configure(
    app: ASGIApp, *, host: str, port: int, drain_seconds: float, fault_body: FaultBody
) -> Config:
    """Settings of uvicorn for the gateway, alone or on one port with the console."""
    return Config(
        app,
        host=host,
        port=port,
        http=with_fault_body(fault_body),
        ws="none",
        lifespan="off",
        loop="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(drain_seconds) + LAST_WORDS_SECONDS,
    )
