"""Both ends of the ASGI protocol for tests without sockets."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Sent:
    """What an application has sent."""

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []

    async def __call__(self, message: Mapping[str, Any]) -> None:
        self.messages.append(dict(message))

    @property
    def status(self) -> int:
        [start] = [m for m in self.messages if m["type"] == "http.response.start"]
        return int(start["status"])

    @property
    def headers(self) -> dict[str, str]:
        [start] = [m for m in self.messages if m["type"] == "http.response.start"]
        return {name.decode(): value.decode() for name, value in start["headers"]}

    @property
    def bodies(self) -> list[bytes]:
        return [m["body"] for m in self.messages if m["type"] == "http.response.body"]

    @property
    def body(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def ended(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", True)

    @property
    def error(self) -> Any:
        return msgspec.json.decode(self.body)["error"]


class Received:
    """What a client sends, message by message; then it waits for ever, or hangs up."""

    def __init__(self, *pieces: bytes, gone: bool = False) -> None:
        last = len(pieces) - 1
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": gone or i < last}
            for i, piece in enumerate(pieces)
        ]
        if gone:
            self._messages.append({"type": "http.disconnect"})

    async def __call__(self) -> dict[str, Any]:
        return self._messages.pop(0)


def a_scope(
    path: str = "/",
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    query: bytes = b"",
) -> dict[str, Any]:
    """The scope of a request as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "state": {},
    }
