"""The upgrade on /responses: authenticates a client and gives its connection to a session."""

import logging
from typing import Final

from websockets.http11 import Request as Opening
from websockets.server import ServerProtocol

from codex_proapi.commons.http.upgrade import UPGRADE, UpgradeOffer
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.auth.client_head import ClientHead
from codex_proapi.gateway.errors import BadRequest, GatewayError, UpgradeRefused
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.serve import ExchangeService
from codex_proapi.gateway.server.asgi import Receive, Scope, Send, headers_of
from codex_proapi.gateway.server.error_response import log_refusal, send_error
from codex_proapi.gateway.server.request_context import client
from codex_proapi.gateway.websocket.connection import WebSocketConnection
from codex_proapi.gateway.websocket.create_frame import MESSAGE_BYTES
from codex_proapi.gateway.websocket.remembered import RememberedConversations
from codex_proapi.gateway.websocket.session import Session, Shared

MOST_SOCKETS: Final = 4000
"""Open connections of a replica; a further client gets 426, on which it goes on over HTTP at once."""
MESSAGE_LIMIT_HEADER: Final = "x-codex-websocket-max-message-bytes"
"""Tells the Codex CLI from which size on a message has to go by POST."""
_HANDSHAKE_HEADERS: Final = frozenset(
    {b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version"}
)
"""Headers that the handshake is about; offers to compress are not looked at, and so declined."""
_VERSION: Final = (b"sec-websocket-version", b"13")
_QUIET: Final = logging.getLogger("codex_proapi.gateway.websocket.framing")
"""The framing's own log, which would quote what clients send."""
_QUIET.setLevel(logging.CRITICAL + 1)


class WebSocketEndpoint:
    """Takes the offers to upgrade, as ASGI."""

    def __init__(self, services: Dependencies, service: ExchangeService, tasks: Tasks) -> None:
        self._services = services
        self._service = service
        self._sessions: set[Session] = set()
        self.conversations = RememberedConversations()
        self._shared = Shared(
            service=service,
            tasks=tasks,
            conversations=self.conversations,
            clock=services.clock,
            keys_version=lambda: services.authenticator.version,
            ended=self._sessions.discard,
        )
        services.metrics.transports.client_sockets.set_function(self._sessions.__len__)

    def __repr__(self) -> str:
        return f"<WebSocketEndpoint with {len(self._sessions)} sessions>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request that offers an upgrade."""
        del receive
        offer: UpgradeOffer = scope["extensions"][UPGRADE]
        head = ClientHead.of(headers_of(scope))
        try:
            authenticated = await self._service.authenticate(head.caller)
            if len(self._sessions) >= MOST_SOCKETS:
                raise UpgradeRefused("Too many connections are open here; use POST over HTTP.")
            framing = _answered(scope, request_id)
        except GatewayError as error:
            if isinstance(error, UpgradeRefused | BadRequest):
                log_refusal(error)
            await send_error(
                send,
                error,
                request_id,
                error_body=self._service.dialect.error_body,
                headers=[_VERSION],
            )
            return
        session = Session(self._shared, head=head, authenticated=authenticated, client=client())
        session.connection = WebSocketConnection(
            framing, session, hold_body=lambda: self._service.hold_body(authenticated)
        )
        self._sessions.add(session)
        try:
            offer.take(session.connection)
        except ConnectionResetError:
            self._sessions.discard(session)


def _answered(scope: Scope, request_id: str) -> ServerProtocol:
    """The protocol of a connection, with the answer to its handshake to be sent.

    Raises:
        UpgradeRefused: the client speaks another version of WebSocket.
        BadRequest: its handshake lacks a header, or one is not what it must be.
    """
    if _VERSION not in scope["headers"]:
        raise UpgradeRefused("Only version 13 of WebSocket is supported; use POST over HTTP.")
    framing = ServerProtocol(max_size=MESSAGE_BYTES, logger=_QUIET)
    lines = [
        b"%b: %b\r\n" % header for header in scope["headers"] if header[0] in _HANDSHAKE_HEADERS
    ]
    framing.receive_data(b"GET / HTTP/1.1\r\n%b\r\n" % b"".join(lines))
    opening = next(iter(framing.events_received()), None)
    if not isinstance(opening, Opening):
        raise BadRequest("The WebSocket handshake cannot be read.")
    answer = framing.accept(opening)
    if answer.status_code != 101:  # noqa: PLR2004 - HTTP's own number
        raise BadRequest(f"The WebSocket handshake is not valid: {framing.handshake_exc}")
    answer.headers[MESSAGE_LIMIT_HEADER] = str(MESSAGE_BYTES)
    answer.headers["x-request-id"] = request_id
    framing.send_response(answer)
    return framing
