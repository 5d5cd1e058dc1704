"""The sink of one turn: its answer as frames on a client's connection."""

from collections.abc import Sequence

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.server.error_response import error_headers
from codex_proapi.gateway.websocket.connection import WebSocketConnection
from codex_proapi.gateway.websocket.event_frames import EventFrames, error_frame


class WebSocketSink:
    """A `Sink`: events go out as frames, a refusal as an error's frame; there is no head to send."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self.frames = EventFrames()

    def __repr__(self) -> str:
        return f"<WebSocketSink {self.frames!r}>"

    async def start(
        self, status: int, headers: Sequence[Header], more: Sequence[Header] = ()
    ) -> None:
        """Nothing: the connection's head went out with its upgrade."""

    async def write(self, data: bytes) -> None:
        """Send the events of a piece; returns when the client's connection takes more."""
        self._connection.send(self.frames.feed(data))
        if self._connection.full:
            await self._connection.drained()

    async def end(self, data: bytes = b"") -> None:
        """Send the last events."""
        await self.write(data)

    async def fail(self, error: GatewayError, headers: Sequence[Header] = ()) -> None:
        """Send a refusal."""
        if not self.frames.ended:
            self.frames.ended = True
            self._connection.send([error_frame(error, [*headers, *error_headers(error)])])

    async def fail_started(self, error: GatewayError) -> None:
        """Send a refusal; answers in one piece are not asked for here."""
        await self.fail(error)
