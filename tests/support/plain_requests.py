"""Requests to a console as its server makes them: what is sent, byte for byte, and how often Redis is asked."""

import asyncio
import contextlib
import gzip
from collections.abc import Iterator
from typing import Any

from redis.asyncio import connection

from codex_proapi.console.app import Console


class Seen:
    """One answer as it was sent."""

    def __init__(self) -> None:
        self.status, self.body = 0, bytearray()
        self.headers: dict[str, str] = {}

    @property
    def plain(self) -> int:
        """Its bytes before compression."""
        return len(self.text.encode())

    @property
    def text(self) -> str:
        """Its content."""
        packed = self.headers.get("content-encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else bytes(self.body)).decode()


async def ask(console: Console, path: str, **headers: str) -> Seen:
    """Ask a console as its server does, without a socket."""
    path, _, query = path.partition("?")
    seen = Seen()
    pairs = {"host": "localhost:1455", "accept-encoding": "gzip", "accept": "text/html", **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 1455),
        "state": {},
    }
    asked, answered = [False], asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not asked[0]:
            asked[0] = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.status = message["status"]
            seen.headers = {n.decode(): value.decode() for n, value in message["headers"]}
        else:
            seen.body += message.get("body", b"")
            if not message.get("more_body"):
                answered.set()

    await console.asgi(scope, receive, send)  # type: ignore[arg-type]
    return seen


@contextlib.contextmanager
def round_trips() -> Iterator[list[int]]:
    """Counts what is sent to Redis: one for each command or pipeline."""
    counted = [0]
    plain = connection.AbstractConnection.send_packed_command

    async def send(self: Any, *args: Any, **kwargs: Any) -> None:
        counted[0] += 1
        await plain(self, *args, **kwargs)

    connection.AbstractConnection.send_packed_command = send  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        connection.AbstractConnection.send_packed_command = plain  # type: ignore[method-assign]
