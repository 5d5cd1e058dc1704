"""`python -m codex_proapi.console`: settings from the environment, then serve until a signal."""

import os
import sys

import uvloop

from codex_proapi.commons.runtime.errors import SettingsError, StoreRefused
from codex_proapi.commons.runtime.logging import configure as configure_logs
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.app import build
from codex_proapi.console.server.uvicorn_server import ConsoleServer, configure
from codex_proapi.console.settings import ConsoleSettings


async def serve(settings: ConsoleSettings) -> None:
    """Run one replica until SIGINT or SIGTERM."""
    console = build(settings)
    try:
        await console.start()
        config = configure(console.asgi, host=settings.host, port=settings.port)
        await ConsoleServer(config, stop=console.stop_streams).serve()
    finally:
        await console.close()


def main() -> None:
    """Start; on wrong settings, print every fault and exit."""
    try:
        settings = from_environ(ConsoleSettings, os.environ)
    except SettingsError as error:
        sys.stderr.write(f"The console cannot start:\n{error}\n")
        sys.exit(2)
    configure_logs(settings.log_level)
    try:
        uvloop.run(serve(settings))
    except StoreRefused as error:
        sys.stderr.write(f"The console cannot start:\n{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
