"""One request over WebSocket: over the socket that its conversation has, else over a new one.

Only what is new is sent where the socket's last answer is exactly what the request goes on from. What
ends before the backend has begun to work on it (`response.created`) is asked again here once: with the whole
input, over a new socket if the kept one was gone. After that nothing is asked again.
"""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from codex_proapi.commons.connections.deadlines import Deadlines
from codex_proapi.commons.connections.dialer import Dialer, Unreachable
from codex_proapi.commons.connections.pace import is_edge_refusal
from codex_proapi.gateway.errors import UpstreamFault
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.transport_figures import TransportFigures
from codex_proapi.gateway.policy.transport_faults import CONNECTION_LOST, SOCKET_BROKEN, SOCKET_LOST
from codex_proapi.gateway.upstream.http_response import ConnectionLost
from codex_proapi.gateway.upstream.http_transport import Beginning, refusal_of_fault
from codex_proapi.gateway.upstream.transport import PreparedRequest, SilenceBudget
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.continuation import AnswerMarks, Asked
from codex_proapi.gateway.upstream.websocket.frames import CreateRequest, handshake_headers
from codex_proapi.gateway.upstream.websocket.open_sockets import OpenSocket, OpenSockets, SocketKey
from codex_proapi.gateway.upstream.websocket.socket import UpgradeFailed, UpstreamSocket
from codex_proapi.gateway.upstream.websocket.socket_stream import SocketStream

UPGRADE_SECONDS: Final = 10.0
"""Seconds for a connection and its handshake; then the request goes by POST."""
STALE_SECONDS: Final = 1.0
"""Seconds after sending in which the end of a kept socket means that it had ended before."""
FIRST_EVENT_SECONDS: Final = 30.0
"""Seconds without any event but keepalives after which a socket counts as silent: `response.created`
comes within half a second, and the backend was seen to say nothing for ever where it lost a request."""
MOST_MESSAGE_BYTES: Final = 15 * 1024 * 1024
"""Bytes from which a request goes by POST: the backend closes a connection for more than some 16 MiB."""
LIMIT_HEADER: Final = "x-codex-websocket-max-message-bytes"
TOO_BIG: Final = 1009
"""Close code for a message that is too long."""
NOT_FOUND: Final = "previous_response_not_found"
LIMIT_REACHED: Final = "websocket_connection_limit_reached"
_DIGITS: Final = 18
"""Most digits of a size; a header of thousands of them is no number that can be read."""
_OF_SOCKETS: Final = frozenset({NOT_FOUND, LIMIT_REACHED})
"""Refusals that are about the connection alone."""


class ByPost(msgspec.Struct, frozen=True):
    """WebSocket does not carry a request after all."""

    why: str


class _AskAgain(msgspec.Struct, frozen=True):
    """Nothing has begun: the request may be asked once more with the whole input."""

    same_socket: bool = False


class SocketTurns:
    """Asks over WebSocket.

    Args:
        address: where the sockets go: `address_of`.
        dialer: makes the connections.
        sockets: those that are open.
        choice: is told what became of each request.
        figures: counts faults and requests.
    """

    def __init__(
        self,
        address: WebSocketURI,
        dialer: Dialer,
        sockets: OpenSockets,
        *,
        choice: TransportChoice,
        figures: TransportFigures,
    ) -> None:
        self._address = address
        self._dialer = dialer
        self._sockets = sockets
        self._choice = choice
        self._figures = figures
        self._deadlines = Deadlines()
        self._requests = {
            (socket, sent): figures.socket_requests.of(socket, sent)
            for socket in ("new", "kept")
            for sent in ("full", "incremental")
        }
        self.most = MOST_MESSAGE_BYTES
        """Bytes from which a request does not fit into a frame, as far as is known."""

    def __repr__(self) -> str:
        return f"<SocketTurns over {self._sockets!r}>"

    async def ask(
        self, request: PreparedRequest, silence: SilenceBudget
    ) -> SocketStream | Refusal | ByPost:
        """Ask once. `choice` is told how it ended, now or when the stream has ended."""
        body = request.whole_body
        asked = Asked(CreateRequest(body, request.headers), len(body))
        del body
        key = SocketKey.of(request)
        try:
            if request.owner.conversation and (kept := self._sockets.take(key, asked)) is not None:
                open_socket, frame = kept
                turn = _Turn(open_socket, request, asked, silence, kept=True)
                answer = await self._turn(turn, frame)
                if isinstance(answer, _AskAgain) and answer.same_socket:
                    answer = await self._turn(turn, b"")
                if not isinstance(answer, _AskAgain):
                    return answer
            opened = await self._opened(request, key)
            if isinstance(opened, ByPost):
                return opened
            turn = _Turn(opened, request, asked, silence, kept=False)
            answer = await self._turn(turn, b"")
        except BaseException:
            self._choice.ended(request.owner.account, whole=False)
            raise
        return self._by_post(request, "refused") if isinstance(answer, _AskAgain) else answer

    def _by_post(self, request: PreparedRequest, why: str) -> ByPost:
        self._choice.ended(request.owner.account, whole=False)
        return ByPost(why)

    async def _opened(self, request: PreparedRequest, key: SocketKey) -> OpenSocket | ByPost:
        """A new socket whose handshake is done."""
        if not self._sockets.has_room(request.owner.account):
            return self._by_post(request, "enough sockets are open")
        socket = UpstreamSocket(self._address, handshake_headers(request.all_headers))
        try:
            async with asyncio.timeout(UPGRADE_SECONDS):
                await self._dialer.connect(socket)
                await socket.upgraded()
        except (UpgradeFailed, Unreachable, TimeoutError) as error:
            socket.abort()
            status = error.status if isinstance(error, UpgradeFailed) else 0
            if isinstance(error, UpgradeFailed) and is_edge_refusal(status, error.content_type):
                self._dialer.pace.refused(by_edge=True)
            self._failed(request.owner.account, "refused" if status else "handshake", status=status)
            return ByPost(f"the upgrade failed{f' with {status}' if status else ''}")
        except BaseException:
            socket.abort()
            raise
        self._dialer.pace.answered()
        self.most = min(self.most, _limit_of(socket.headers) or self.most)
        if len(request.body) >= self.most:
            socket.close()
            return self._by_post(request, "too large")
        return self._sockets.add(socket, key)

    async def _turn(
        self, turn: "_Turn", frame: bytes
    ) -> SocketStream | Refusal | ByPost | _AskAgain:
        """Send the frame, or the whole request for b"", and wait for the commit point."""
        socket, request, silence = turn.open_socket.socket, turn.request, turn.silence
        marks = turn.begin()
        first = asyncio.get_running_loop().call_later(FIRST_EVENT_SECONDS, _if_silent, socket)
        try:
            message = frame or turn.asked.whole()
            await socket.send(message, marks, deadline=silence.deadline)
            if request.on_head is not None:
                request.on_head(socket.headers)
            beginning = Beginning(socket, request, silence, deadlines=self._deadlines)
            if request.on_sent is not None:
                request.on_sent()
            opened = await beginning.outcome
        except ConnectionLost:
            self._sockets.abort(turn.open_socket)
            return self._lost(turn)
        except (TimeoutError, UpstreamFault) as error:
            self._sockets.abort(turn.open_socket)
            self._choice.ended(request.owner.account, whole=False)
            return refusal_of_fault(error)
        except BaseException:
            self._sockets.abort(turn.open_socket)
            raise
        finally:
            first.cancel()
        if isinstance(opened, bytes):
            return self._answered(turn, opened, incremental=bool(frame), marks=marks)
        if opened.refusal.code == CONNECTION_LOST:
            self._sockets.abort(turn.open_socket)
            return self._lost(turn)
        return self._refused(turn, opened.refusal, incremental=bool(frame))

    def _answered(
        self, turn: "_Turn", held: bytes, *, incremental: bool, marks: AnswerMarks | None
    ) -> SocketStream:
        open_socket, account, asked = turn.open_socket, turn.request.owner.account, turn.asked

        def ended(how: str) -> None:
            if how == "whole":
                answered = marks.answered() if marks is not None else None
                open_socket.socket.finish()
                self._sockets.keep(open_socket, asked.continuation(answered))
                self._choice.ended(account, whole=True)
                return
            self._sockets.abort(open_socket)
            if how == "lost":
                self._failed(account, "broken")
            else:
                self._choice.ended(account, whole=False)

        stream = SocketStream(open_socket.socket, held, ended)
        asked.forget()
        socket, sent = "kept" if turn.kept else "new", "incremental" if incremental else "full"
        stream.way = f"{socket} socket, {sent} input"
        self._requests[socket, sent].count += 1
        return stream

    def _refused(
        self, turn: "_Turn", refusal: Refusal, *, incremental: bool
    ) -> Refusal | ByPost | _AskAgain:
        """What follows a refusal; where it is about the connection, the request is asked again."""
        socket = turn.open_socket.socket
        begun = _begun(socket)
        if refusal.code == NOT_FOUND and incremental and not begun and socket.alive:
            self._count("previous_lost")
            socket.finish()
            return _AskAgain(same_socket=True)
        self._sockets.abort(turn.open_socket)
        if refusal.code in _OF_SOCKETS and turn.kept and not begun:
            return _AskAgain()
        self._choice.ended(turn.request.owner.account, whole=False)
        return ByPost("refused") if refusal.code in _OF_SOCKETS else refusal

    def _lost(self, turn: "_Turn") -> Refusal | ByPost | _AskAgain:
        """What follows the end of a socket before the commit point."""
        socket, account = turn.open_socket.socket, turn.request.owner.account
        begun = _begun(socket)
        if socket.close_code == TOO_BIG and not begun:
            self._count("too_large")
            return self._by_post(turn.request, "too large")
        soon = asyncio.get_running_loop().time() - turn.began <= STALE_SECONDS
        if turn.kept and soon and not begun and not socket.silent:
            self._count("stale")
            return _AskAgain()
        kind = "broken" if begun else "silent" if socket.silent else "lost"
        self._failed(account, kind)
        code = SOCKET_BROKEN if begun else SOCKET_LOST
        return Refusal(status=0, code=code, message="The connection to the backend was lost.")

    def _failed(self, account: str, kind: str, *, status: int = 0) -> None:
        self._count(kind)
        self._choice.failed(account, kind, status=status)

    def _count(self, kind: str) -> None:
        self._figures.socket_faults.labels(kind).inc()


class _Turn:
    """One request over one socket."""

    def __init__(
        self,
        open_socket: OpenSocket,
        request: PreparedRequest,
        asked: Asked,
        silence: SilenceBudget,
        *,
        kept: bool,
    ) -> None:
        self.open_socket = open_socket
        self.request = request
        self.asked = asked
        self.silence = silence
        self.kept = kept
        self.began = 0.0
        """When its frame was sent, by the loop's clock."""

    def begin(self) -> AnswerMarks | None:
        """What observes the answer; None if no request can go on from it."""
        self.open_socket.last = None
        self.began = asyncio.get_running_loop().time()
        if not self.request.owner.conversation or not self.asked.comparable:
            return None
        self.asked.note()
        return AnswerMarks()


def _begun(socket: UpstreamSocket) -> bool:
    return socket.events.begun


def _if_silent(socket: UpstreamSocket) -> None:
    """End a socket over which nothing but keepalives has come."""
    if not socket.events.spoken:
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
    return int(found) if found.isascii() and found.isdigit() and len(found) <= _DIGITS else 0
