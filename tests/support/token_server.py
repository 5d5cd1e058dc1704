"""A small authorization server on loopback whose every answer a test decides.

Refresh tokens are single use, as at the real one: a token used twice is `refresh_token_reused`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from support.logins import an_access_token

Answer = Callable[[dict[str, Any]], Awaitable[web.StreamResponse | None]]

REUSED = {
    "error": {
        "message": "Your refresh token has already been used to generate a new access token. "
        "Please try signing in again.",
        "type": "invalid_request_error",
        "param": None,
        "code": "refresh_token_reused",
    }
}


class TokenServer:
    """Listens on a port of its own; `calls` has every request that reached it."""

    def __init__(self, *, exp: int) -> None:
        self.exp = exp
        """When the tokens it issues end."""
        self.calls: list[dict[str, Any]] = []
        """Path and fields of each request, in order."""
        self.script: list[Answer] = []
        """Answers to give first, before the usual ones."""
        self.gate = asyncio.Event()
        """While clear, answers wait; set at first."""
        self.gate.set()
        self.arrived = asyncio.Event()
        """Set when a request arrives."""
        self.url = ""
        self._used: set[str] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.gate.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        json = request.content_type == "application/json"
        fields = dict(await request.json() if json else await request.post())
        self.calls.append({"path": request.path, **fields})
        self.arrived.set()
        if self.script:
            answer = await self.script.pop(0)(fields)
            if answer is None:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            return answer
        await self.gate.wait()
        if request.transport is None:  # the client died before its token was taken
            return web.Response()
        return self.refresh(fields)

    def refresh(self, fields: dict[str, Any]) -> web.StreamResponse:
        """Rotate a refresh token."""
        token = fields["refresh_token"]
        if token in self._used:
            return web.json_response(REUSED, status=401)
        self._used.add(token)
        mark = f"{len(self._used)}"
        return web.json_response(
            {
                "access_token": an_access_token(exp=self.exp, mark=mark),
                "refresh_token": f"rt_after_{token}",
                "id_token": an_access_token(exp=self.exp),
                "expires_in": 864_000,
            }
        )


def says(body: Any, *, status: int = 200, **headers: str) -> Answer:
    """An answer with this body."""

    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answer


async def hangs_up(_: dict[str, Any]) -> None:
    """No answer: the connection ends."""
