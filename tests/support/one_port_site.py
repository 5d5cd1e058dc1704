"""Gateway and console on one port against the simulator, as `codex-proapi serve` runs them."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from support.console_scene import FERNET, Scene
from support.served import Served, listening, serving

from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.console.app import build as build_console
from codex_proapi.console.auth.loopback_peers import LoopbackPeers
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.gateway.api.paths import owns
from codex_proapi.gateway.app import build as build_gateway
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.local.one_port import OnePort
from codex_proapi.simulator import Simulator


@contextlib.asynccontextmanager
async def one_port_site(
    redis_url: str, simulator: Simulator, *, announced: list[str] | None = None, **provided: Any
) -> AsyncIterator[Served]:
    """Both services on one port; what the console announces is gathered."""
    listener, base = listening()
    common: dict[str, Any] = {
        "redis_url": redis_url,
        "encryption_keys": (FERNET,),
        "codex_base_url": simulator.base_url,
        "codex_auth_url": simulator.auth_url,
        "api_key_policy": "required",
    }
    said = announced if announced is not None else []
    gateway = build_gateway(GatewaySettings(**common))
    console = build_console(
        ConsoleSettings(**(common | provided)), clock=time.time, announce=said.append
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(gateway.close)
        stack.push_async_callback(console.close)
        await gateway.start()
        await console.start()
        app = OnePort(
            gateway=gateway.asgi,
            console=console.asgi,
            owns=owns,
            figures=FiguresAccess(),
            peers=LoopbackPeers(),
        )
        await stack.enter_async_context(serving(app, listener))
        stack.callback(console.begin_drain)
        yield Served(console, Scene(console.redis, now=time.time()), base)
