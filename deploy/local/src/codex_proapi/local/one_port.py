"""Serves gateway and console on one port: the gateway's paths go to it, all else to the console.

Health, readiness and metrics combine both. Each application handles its own errors, as when they
run apart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.console.auth.loopback_peers import LoopbackPeers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
"""As loosely typed as both frameworks need it."""

_OK = 200
_UNREADY = 503
_PASSED_ON = frozenset({b"host", b"authorization"})
"""Headers that both get; those that ask for another form of the answer stay outside."""
_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class OnePort:
    """ASGI application that routes to both.

    Args:
        gateway: The gateway's application.
        console: The console's.
        owns: Whether a path is the gateway's.
        figures: Who may see `/metrics`.
        peers: Knows connections of other users of this machine, who need the token for that.
    """

    def __init__(
        self,
        *,
        gateway: ASGIApp,
        console: ASGIApp,
        owns: Callable[[str], bool],
        figures: FiguresAccess,
        peers: LoopbackPeers,
    ) -> None:
        self._gateway = gateway
        self._console = console
        self._owns = owns
        self._figures = figures
        self._peers = peers

    def __repr__(self) -> str:
        return "<OnePort>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request to the application that serves its path."""
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served here")
        merged = _MERGED.get(scope["path"].rstrip("/"))
        if merged is OnePort.metrics and not self._shows_figures(scope):
            # The gateway answers where metrics are hidden, as it does from outside.
            scope = {**scope, "headers": [*scope["headers"], (b"forwarded", b"for=unknown")]}
            merged = None
        if merged is not None and scope["method"] in ("GET", "HEAD"):
            return await _answer(send, *await merged(self, scope))
        return await (self._gateway if self._owns(scope["path"]) else self._console)(
            scope, receive, send
        )

    def _shows_figures(self, scope: Scope) -> bool:
        if not self._figures.allows(scope["headers"]):
            return False
        foreign = self._peers.is_foreign(scope.get("client"), scope.get("server"))
        return self._figures.asks or not foreign

    async def health(self, _: Scope) -> tuple[int, bytes, bytes]:
        """Liveness of the process."""
        body = msgspec.json.encode({"status": "ok", "service": "standalone"})
        return _OK, b"application/json", body

    async def readiness(self, scope: Scope) -> tuple[int, bytes, bytes]:
        """Ready when both applications are."""
        statuses = [status for status, _ in await self._ask_both(scope)]
        ready = all(status == _OK for status in statuses)
        told = {
            "status": "ok" if ready else "unready",
            "service": "standalone",
            "gateway": statuses[0] == _OK,
            "console": statuses[1] == _OK,
        }
        return _OK if ready else _UNREADY, b"application/json", msgspec.json.encode(told)

    async def metrics(self, scope: Scope) -> tuple[int, bytes, bytes]:
        """The series of both; those of the process appear once."""
        bodies = [body for _, body in await self._ask_both(scope)]
        return _OK, _METRICS_TYPE, merge_expositions(bodies)

    async def _ask_both(self, scope: Scope) -> list[tuple[int, bytes]]:
        return list(await asyncio.gather(_ask(self._gateway, scope), _ask(self._console, scope)))


_MERGED: dict[str, Callable[[OnePort, Scope], Awaitable[tuple[int, bytes, bytes]]]] = {
    "/health": OnePort.health,
    "/readyz": OnePort.readiness,
    "/metrics": OnePort.metrics,
}


def merge_expositions(bodies: Iterable[bytes]) -> bytes:
    """Concatenate Prometheus expositions, keeping each metric family once."""
    merged: dict[bytes, list[bytes]] = {}
    for body in bodies:
        family, taken = b"", True
        mine: set[bytes] = set()
        for line in body.splitlines():
            if line.startswith((b"# HELP ", b"# TYPE ")):
                family = line.split(b" ", 3)[2]
                taken = family not in merged or family in mine
                if taken:
                    mine.add(family)
            if taken and line and line != b"# EOF":
                merged.setdefault(family, []).append(line)
    return b"\n".join(line for lines in merged.values() for line in lines) + b"\n"


async def _ask(app: ASGIApp, scope: Scope) -> tuple[int, bytes]:
    """Status and body of a GET to an application within the process."""
    status, body = 500, bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    headers = [(name, value) for name, value in scope["headers"] if name in _PASSED_ON]
    await app({**scope, "method": "GET", "headers": headers, "state": {}}, receive, send)
    return status, bytes(body)


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
