"""The WebSocket transport: carries a request over WebSocket where it may and can, else by POST.

Nothing of a request is lost to WebSocket: until its frame is written a fault makes it a POST. After
that it is asked for again only if the backend has not begun to work on it (`response.created`), for
each beginning costs quota.
"""

import re
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.transport import (
    PreparedRequest,
    ResponseStream,
    SilenceBudget,
    Transport,
)
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.open_sockets import OpenSockets
from codex_proapi.gateway.upstream.websocket.socket_turns import ByPost, SocketTurns

_MODEL: Final = re.compile(rb'\{"model":"([^"\\]{1,128})"')
_PICTURES: Final = b'"type":"image_generation"'
"""In a request whose answer may hold a picture: too large for frames."""


class WebSocketTransport:
    """Sends requests over WebSocket where `choice` says so, else by another transport.

    Args:
        turns: asks over WebSocket.
        http: the transport for every other request to Responses.
        choice: decides, and remembers what became of it.
        sockets: those that are open.
        other_routes: the transport for requests to other routes.
        prefers: whether the catalogue prefers WebSocket for a model.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        turns: SocketTurns,
        http: HttpTransport,
        choice: TransportChoice,
        *,
        sockets: OpenSockets,
        other_routes: Transport,
        prefers: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._http = http
        self._choice = choice
        self.sockets = sockets
        """The open sockets, those under way included."""
        self._other_routes = other_routes
        self._prefers = prefers
        self._clock = clock

    def __repr__(self) -> str:
        return f"<WebSocketTransport {self._choice!r}, {self.sockets!r}>"

    def first_events(self) -> Mapping[str, float]:
        """The median of the last first-event times of each transport, seconds."""
        return self._choice.medians()

    def tick(self) -> None:
        """Count a second: open sockets answer pings and send them; some have waited long enough."""
        self.sockets.tick()

    def begin_drain(self) -> None:
        """Close what waits; answers under way end first."""
        self.sockets.begin_drain()

    def close(self) -> None:
        """Close all sockets."""
        self.sockets.close()

    def open(
        self, request: PreparedRequest, silence: SilenceBudget
    ) -> Coroutine[Any, Any, ResponseStream | Refusal]:
        """Ask once; over WebSocket if it may carry the request, else by POST."""
        if request.route:
            return self._other_routes.open(request, silence)
        why = self._unfit(request)
        if not why:
            preferred = self._choice.looks_at_models and self._preferred(request)
            decision = self._choice.decide(request.owner.account, preferred=preferred)
            why = decision.why
            if decision.by_socket:
                return self._by_socket(request, silence, why)
        return self._http.open(request, silence, why=why)

    async def _by_socket(
        self, request: PreparedRequest, silence: SilenceBudget, why: str
    ) -> ResponseStream | Refusal:
        """Ask over WebSocket; by POST if it does not carry the request after all."""
        began = self._clock()
        answer = await self._turns.ask(request, silence)
        if isinstance(answer, ByPost):
            return await self._http.open(request, silence, why=answer.why, began=began)
        if not isinstance(answer, Refusal):
            self._choice.carried(self._clock() - began)
            answer.way = f"{answer.way}; {why}"
        return answer

    def _unfit(self, request: PreparedRequest) -> str:
        """Why a request cannot be a frame; one that is sent again goes the way that always works."""
        if request.new_connection:
            return "sent again"
        body = request.body
        if not isinstance(body, bytes) or len(body) >= self._turns.most:
            return "too large"
        return "pictures" if _PICTURES in body else ""

    def _preferred(self, request: PreparedRequest) -> bool:
        found = _MODEL.match(request.whole_body)
        return found is not None and self._prefers(found[1].decode())
