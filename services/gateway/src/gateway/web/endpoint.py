"""One POST route from the first header to the last byte: admit, read, translate, dispatch, reply.

Raw ASGI. Every step is decided elsewhere; here they follow each other, and whatever happens the
exchange is settled once.
"""

import asyncio
import functools
import math
from collections.abc import Mapping

import msgspec

from commons.allowances import Draw, draw_on
from commons.clock import SharedClock
from commons.errors import StoreUnavailable
from commons.live_settings import HistoryMode
from commons.records import Ending
from commons.responses import ResponseStore
from commons.tasks import Tasks
from gateway.dialects.codex_requests import TURN_STATE_HEADER
from gateway.errors import GatewayError, StoreAway, UnknownModel, UpstreamFault
from gateway.metrics import Metrics
from gateway.relay import turn_states
from gateway.relay.allowances import Places
from gateway.relay.catalogues import Catalogues
from gateway.relay.dispatch import Asked, Committed, Dispatcher
from gateway.relay.exchange import Exchange, Reader
from gateway.relay.lease import Wish
from gateway.relay.pulse import Pulse
from gateway.translation.requests import expand, to_upstream
from gateway.translation.translated import ClientTraits, RequestOptions, Translated
from gateway.translation.translated import Endpoint as EndpointName
from gateway.translation.translated import HistoryMode as History
from gateway.web.asgi import Header, Receive, Scope, Send, headers_of, texts_of
from gateway.web.bodies import ClientGone, read_body
from gateway.web.failures import fault_of, refuse
from gateway.web.floor import Floor
from gateway.web.keys import Admission, Admitted, KeyChanged, check_model
from gateway.web.replies import Reply
from gateway.web.wires import wire_for

BYTES_PER_TOKEN = 4
"""Of a request's body, for the estimate that its key's limits are asked for."""
LARGE_BODY = 1024 * 1024
"""Size of a body from which others are served between reading it and translating it.

Ten megabytes were seen to take 4 + 8 + 5 ms: joining, translating, encoding. A thread would not
help the others: each of these steps is one call that holds the interpreter's lock.
"""
MOST_READINGS = 3
"""How often a request is read anew because its key was changed meanwhile."""
PASSED_HEADERS = ("openai-model", "x-reasoning-included")
"""Answer headers that a Codex client reads."""


class House:
    """What all endpoints of a replica share."""

    def __init__(
        self,
        *,
        admission: Admission,
        floor: Floor,
        catalogues: Catalogues,
        dispatcher: Dispatcher,
        responses: ResponseStore,
        places: Places,
        hands: "Hands",
    ) -> None:
        self.admission = admission
        self.floor = floor
        self.catalogues = catalogues
        self.dispatcher = dispatcher
        self.responses = responses
        self.places = places
        self.hands = hands
        self.history_mode = HistoryMode.STRUCTURED
        """How conversations are told to upstream; may change while running."""

    def __repr__(self) -> str:
        return f"<House with {self.floor!r}>"


class Hands(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint works with, beside its house's rooms."""

    clock: SharedClock
    metrics: Metrics
    pulse: Pulse
    tasks: Tasks
    readers: tuple[Reader, ...]
    """Who wants to know of settled exchanges."""
    patience: float
    """Seconds until a streaming client gets its 200 though nothing was said."""


class Endpoint:
    """One POST route."""

    def __init__(self, name: EndpointName, house: House) -> None:
        self._name = name
        self._house = house
        self._hands = house.hands
        self._patience_beats = math.ceil(house.hands.patience)

    def __repr__(self) -> str:
        return f"<Endpoint {self._name}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        try:
            self._house.floor.check()
            admitted = await self._house.admission.admit(headers)
        except GatewayError as error:
            self._hands.metrics.refused_at_door.labels(error.code or error.type).inc()
            await refuse(send, error, request_id)
            return
        exchange = Exchange(
            request_id=request_id,
            endpoint=self._name,
            at=self._hands.clock(),
            readers=self._hands.readers,
        )
        exchange.key = admitted.key
        reply = Reply(send, exchange, tasks=self._hands.tasks, patience_beats=self._patience_beats)
        self._house.floor.enter(exchange)
        self._hands.pulse.join(reply)
        try:
            await self._guarded(receive, headers, admitted, exchange=exchange, reply=reply)
        finally:
            self._hands.pulse.leave(reply)
            self._house.floor.leave(exchange)
            exchange.settle()
            if exchange.draw is not None and self._house.places.holds(exchange.draw):
                self._hands.tasks.start(self._house.places.free(exchange.draw), name="free place")

    async def _guarded(
        self,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        admitted: Admitted,
        *,
        exchange: Exchange,
        reply: Reply,
    ) -> None:
        """Serve, and turn whatever goes wrong into what the client is told."""
        watch: asyncio.Task[None] | None = None
        try:
            body = await read_body(receive, headers)
            if len(body) > LARGE_BODY:
                await asyncio.sleep(0)
            watch = self._hands.tasks.start(_watch(receive, exchange), name="watch")
            await self._serve(body, texts_of(headers), admitted, exchange=exchange, reply=reply)
        except ClientGone:
            exchange.end(Ending.ABANDONED)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not exchange.interrupted or task is None:
                raise
            task.uncancel()
            if exchange.interruption is not None:
                await self._fail(exchange.interruption, exchange, reply)
        except GatewayError as error:
            await self._fail(error, exchange, reply)
        except StoreUnavailable:
            away = StoreAway("The account store does not answer. Please try again.")
            await self._fail(away, exchange, reply)
        except Exception as error:  # noqa: BLE001 - the client is owed an answer whatever happened
            await self._fail(fault_of(error), exchange, reply)
        finally:
            if watch is not None:
                watch.cancel()

    async def _serve(
        self,
        body: bytes,
        headers: Mapping[str, str],
        admitted: Admitted,
        *,
        exchange: Exchange,
        reply: Reply,
    ) -> None:
        """Serve; a key that is changed before anybody is asked is looked at again."""
        for _ in range(MOST_READINGS):
            try:
                await self._serve_as(body, headers, admitted, exchange=exchange, reply=reply)
            except KeyChanged as changed:
                admitted = changed.admitted
                exchange.key = admitted.key
            except UnknownModel:
                again = await self._house.admission.again(admitted)
                if again.is_same_as(admitted):
                    raise
                admitted, exchange.key = again, again.key
            else:
                return
        raise StoreAway("API keys are being changed just now. Please try again.")

    async def _serve_as(
        self,
        body: bytes,
        headers: Mapping[str, str],
        admitted: Admitted,
        *,
        exchange: Exchange,
        reply: Reply,
    ) -> None:
        traits = ClientTraits.of(headers)
        asked = await self._translated(body, traits, admitted, exchange)
        draw = self._draw(admitted, exchange, size=len(body))
        self._lay_wire(asked, exchange, reply)
        committed = await self._house.dispatcher.dispatch(
            Asked(
                request=asked.request,
                wish=self._wish(asked, admitted, exchange, draw=draw),
                codex_headers=headers if traits.is_codex else None,
            ),
            exchange,
        )
        following: Committed | None = committed
        while following is not None:
            following = await self._reply(
                asked, following, exchange=exchange, reply=reply, codex=traits.is_codex
            )

    def _lay_wire(self, asked: Translated, exchange: Exchange, reply: Reply) -> None:
        """Give the next answer a wire of its own; what another has brought is forgotten."""
        wire = wire_for(
            asked,
            endpoint=self._name,
            request_id=exchange.request_id,
            created=int(self._hands.clock()),
        )
        exchange.report = wire.report
        reply.travel_on(wire, streams=asked.stream)

    async def _translated(
        self, body: bytes, traits: ClientTraits, admitted: Admitted, exchange: Exchange
    ) -> Translated:
        """What the body asks, with what it only names put in."""
        key = admitted.key
        options = RequestOptions(
            key_id=key.id if key else "",
            history_mode=History(self._house.history_mode.value),
            default_model=(key.default_model or None) if key else None,
            default_effort=(key.default_effort or None) if key else None,
        )
        asked = to_upstream(
            body,
            endpoint=self._name,
            catalogue=self._house.catalogues.current,
            options=options,
            client=traits,
        )
        exchange.streamed = asked.stream
        exchange.asked_model = asked.asked_model
        exchange.sent_model = asked.request.model
        exchange.dropped = asked.dropped
        check_model(key, asked.request.model)
        return await self._expanded(asked, options.key_id) if asked.unresolved else asked

    async def _expanded(self, asked: Translated, key_id: str) -> Translated:
        store = self._house.responses
        previous = None
        if asked.previous_response_id is not None:
            kept = await store.response(key_id, asked.previous_response_id)
            previous = None if kept is None else list(kept)
        found = {
            reference: item
            for reference in asked.references
            if (item := await store.item(key_id, reference)) is not None
        }
        return expand(asked, previous_items=previous, referenced_items=found)

    def _draw(self, admitted: Admitted, exchange: Exchange, *, size: int) -> Draw | None:
        """What the exchange draws on its key's limits; a token is four bytes until we know."""
        key = admitted.key
        draw = (
            None
            if key is None
            else draw_on(
                key.id,
                key.limits,
                request_id=exchange.request_id,
                version=admitted.version,
                tokens=size // BYTES_PER_TOKEN,
            )
        )
        before = exchange.draw
        if before is not None and not before.drawn_at:
            self._house.places.forget(before)
            exchange.draw = None
        if draw is not None:
            exchange.draw = draw
            self._house.places.hold(draw)
        return draw

    def _wish(
        self, asked: Translated, admitted: Admitted, exchange: Exchange, *, draw: Draw | None
    ) -> Wish:
        async def confirm(version: int) -> None:
            again = await self._house.admission.confirm(admitted, version)
            if draw is not None:
                draw.version = version
            if not exchange.attempted and not again.is_same_as(admitted):
                raise KeyChanged(again)

        return Wish(
            model=asked.request.model,
            fingerprint=asked.fingerprint_source,
            begins=asked.begins,
            allowed_accounts=admitted.key.allowed_accounts if admitted.key else (),
            draw=draw,
            confirm=confirm,
        )

    async def _reply(
        self,
        asked: Translated,
        committed: Committed,
        *,
        exchange: Exchange,
        reply: Reply,
        codex: bool,
    ) -> Committed | None:
        """Pump the answer; what happens on the way is the account's lesson.

        Gives another account's answer where this one broke off before its client saw any of it.
        """
        headers = _headers(asked, committed, codex=codex)
        keep = functools.partial(self._before_last, asked, exchange)
        pump = reply.stream if asked.stream else reply.whole
        report = exchange.report
        try:
            await pump(committed.opening, headers=headers, before_last=keep)
        except GatewayError as error:
            dispatcher = self._house.dispatcher
            if report is None or asked.stream or not isinstance(error, UpstreamFault):
                await dispatcher.broke_off(committed, report, error)
                raise
            committed = await dispatcher.again(committed, report, error, exchange=exchange)
            self._lay_wire(asked, exchange, reply)
            return committed
        finally:
            if report is not None and report.unknown_events:
                self._hands.metrics.unknown_events.inc(report.unknown_events.total())
        self._house.dispatcher.came_through(committed, report)
        return None

    async def _before_last(self, asked: Translated, exchange: Exchange) -> None:
        """What must be so when the client learns that the answer is whole."""
        await self._keep(asked, exchange)
        if exchange.draw is not None:
            await self._house.places.free(exchange.draw)

    async def _keep(self, asked: Translated, exchange: Exchange) -> None:
        """Keep what the client may continue."""
        report = exchange.report
        if not asked.store or asked.answer_form != "responses" or report is None:
            return
        key_id = exchange.key.id if exchange.key else ""
        items = [*asked.kept_items(), *report.output_items]
        try:
            await self._house.responses.keep(
                key_id, report.response_id, items, now=self._hands.clock()
            )
        except StoreUnavailable:
            self._hands.metrics.settle_failures.inc()

    async def _fail(self, error: GatewayError, exchange: Exchange, reply: Reply) -> None:
        if exchange.draw is not None:
            await self._house.places.free(exchange.draw)
        begun = exchange.account != "" or reply.started
        exchange.end(
            Ending.BROKEN if begun else Ending.REFUSED,
            status=200 if reply.started else error.status,
            code=error.code or error.type,
        )
        await reply.fail(error)


async def _watch(receive: Receive, exchange: Exchange) -> None:
    """Wait until the client hangs up."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            exchange.interrupt(None)
            return


def _headers(asked: Translated, committed: Committed, *, codex: bool) -> list[Header]:
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
