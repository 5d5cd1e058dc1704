"""What was asked is answered: from an opening to the last byte, on a wire of the right form.

An answer in one piece that breaks off is given from another account's opening; who that is, the
dispatcher decides. How bytes reach the client is the reply's business.
"""

from commons.errors import StoreUnavailable
from gateway.dialects.codex_requests import TURN_STATE_HEADER
from gateway.errors import GatewayError, UpstreamFault
from gateway.metrics import RedisWork
from gateway.relay import turn_states
from gateway.relay.dispatch import Committed
from gateway.relay.exchange import Exchange
from gateway.translation.translated import Endpoint, Translated
from gateway.translation.wire import Report
from gateway.web.asgi import Header
from gateway.web.house import House
from gateway.web.replies import Reply
from gateway.web.wires import wire_for

PASSED_HEADERS = ("openai-model", "x-reasoning-included")
"""Answer headers that a Codex client reads."""


class Answering:
    """The answer to one request under way."""

    def __init__(
        self,
        house: House,
        asked: Translated,
        exchange: Exchange,
        *,
        endpoint: Endpoint,
        reply: Reply,
    ) -> None:
        self._house = house
        self._asked = asked
        self._exchange = exchange
        self._endpoint = endpoint
        self._reply = reply

    def __repr__(self) -> str:
        return f"<Answering {self._exchange!r}>"

    def lay_wire(self) -> None:
        """Give the next answer a wire of its own; what another has brought is forgotten."""
        key = self._exchange.key
        wire = wire_for(
            self._asked,
            endpoint=self._endpoint,
            request_id=self._exchange.request_id,
            created=int(self._house.hands.clock()),
            own_quota=key is not None and key.limits.budgeted,
        )
        self._exchange.report = wire.report
        asked = self._asked
        self._reply.travel_on(wire, streams=asked.stream, codex=asked.verbatim)

    async def give(self, committed: Committed, *, codex: bool) -> None:
        """Pump answers until one is whole. Raises the GatewayError that the client is told."""
        following: Committed | None = committed
        while following is not None:
            headers = headers_of_answer(self._asked, following, codex=codex)
            following = await self._pump(following, headers)

    async def _pump(self, committed: Committed, headers: list[Header]) -> Committed | None:
        """Pump one answer; what happens on the way is the account's lesson.

        Gives another account's answer where this one broke off before its client saw any of it.
        """
        asked, report, dispatcher = self._asked, self._exchange.report, self._house.dispatcher
        pump = self._reply.stream if asked.stream else self._reply.whole
        try:
            await pump(committed.opening, headers=headers, before_last=self._before_last)
        except GatewayError as error:
            if report is None or asked.stream or not isinstance(error, UpstreamFault):
                await dispatcher.broke_off(committed, report, error)
                raise
            following = await dispatcher.again(committed, report, error, exchange=self._exchange)
            self.lay_wire()
            return following
        finally:
            if report is not None:
                self._heard(committed, report)
        dispatcher.came_through(committed)
        return None

    def _heard(self, committed: Committed, report: Report) -> None:
        """Note what one answer told beside itself, however it ended."""
        self._house.dispatcher.heard(committed, report)
        if report.unknown_events or report.malformed_events:
            self._house.hands.metrics.saw_strange(
                report.unknown_events, malformed=report.malformed_events
            )

    async def _before_last(self) -> None:
        """What must be so when the client learns that the answer is whole."""
        await self._keep()
        if self._exchange.draw is not None:
            await self._house.places.free(self._exchange.draw)

    async def _keep(self) -> None:
        """Keep what the client may continue."""
        asked, report, key = self._asked, self._exchange.report, self._exchange.key
        if not asked.store or asked.answer_form != "responses" or report is None:
            return
        items = [*asked.kept_items(), *report.output_items]
        try:
            await self._house.responses.keep(
                key.id if key else "", report.response_id, items, now=self._house.hands.clock()
            )
        except StoreUnavailable:
            self._house.hands.metrics.redis_failed(RedisWork.KEEP)


def headers_of_answer(asked: Translated, committed: Committed, *, codex: bool) -> list[Header]:
    """Answer headers that say something of this one answer."""
    headers: list[Header] = []
    if asked.dropped:
        headers.append((b"x-dropped-parameters", ", ".join(asked.dropped).encode()))
    if codex:
        answered = committed.opening.headers
        if state := turn_states.bound(answered, committed.lease.account.id):
            headers.append((TURN_STATE_HEADER.encode(), state.encode()))
        for name in PASSED_HEADERS:
            value = answered.get(name, "")
            if value and value.isascii() and value.isprintable():
                headers.append((name.encode(), value.encode()))
    return headers
