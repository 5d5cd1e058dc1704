"""Runs both applications on one port in one event loop until a signal, then drains streams."""

import contextlib
import signal
import socket

import uvloop

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.commons.http.listening import CannotListen, bound_socket
from codex_proapi.commons.http.server import (
    HttpServer,
    configure,
    freeze_heap,
    return_large_blocks,
)
from codex_proapi.commons.http.service import Output, process_output
from codex_proapi.commons.native import NATIVE
from codex_proapi.commons.runtime.line_writer import TextOutput
from codex_proapi.console.app import Console
from codex_proapi.console.app import build as build_console
from codex_proapi.console.auth.loopback_peers import LoopbackPeers
from codex_proapi.gateway.api.paths import owns
from codex_proapi.gateway.app import Gateway
from codex_proapi.gateway.app import build as build_gateway
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS
from codex_proapi.local.environment import Start
from codex_proapi.local.one_port import OnePort
from codex_proapi.local.secret_files import refuse_full_disk
from codex_proapi.local.welcome import goodbye, welcome

_LOOPBACK = "127.0.0.1"


class Together:
    """Drain of both applications."""

    def __init__(self, gateway: Gateway, console: Console, messages: TextOutput) -> None:
        self._messages = messages
        self._gateway = gateway
        self._console = console

    def __repr__(self) -> str:
        return f"<Together {self._gateway!r} {self._console!r}>"

    def begin_drain(self) -> None:
        """Fail `/readyz` and end the console's live streams; answers go on."""
        goodbye(self._messages)
        self._console.begin_drain()
        self._gateway.begin_drain()

    def end_drain(self) -> None:
        """End the remaining streams."""
        self._gateway.end_drain()


def serve(start: Start) -> None:
    """Run until SIGINT or SIGTERM."""
    if start.redis is not None:
        refuse_full_disk(start.data_dir)
    sockets = listen(start.gateway.host, start.gateway.port)
    try:
        with process_output(start.gateway.log_level) as output:
            uvloop.run(serve_on(sockets, start, output))
    finally:
        for each in sockets:
            each.close()


async def serve_on(
    sockets: list[socket.socket], start: Start, output: Output, *, demo: bool = False
) -> None:
    """Like `serve`, on sockets that listen already and within a running loop."""
    end_by_sigterm()
    NATIVE.switch(on=start.gateway.native_code == "on")
    async with contextlib.AsyncExitStack() as stack:
        if start.redis is not None:
            await stack.enter_async_context(start.redis)
        gateway = build_gateway(start.gateway, output=output.log)
        stack.push_async_callback(gateway.close)
        announcements: list[str] = []
        console = build_console(start.console, announce=announcements.append)
        stack.push_async_callback(console.close)
        await gateway.start()
        await console.start()
        if start.redis is not None:  # a store of this machine only
            await default_time_zone(console.parts.live_settings, start.time_zone)
        app = OnePort(
            gateway=gateway.asgi,
            console=console.asgi,
            owns=owns,
            figures=FiguresAccess(start.gateway.metrics_token),
            peers=LoopbackPeers(),
        )
        drain = start.gateway.drain_seconds
        host, port = sockets[0].getsockname()[:2]
        server = HttpServer(
            configure(
                app,
                host=host,
                port=port,
                drain_seconds=drain,
                limits=HTTP_LIMITS,
                fault_body=gateway.fault_body,
                direct=gateway.direct,
            ),
            Together(gateway, console, output.messages),
            settle_seconds=0,
            drain_seconds=drain,
        )
        await welcome(start, output.messages, port=port, demo=demo, announcements=announcements)
        freeze_heap()
        return_large_blocks()
        await server.serve(sockets=sockets)


def end_by_sigterm() -> None:
    """Have SIGTERM end the start as Ctrl-C does: the store that was begun is stopped again.

    The server takes both signals over as soon as it serves.
    """
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))


async def default_time_zone(live_settings: LiveSettingsStore, zone: str) -> None:
    """Count usage by this machine's days unless a zone is set: who is alone expects that."""
    if (await live_settings.read()).time_zone is None:
        await live_settings.change({"time_zone": zone})


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for host and port; on loopback for both addresses of `localhost`."""
    first = bound_socket(host, port)
    if host != _LOOPBACK:
        return [first]
    with contextlib.suppress(OSError, CannotListen):
        return [first, bound_socket("::1", first.getsockname()[1])]
    return [first]
