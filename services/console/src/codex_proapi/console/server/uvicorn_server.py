"""uvicorn for the console: limits on request heads, a shutdown that streams do not delay."""

from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn
from litestar.types import ASGIApp

HEAD_BYTES = 32 * 1024
"""Size of a request's head: line and headers."""
KEEP_ALIVE_SECONDS = 75
"""Idle time of a connection between requests."""
CLOSE_SECONDS = 5
"""How long requests under way may take after a signal."""
MOST_AT_ONCE = 1_000
"""Connections and tasks; one more is answered 503 at once."""


def configure(app: ASGIApp, *, host: str, port: int) -> uvicorn.Config:
    """Configuration of uvicorn. Proxy headers are handled by `server.middleware`."""
    return uvicorn.Config(
        cast("Any", app),
        host=host,
        port=port,
        http="h11",  # it limits a head's size, which httptools does not
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws="none",
        lifespan="off",
        loop="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )


class ConsoleServer(uvicorn.Server):
    """A server that ends the console's streams on a signal before uvicorn waits for responses.

    uvicorn waits for open responses first, and live streams never end by themselves: without this
    every shutdown was seen to last as long as the longest of them.
    """

    def __init__(self, config: uvicorn.Config, *, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop

    def __repr__(self) -> str:
        return f"<ConsoleServer on {self.config.host}:{self.config.port}>"

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams, then uvicorn; a second signal ends it at once.

        uvicorn's own handler raises the signal again after serving, which would end the process
        before the console has closed its connections.
        """
        del sig, frame
        self._stop()
        self.force_exit = self.should_exit
        self.should_exit = True
