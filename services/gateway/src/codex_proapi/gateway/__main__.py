"""`python -m codex_proapi.gateway`: settings from the environment, then serve until a signal."""

import os

from codex_proapi.commons.http.server import (
    HttpServer,
    configure,
    freeze_heap,
    return_large_blocks,
)
from codex_proapi.commons.http.service import Output, run_service
from codex_proapi.gateway.app import build
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS
from codex_proapi.gateway.settings import GatewaySettings


async def serve(settings: GatewaySettings, output: Output) -> None:
    """Run one replica until it is told to stop and its streams have ended."""
    return_large_blocks()
    gateway = build(settings, output=output.log)
    try:
        await gateway.start()
        drain = settings.drain_seconds
        config = configure(
            gateway.asgi,
            host=settings.host,
            port=settings.port,
            drain_seconds=drain,
            limits=HTTP_LIMITS,
            fault_body=gateway.fault_body,
            direct=gateway.direct,
        )
        server = HttpServer(
            config, gateway, settle_seconds=settings.drain_settle_seconds, drain_seconds=drain
        )
        freeze_heap()
        await server.serve()
    finally:
        await gateway.close()


def main() -> None:
    """Start; on wrong settings, print every fault and exit."""
    run_service("gateway", GatewaySettings, serve, environ=os.environ)


if __name__ == "__main__":
    main()
