"""The WebSocket transport: a socket for each request where it may carry it, else a POST.

Nothing of a request is lost to WebSocket: until its frame is written a fault makes it a POST. After
that it is asked for again only if the backend has not begun to work on it (`response.created`), for
each beginning costs quota.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from codex_proapi.commons.connections.dialer import Dialer, Unreachable
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.proxy.address import Proxy
from codex_proapi.gateway.errors import UpstreamFault
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.connection_figures import ConnectionFigures
from codex_proapi.gateway.metrics.transport_figures import TransportFigures
from codex_proapi.gateway.policy.transport_faults import (
    CONNECTION_LOST,
    SOCKET_BROKEN,
    SOCKET_LOST,
)
from codex_proapi.gateway.upstream.http_response import ConnectionLost
from codex_proapi.gateway.upstream.http_transport import refusal_of_fault, until_commit
from codex_proapi.gateway.upstream.transport import (
    PreparedRequest,
    ResponseStream,
    SilenceBudget,
    Transport,
    broke_off,
)
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.frames import create_frame, handshake_headers
from codex_proapi.gateway.upstream.websocket.socket import UpgradeFailed, UpstreamSocket

UPGRADE_SECONDS: Final = 10.0
"""Seconds for a connection and its handshake; then the request goes by POST."""
FIRST_EVENT_SECONDS: Final = 30.0
"""Seconds without any event but keepalives after which a socket counts as silent: `response.created`
comes within half a second, and the backend was seen to say nothing for ever where it lost a request."""
MOST_MESSAGE_BYTES: Final = 15 * 1024 * 1024
"""Bytes from which a request goes by POST: the backend closes a connection for more than some 16 MiB."""
LIMIT_HEADER: Final = "x-codex-websocket-max-message-bytes"
TOO_BIG: Final = 1009
"""Close code for a message that is too long."""
_MODEL: Final = re.compile(rb'\{"model":"([^"\\]{1,128})"')
_PICTURES: Final = b'"type":"image_generation"'
"""In a request whose answer may hold a picture: too large for frames."""
_MOVED: Final = frozenset({"websocket_connection_limit_reached", "previous_response_not_found"})
"""Refusals that are about the connection alone."""


class SocketStream:
    """A response over WebSocket that has reached the commit point; a `ResponseStream`."""

    transport = "websocket"

    def __init__(self, socket: UpstreamSocket, held: bytes, ended: Callable[[str], None]) -> None:
        self._socket: UpstreamSocket | None = socket
        self._ended = ended
        self.held = held
        self.headers: Mapping[str, str] = socket.headers

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
            broken = broke_off()
            broken.code = CONNECTION_LOST  # the transport's fault, no account's
            raise broken from error

    def close(self) -> None:
        """Close the socket; may be called repeatedly."""
        socket = self._socket
        if socket is not None and not socket.ended:
            socket.abort()
            self._done("")
        elif socket is not None:
            socket.close()
            self._done("whole")

    def release(self) -> None:
        """The answer is whole: the socket is not needed any more."""
        if self._socket is not None:
            self._socket.close()
            self._done("whole")

    def _done(self, how: str) -> None:
        self._socket = None
        self._ended(how)


class WebSocketTransport:
    """Sends requests over WebSocket where `choice` says so, else by another transport.

    Args:
        url: the address of the POST.
        http: the transport for everything else.
        choice: decides, and remembers what became of it.
        prefers: whether the catalogue prefers WebSocket for a model.
    """

    def __init__(
        self,
        url: str,
        http: Transport,
        choice: TransportChoice,
        *,
        figures: TransportFigures,
        connections: ConnectionFigures | None = None,
        prefers: Callable[[str], bool],
        proxy: Proxy | None = None,
        outgoing: Outgoing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address_of(url)
        outgoing = outgoing or Outgoing()
        observer = connections.observer("websocket") if connections else None
        self._dialer = Dialer(
            *(self._address.host, self._address.port),
            tls=outgoing.tls if self._address.secure else None,
            proxy=proxy,
            observer=observer,
            outgoing=outgoing,
        )
        self._http = http
        self._choice = choice
        self._figures = figures
        self._prefers = prefers
        self._clock = clock
        self._most = MOST_MESSAGE_BYTES
        self._open: set[UpstreamSocket] = set()
        if connections is not None:
            connections.watch("websocket", busy=self._open.__len__, idle=lambda: 0)

    def __repr__(self) -> str:
        return f"<WebSocketTransport {self._choice!r}, {len(self._open)} open>"

    @property
    def under_way(self) -> int:
        """Open connections."""
        return len(self._open)

    def available(self) -> bool:
        """Always: what WebSocket cannot carry goes by POST."""
        return True

    def tick(self) -> None:
        """Count a second: sockets that carry an answer answer pings and send them."""
        for socket in tuple(self._open):
            socket.tick()

    def close(self) -> None:
        """Close all sockets."""
        for socket in tuple(self._open):
            socket.abort()
        self._open.clear()

    async def open(
        self, request: PreparedRequest, silence: SilenceBudget
    ) -> ResponseStream | Refusal:
        """Ask once; over WebSocket if it may carry the request, else by POST."""
        account = request.headers.get("chatgpt-account-id", "")
        if request.route:
            return await self._http.open(request, silence)
        began = self._clock()
        answer: ResponseStream | Refusal | None = None
        if self._fits(request) and self._choice.takes(account, preferred=self._preferred(request)):
            answer = await self._by_socket(request, silence, account)
        transport = "websocket"
        if answer is None:
            transport = "http"
            answer = await self._http.open(request, silence)
        if not isinstance(answer, Refusal):
            seconds = self._clock() - began
            self._figures.first_event.labels(transport).observe(seconds)
            self._choice.measured(transport, account, seconds)
        return answer

    def _fits(self, request: PreparedRequest) -> bool:
        """Whether a request can be a frame; one that is sent again goes the way that always works."""
        body = request.body
        return (
            isinstance(body, bytes)
            and not request.new_connection
            and len(body) < self._most
            and _PICTURES not in body
        )

    def _preferred(self, request: PreparedRequest) -> bool:
        found = _MODEL.match(request.whole_body)
        return found is not None and self._prefers(found[1].decode())

    async def _by_socket(
        self, request: PreparedRequest, silence: SilenceBudget, account: str
    ) -> ResponseStream | Refusal | None:
        """The answer over WebSocket; None if a POST is to carry the request."""
        socket: UpstreamSocket | None = None
        try:
            socket = await self._connected(request, account)
            return await self._asked(socket, request, silence, account) if socket else None
        except BaseException:
            self._choice.ended(account, whole=False)
            raise

    async def _connected(self, request: PreparedRequest, account: str) -> UpstreamSocket | None:
        """A socket whose handshake is done; None if there is none to be had."""
        socket = UpstreamSocket(self._address, handshake_headers(request.headers))
        try:
            async with asyncio.timeout(UPGRADE_SECONDS):
                await self._dialer.connect(socket)
                await socket.upgraded()
        except (UpgradeFailed, Unreachable, TimeoutError) as error:
            socket.abort()
            status = error.status if isinstance(error, UpgradeFailed) else 0
            self._failed(account, "refused" if status else "handshake", status=status)
            return None
        except BaseException:
            socket.abort()
            raise
        self._most = min(self._most, _limit_of(socket.headers) or self._most)
        if len(request.body) >= self._most:
            socket.close()
            self._choice.ended(account, whole=False)
            return None
        self._open.add(socket)
        return socket

    async def _asked(
        self,
        socket: UpstreamSocket,
        request: PreparedRequest,
        silence: SilenceBudget,
        account: str,
    ) -> ResponseStream | Refusal | None:
        """Send the request and wait for the commit point."""
        opened: bytes | Refusal
        first = asyncio.get_running_loop().call_later(FIRST_EVENT_SECONDS, _if_silent, socket)
        try:
            async with asyncio.timeout_at(silence.deadline) as limit:
                await socket.send(create_frame(request.whole_body, request.headers))
                if request.on_head is not None:
                    request.on_head(socket.headers)
                opened = await until_commit(socket, limit, silence, request)
        except ConnectionLost:
            self._forget(socket)
            return self._lost(socket, account)
        except (TimeoutError, UpstreamFault) as error:
            self._forget(socket)
            self._choice.ended(account, whole=False)
            return refusal_of_fault(error)
        except BaseException:
            self._forget(socket)
            raise
        finally:
            first.cancel()
        if not isinstance(opened, Refusal):
            return SocketStream(socket, opened, lambda how: self._ended(socket, account, how))
        self._forget(socket)
        self._choice.ended(account, whole=False)
        return None if opened.code in _MOVED else opened

    def _lost(self, socket: UpstreamSocket, account: str) -> Refusal | None:
        """What follows the end of a socket before the commit point."""
        if socket.close_code == TOO_BIG and not socket.begun:
            self._count("too_large")
            self._choice.ended(account, whole=False)
            return None
        kind = "broken" if socket.begun else "silent" if socket.silent else "lost"
        self._failed(account, kind)
        code = SOCKET_BROKEN if socket.begun else SOCKET_LOST
        return Refusal(status=0, code=code, message="The connection to the backend was lost.")

    def _ended(self, socket: UpstreamSocket, account: str, how: str) -> None:
        self._open.discard(socket)
        if how == "lost":
            self._failed(account, "broken")
        else:
            self._choice.ended(account, whole=how == "whole")

    def _forget(self, socket: UpstreamSocket) -> None:
        socket.abort()
        self._open.discard(socket)

    def _failed(self, account: str, kind: str, *, status: int = 0) -> None:
        self._count(kind)
        self._choice.failed(account, kind, status=status)

    def _count(self, kind: str) -> None:
        self._figures.socket_faults.labels(kind).inc()


def _if_silent(socket: UpstreamSocket) -> None:
    """End a socket over which nothing but keepalives has come."""
    if not socket.spoken:
        socket.silent = True
        socket.abort()


def address_of(url: str) -> WebSocketURI:
    """The address of the sockets that belongs to a POST's."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    try:
        return parse_uri(parts._replace(scheme=scheme).geturl())
    except InvalidURI as error:
        raise ValueError(str(error)) from None


def _limit_of(headers: Mapping[str, str]) -> int:
    """The size from which on the backend takes no message; 0 if it does not say."""
    found = headers.get(LIMIT_HEADER, "")
    return int(found) if found.isascii() and found.isdigit() else 0
