"""`python -m console`: settings from the environment, then serve until a signal."""

import os
import sys

import uvloop

from commons.errors import SettingsError
from commons.logs import configure as configure_logs
from commons.settings import from_environ
from console.app import build
from console.settings import ConsoleSettings
from console.web.server import ConsoleServer, configure


async def serve(settings: ConsoleSettings) -> None:
    """Run one replica until it is told to stop."""
    console = build(settings)
    try:
        await console.start()
        config = configure(console.asgi, host=settings.host, port=settings.port)
        await ConsoleServer(config, stop=console.stop_streams).serve()
    finally:
        await console.close()


def main() -> None:
    """Start, or say on one page everything that is wrong with the environment."""
    try:
        settings = from_environ(ConsoleSettings, os.environ)
    except SettingsError as error:
        sys.stderr.write(f"The console cannot start:\n{error}\n")
        sys.exit(2)
    configure_logs(settings.log_level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
