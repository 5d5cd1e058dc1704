"""`python -m codex_proapi.gateway`: settings from the environment, then serve until a signal."""

import os
import socket
import sys

import uvloop

from codex_proapi.commons.runtime.errors import SettingsError, StoreRefused
from codex_proapi.commons.runtime.logging import configure as configure_logs
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.gateway.app import build
from codex_proapi.gateway.server.uvicorn_server import GatewayServer, configure, settle_heap
from codex_proapi.gateway.settings import GatewaySettings


async def serve(settings: GatewaySettings, sockets: list[socket.socket] | None = None) -> None:
    """Run one replica until it is told to stop and its streams have ended."""
    gateway = build(settings)
    try:
        await gateway.start()
        drain = settings.drain_seconds
        config = configure(
            gateway.asgi,
            host=settings.host,
            port=settings.port,
            drain_seconds=drain,
            fault_body=gateway.fault_body,
        )
        server = GatewayServer(
            config, gateway, settle_seconds=settings.drain_settle_seconds, drain_seconds=drain
        )
        settle_heap()
        await server.serve(sockets=sockets)
    finally:
        await gateway.close()


def main() -> None:
    """Start, or say on one page everything that is wrong with the environment."""
    try:
        settings = from_environ(GatewaySettings, os.environ)
    except SettingsError as error:
        sys.stderr.write(f"The gateway cannot start:\n{error}\n")
        sys.exit(2)
    configure_logs(settings.log_level)
    try:
        uvloop.run(serve(settings))
    except StoreRefused as error:
        sys.stderr.write(f"The gateway cannot start:\n{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
