"""`python -m codex_proapi.console`: settings from the environment, then serve until a signal."""

import os

from codex_proapi.commons.http.server import HttpServer, configure, freeze_heap
from codex_proapi.commons.http.service import Output, run_service
from codex_proapi.console.app import build
from codex_proapi.console.server.http_limits import DRAIN_SECONDS, HTTP_LIMITS, fault_body
from codex_proapi.console.settings import ConsoleSettings


async def serve(settings: ConsoleSettings, output: Output) -> None:
    """Run one replica until SIGINT or SIGTERM."""
    console = build(settings, announce=output.announce)
    try:
        await console.start()
        config = configure(
            console.asgi,
            host=settings.host,
            port=settings.port,
            drain_seconds=DRAIN_SECONDS,
            limits=HTTP_LIMITS,
            fault_body=fault_body,
        )
        server = HttpServer(config, console, settle_seconds=0, drain_seconds=DRAIN_SECONDS)
        freeze_heap()
        await server.serve()
    finally:
        await console.close()


def main() -> None:
    """Start; on wrong settings, print every fault and exit."""
    run_service("console", ConsoleSettings, serve, environ=os.environ)


if __name__ == "__main__":
    main()
