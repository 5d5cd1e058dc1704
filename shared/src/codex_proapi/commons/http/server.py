"""The server of both services: uvicorn with connections of our own, a sweep of its connections and a drain.

A drain: `/readyz` fails, listening ends, responses under way may finish until the drain time is
over, then the application ends them.
"""

import asyncio
import ctypes
import gc
import signal
import socket
import sys
from types import FrameType
from typing import Any, Final, Protocol, cast

import uvicorn
from uvicorn.config import Config

from codex_proapi.commons.http.accepting import accept_waiting, duplicated
from codex_proapi.commons.http.connection.protocol import (
    DirectHandler,
    no_direct_handler,
    protocol_with,
)
from codex_proapi.commons.http.connection.sweep import due
from codex_proapi.commons.http.limits import FaultBody, HttpLimits
from codex_proapi.commons.http.listening import bound_socket
from codex_proapi.commons.http.upgrade import ServerConnection

LAST_WORDS_SECONDS: Final = 5
"""Time for the error events after the drain, before connections are cut."""
BACKLOG: Final = 2048
"""Connections that may wait to be accepted, of each listening socket."""
LARGE_BLOCK_BYTES: Final = 1024 * 1024
"""Bytes from which a block of memory goes back to the system once it is free."""
_MMAP_THRESHOLD: Final = -3
"""glibc's number of that setting (M_MMAP_THRESHOLD, mallopt(3))."""


class Drainable(Protocol):
    """The application, as the server drains it."""

    def begin_drain(self) -> None:
        """Have `/readyz` fail; requests are still served."""

    def end_drain(self) -> None:
        """End the responses still under way."""


class HttpServer(uvicorn.Server):
    """A server that checks its connections once a second and drains at a signal.

    Args:
        config: made by `configure`.
        drainable: the application.
        settle_seconds: how long it goes on accepting after SIGTERM, until load balancers have
            noticed that `/readyz` fails; SIGINT does not wait.
        drain_seconds: how long responses under way may take after that.
    """

    def __init__(
        self, config: Config, drainable: Drainable, *, settle_seconds: float, drain_seconds: float
    ) -> None:
        super().__init__(config)
        self._drainable = drainable
        self._settle_seconds = settle_seconds
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain_began = False
        self._listeners: list[socket.socket] = []
        self._deadline: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<HttpServer draining={self._drain_began} exiting={self.should_exit}>"

    @property
    def connections(self) -> list[ServerConnection]:
        """The open connections of clients, those that were upgraded among them."""
        return cast("list[ServerConnection]", list(self.server_state.connections))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop for the signal handler, then listen; CannotListen if that cannot be."""
        self._loop = asyncio.get_running_loop()
        listening = sockets or [self._bound()]
        self._listeners = duplicated(listening, self._loop)
        if not sockets:
            listening[0].close()
        await super().startup(self._listeners)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; stop at once at the second.

        uvicorn's own handler raises the signal again after serving, which would end the process
        before the application has closed its connections.
        """
        del frame
        if self._loop is None or self._drain_began:
            self.force_exit = self._drain_began
            self.should_exit = True
            return
        self._drain_began = True
        settle = 0.0 if sig == signal.SIGINT else self._settle_seconds
        self._loop.call_soon_threadsafe(self.drain, settle)

    def drain(self, settle_seconds: float) -> None:
        """Begin to stop: `/readyz` fails at once, listening ends after `settle_seconds`."""
        self._drain_began = True
        self._drainable.begin_drain()
        for connection in self.connections:
            connection.leave()
        loop = asyncio.get_running_loop()
        loop.call_later(settle_seconds, self._stop_accepting)
        self._deadline = loop.call_later(
            settle_seconds + self._drain_seconds, self._drainable.end_drain
        )

    async def on_tick(self, counter: int) -> bool:
        """Sweep each connection once a second, a tenth of them at each of uvicorn's ticks."""
        for connection in due(self.connections, counter):
            connection.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the responses, then cancel the deadline that would have ended them."""
        await accept_waiting([each for server in self.servers for each in server.sockets])
        await super().shutdown([*(sockets or []), *self._listeners])
        if self._deadline is not None:
            self._deadline.cancel()

    def _bound(self) -> socket.socket:
        if self.config.uds:
            return self.config.bind_socket()
        return bound_socket(self.config.host, self.config.port)

    def _stop_accepting(self) -> None:
        self.should_exit = True


def freeze_heap() -> None:
    """Take what the start has made out of the garbage collector's sight, and let it run seldom.

    With 2000 streams a full collection stops the loop for 25 ms, half of it for the start-up heap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)


def return_large_blocks() -> bool:
    """Have the C library give blocks of LARGE_BLOCK_BYTES and more back to the system once they are free.

    glibc keeps blocks of up to 32 MiB for itself once it has freed one as large: after six bodies of
    60 MiB a process that was idle again was seen to stay 110 MiB larger. False where the C library
    has no such setting, as musl's and those of other systems than Linux.
    """
    setting = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return bool(setting and setting(_MMAP_THRESHOLD, LARGE_BLOCK_BYTES))


def configure(
    app: Any,
    *,
    host: str,
    port: int,
    drain_seconds: float,
    limits: HttpLimits,
    fault_body: FaultBody,
    direct: DirectHandler = no_direct_handler,
) -> Config:
    """Settings of uvicorn.

    Args:
        app: an ASGI application; of any framework, whose types differ.
        host: the address to listen on.
        port: the port to listen on.
        drain_seconds: how long responses under way may take after a signal.
        limits: limits of each connection.
        fault_body: makes the JSON body of the server's own errors.
        direct: answers the requests that do not go through the application.
    """
    return Config(
        app,
        host=host,
        port=port,
        http=protocol_with(limits, fault_body, direct),
        ws="none",
        lifespan="off",
        loop="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(drain_seconds) + LAST_WORDS_SECONDS,
    )
