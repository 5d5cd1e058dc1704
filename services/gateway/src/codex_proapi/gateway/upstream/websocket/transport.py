"""The WebSocket transport: carries a request over WebSocket where it may and can, else by POST.

Nothing of a request is lost to WebSocket: until its frame is written a fault makes it a POST. After
that it is asked for again only if the backend has not begun to work on it (`response.created`), for
each beginning costs quota.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.transport_figures import TransportFigures
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
        http: the transport for everything else.
        choice: decides, and remembers what became of it.
        sockets: those that are open.
        figures: the series of transports.
        prefers: whether the catalogue prefers WebSocket for a model.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        turns: SocketTurns,
        http: Transport,
        choice: TransportChoice,
        *,
        sockets: OpenSockets,
        figures: TransportFigures,
        prefers: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._http = http
        self._choice = choice
        self.sockets = sockets
        """The open sockets, those under way included."""
        self._figures = figures
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

    async def open(
        self, request: PreparedRequest, silence: SilenceBudget
    ) -> ResponseStream | Refusal:
        """Ask once; over WebSocket if it may carry the request, else by POST."""
        if request.route:
            return await self._http.open(request, silence)
        began = self._clock()
        account = request.owner.account
        answer: ResponseStream | Refusal | ByPost
        why = self._unfit(request)
        if not why:
            preferred = self._choice.looks_at_models and self._preferred(request)
            decision = self._choice.decide(account, preferred=preferred)
            why = decision.why
            if decision.by_socket:
                answer = await self._turns.ask(request, silence)
                if not isinstance(answer, ByPost):
                    return self._noted("websocket", answer, began, request, why)
                why = answer.why
        answer = await self._http.open(request, silence)
        return self._noted("http", answer, began, request, why)

    def _noted(
        self,
        transport: str,
        answer: ResponseStream | Refusal,
        began: float,
        request: PreparedRequest,
        why: str,
    ) -> ResponseStream | Refusal:
        """Note how long the first event took, and for the log why it came this way."""
        if not isinstance(answer, Refusal):
            seconds = self._clock() - began
            self._figures.first_event.of(transport).note(seconds)
            self._choice.measured(transport, request.owner.account, seconds)
            answer.way = "; ".join(filter(None, (answer.way, why)))
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
