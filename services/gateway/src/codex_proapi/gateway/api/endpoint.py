"""One POST route from the first header to the last byte: admit, read, translate, dispatch, reply.

Raw ASGI. Every step is decided elsewhere; here they follow each other, and whatever happens the
exchange is settled once.
"""

import asyncio
import math
from collections.abc import Mapping

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.api.endpoint_context import EndpointContext
from codex_proapi.gateway.api.error_responses import fault_of, refuse
from codex_proapi.gateway.api.translators import READERS
from codex_proapi.gateway.api.translators import Endpoint as EndpointName
from codex_proapi.gateway.auth.authenticator import Authenticated, KeyChanged, check_model
from codex_proapi.gateway.errors import GatewayError, StoreUnreachable, UnknownModel
from codex_proapi.gateway.exchange.dispatch import DispatchRequest
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.response_pump import ResponsePump
from codex_proapi.gateway.exchange.response_writer import ResponseWriter
from codex_proapi.gateway.limits.charge import LimitCharge, charge_for
from codex_proapi.gateway.metrics.registry import RedisWork
from codex_proapi.gateway.pool.concurrency import Waiter
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.server.asgi import Receive, Scope, Send, headers_of, texts_of
from codex_proapi.gateway.server.request_body import ClientGone, read_body
from codex_proapi.gateway.translation.history.token_estimate import estimate
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.request.translated_request import HistoryMode as History
from codex_proapi.gateway.translation.responses.stored_items import expand

LARGE_BODY = 1024 * 1024
"""Size of a body from which others are served between reading it and translating it.

Ten megabytes were seen to take 4 + 8 + 5 ms: joining, translating, encoding. A thread would not
help the others: each of these steps is one call that holds the interpreter's lock.
"""
MOST_READINGS = 3
"""How often a request is read anew because its key was changed meanwhile."""


class Endpoint:
    """One POST route."""

    def __init__(self, name: EndpointName, context: EndpointContext) -> None:
        self._name = name
        self._context = context
        self._runtime = context.runtime
        self._gaps = context.runtime.metrics.gaps.of(name)
        self._patience_ticks = math.ceil(context.runtime.patience)

    def __repr__(self) -> str:
        return f"<Endpoint {self._name}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        try:
            self._context.in_flight.check()
            admitted = await self._context.admission.admit(headers)
        except GatewayError as error:
            self._runtime.metrics.refused_before_exchange.labels(error.label).inc()
            if isinstance(error, StoreUnreachable):
                self._runtime.metrics.redis_failed(RedisWork.ADMIT)
            await refuse(send, error, request_id)
            return
        exchange = Exchange(
            request_id=request_id,
            endpoint=self._name,
            at=self._runtime.clock(),
            readers=self._runtime.readers,
        )
        exchange.key = admitted.key
        reply = ResponseWriter(
            send,
            exchange,
            tasks=self._runtime.tasks,
            patience_ticks=self._patience_ticks,
            gaps=self._gaps,
        )
        self._context.in_flight.enter(exchange)
        self._runtime.ticker.join(reply)
        try:
            await self._guarded(receive, headers, admitted, exchange=exchange, reply=reply)
        finally:
            self._runtime.ticker.leave(reply)
            self._context.in_flight.leave(exchange)
            exchange.settle()
            if self._runtime.slots.holds(request_id):
                self._runtime.tasks.start(self._runtime.slots.free(request_id), name="free slot")
            if exchange.charge is not None and self._context.stream_permits.holds(exchange.charge):
                self._runtime.tasks.start(
                    self._context.stream_permits.free(exchange.charge), name="free place"
                )

    async def _guarded(
        self,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        admitted: Authenticated,
        *,
        exchange: Exchange,
        reply: ResponseWriter,
    ) -> None:
        """Serve, and turn whatever goes wrong into what the client is told."""
        watch: asyncio.Task[None] | None = None
        try:
            body = await read_body(receive, headers)
            if len(body) > LARGE_BODY:
                await asyncio.sleep(0)
            watch = self._runtime.tasks.start(_watch(receive, exchange), name="watch")
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
            away = StoreUnreachable("The account store does not answer. Please try again.")
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
        admitted: Authenticated,
        *,
        exchange: Exchange,
        reply: ResponseWriter,
    ) -> None:
        """Serve; a key that is changed before anybody is asked is looked at again."""
        for _ in range(MOST_READINGS):
            try:
                await self._serve_as(body, headers, admitted, exchange=exchange, reply=reply)
            except KeyChanged as changed:
                admitted = changed.admitted
                exchange.key = admitted.key
            except UnknownModel:
                again = await self._context.admission.again(admitted)
                if again.is_same_as(admitted):
                    raise
                admitted, exchange.key = again, again.key
            else:
                return
        raise StoreUnreachable("API keys are being changed just now. Please try again.")

    async def _serve_as(
        self,
        body: bytes,
        headers: Mapping[str, str],
        admitted: Authenticated,
        *,
        exchange: Exchange,
        reply: ResponseWriter,
    ) -> None:
        traits = ClientTraits.of(headers)
        asked = await self._translated(body, traits, admitted, exchange)
        exchange.estimate = estimate(len(body), asked.request.input)
        charge = self._charge(admitted, exchange)
        exchange.fair_share = exchange.fair_share or _fair_share(admitted, exchange)
        answering = ResponsePump(self._context, asked, exchange, endpoint=self._name, reply=reply)
        answering.new_translator()
        committed = await self._context.dispatcher.dispatch(
            DispatchRequest(
                request=asked.request,
                lease_request=self._lease_request(asked, admitted, exchange, charge=charge),
                codex_headers=headers if traits.is_codex else None,
            ),
            exchange,
        )
        await answering.give(committed, codex=traits.is_codex)

    async def _translated(
        self, body: bytes, traits: ClientTraits, admitted: Authenticated, exchange: Exchange
    ) -> TranslatedRequest:
        """What the body asks, with what it only names put in."""
        key = admitted.key
        options = RequestOptions(
            key_id=key.id if key else "",
            history_mode=History(self._context.history_mode.value),
            default_model=(key.default_model or None) if key else None,
            default_effort=(key.default_effort or None) if key else None,
        )
        asked = READERS[self._name](
            body,
            catalogue=self._context.catalogues.current,
            options=options,
            client=traits,
        )
        exchange.streamed = asked.stream
        exchange.asked_model = asked.asked_model
        exchange.sent_model = asked.request.model
        exchange.dropped = asked.dropped
        check_model(key, asked.request.model)
        return await self._expanded(asked, options.key_id) if asked.unresolved else asked

    async def _expanded(self, asked: TranslatedRequest, key_id: str) -> TranslatedRequest:
        store = self._context.responses
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

    def _charge(self, admitted: Authenticated, exchange: Exchange) -> LimitCharge | None:
        """What the exchange draws on its key's limits."""
        key = admitted.key
        charge = (
            None
            if key is None
            else charge_for(
                key.id,
                key.limits,
                request_id=exchange.request_id,
                version=admitted.version,
                tokens=exchange.estimate,
            )
        )
        before = exchange.charge
        if before is not None and not before.drawn_at:
            self._context.stream_permits.forget(before)
            exchange.charge = None
        if charge is not None:
            exchange.charge = charge
            self._context.stream_permits.hold(charge)
        return charge

    def _lease_request(
        self,
        asked: TranslatedRequest,
        admitted: Authenticated,
        exchange: Exchange,
        *,
        charge: LimitCharge | None,
    ) -> LeaseRequest:
        async def confirm(version: int) -> None:
            again = await self._context.admission.confirm(admitted, version)
            if charge is not None:
                charge.version = version
            if not exchange.attempted and not again.is_same_as(admitted):
                raise KeyChanged(again)

        return LeaseRequest(
            model=asked.request.model,
            fingerprint=asked.fingerprint_source,
            begins=asked.begins,
            allowed_accounts=admitted.key.allowed_accounts if admitted.key else (),
            waiter=_waiter_of(admitted, exchange),
            charge=charge,
            fair_share=exchange.fair_share,
            confirm=confirm,
        )

    async def _fail(self, error: GatewayError, exchange: Exchange, reply: ResponseWriter) -> None:
        if exchange.charge is not None:
            await self._context.stream_permits.free(exchange.charge)
            if exchange.charge.allowance is not None and exchange.charge.allowance.refused:
                limit = exchange.charge.allowance.refused.value
                self._runtime.metrics.limit_refusals.labels(limit).inc()
        if exchange.fair_share is not None and exchange.fair_share.wait:
            self._runtime.metrics.limit_refusals.labels(Limit.FAIR_SHARE.value).inc()
        begun = exchange.account != "" or reply.started
        exchange.end(
            Ending.BROKEN if begun else Ending.REFUSED,
            status=200 if reply.started else error.status,
            code=error.label,
        )
        await reply.fail(error)


def _waiter_of(admitted: Authenticated, exchange: Exchange) -> Waiter:
    """On whose behalf an exchange asks for a slot."""
    key = admitted.key
    return Waiter(
        request_id=exchange.request_id,
        key_id=key.id if key else "open",
        weight=key.weight if key else 1.0,
        since=exchange.at,
    )


def _fair_share(admitted: Authenticated, exchange: Exchange) -> FairShare | None:
    """What an exchange claims of its key's share; without keys everybody is one."""
    key = admitted.key
    if key is None:
        return None
    return FairShare(
        key_id=key.id,
        weight=key.weight,
        request_id=exchange.request_id,
        tokens=exchange.estimate,
    )


async def _watch(receive: Receive, exchange: Exchange) -> None:
    """Wait until the client hangs up."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            exchange.interrupt(None)
            return
