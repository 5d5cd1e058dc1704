"""Consoles behind real sockets on loopback, for browsers."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from support.console_scene import FERNET, Scene
from support.consoles import console_settings
from support.free_ports import loopback_listener

from codex_proapi.commons.http.server import configure
from codex_proapi.console.app import Console, build
from codex_proapi.console.server.http_limits import HTTP_LIMITS, fault_body


class Served:
    """One console, its address and its scene."""

    def __init__(self, console: Console, scene: Scene, base: str) -> None:
        self.console, self.scene, self.base = console, scene, base


@contextlib.asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[uvicorn.Server]:
    """An ASGI app on a listening socket, served in this loop."""
    config = configure(
        app,
        host="127.0.0.1",
        port=0,
        drain_seconds=5,
        limits=HTTP_LIMITS,
        fault_body=fault_body,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield server
    finally:
        server.should_exit = True
        await task


def listening() -> tuple[socket.socket, str]:
    """A free port of this machine, and its address as a browser writes it."""
    listener = loopback_listener()
    return listener, f"http://localhost:{listener.getsockname()[1]}"


@contextlib.asynccontextmanager
async def served(
    redis_url: str,
    *,
    empty: bool = False,
    at: tuple[socket.socket, str] | None = None,
    **provided: Any,
) -> AsyncIterator[Served]:
    """A console on loopback, with data unless it is to be empty."""
    listener, base = at or listening()
    settings = console_settings(redis_url, **{"encryption_keys": (FERNET,), **provided})
    console = build(settings, clock=time.time, announce=lambda _line: None)
    scene = Scene(console.redis, now=time.time())
    try:
        if not empty:
            await scene.fill()
        await console.start()
        async with serving(console.asgi, listener):
            try:
                yield Served(console, scene, base)
            finally:
                console.begin_drain()
    finally:
        listener.close()
        await console.close()
