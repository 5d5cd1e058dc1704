"""A response over WebSocket that has reached the commit point."""

from collections.abc import Callable, Mapping

from codex_proapi.gateway.upstream.http_response import ConnectionLost
from codex_proapi.gateway.upstream.transport import PushingStream, Receiver, broke_off
from codex_proapi.gateway.upstream.websocket.socket import UpstreamSocket


class SocketStream(PushingStream):
    """The stream of one request; a `ResponseStream`.

    Args:
        socket: receives it.
        held: the bytes up to the commit point.
        ended: called once with how it ended: `whole`, `lost` or `left`.
    """

    __slots__ = ("_ended", "_receiver", "_socket", "headers", "held", "way")

    transport = "websocket"

    def __init__(self, socket: UpstreamSocket, held: bytes, ended: Callable[[str], None]) -> None:
        self._socket: UpstreamSocket | None = socket
        self._receiver: Receiver | None = None
        self._ended = ended
        self.held = held
        self.headers: Mapping[str, str] = socket.headers
        self.way = ""
        """Why WebSocket, and how: for the log."""

    def __repr__(self) -> str:
        return f"<SocketStream with {len(self.held)} bytes held>"

    async def read(self) -> bytes:
        """All bytes received since the last call; b"" at the end. Raises Truncated if it breaks."""
        if self._socket is None:
            return b""
        try:
            return await self._socket.read()
        except ConnectionLost as error:
            self._done("lost")
            raise broke_off(error) from error

    def push_to(self, receiver: Receiver) -> None:
        """Give everything from now on to the receiver, at once what has come already."""
        if self._socket is None:
            receiver.ended(None)
            return
        self._receiver = receiver
        self._socket.push_to(self)

    def received(self, data: bytes) -> bool:
        """Pass on what the socket has received."""
        return self._receiver is None or self._receiver.received(data)

    def ended(self, error: Exception | None) -> None:
        """Pass on the end; a break is noted before."""
        receiver, self._receiver = self._receiver, None
        if isinstance(error, ConnectionLost):
            self._done("lost")
        if receiver is not None:
            receiver.ended(error)

    def resume(self) -> None:
        """Go on after the receiver has paused the stream."""
        if self._socket is not None:
            self._socket.resume()

    def close(self) -> None:
        """Give the socket back if its answer has ended, else end it; may be called repeatedly."""
        if self._socket is not None:
            self._done("whole" if self._socket.events.ended else "left")

    def release(self) -> None:
        """The answer is whole for its client: give the socket back, or end it if upstream goes on."""
        self.close()

    def _done(self, how: str) -> None:
        """Tell how it ended, once: a socket that is ended for a stream that was left is lost, too."""
        if self._socket is not None:
            self._socket = None
            self._ended(how)
