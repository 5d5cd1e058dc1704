"""Serves one request, independent of the HTTP server: from authentication to the settled exchange.

The server's side provides a `Request` (headers, body) and a `Sink`. Whatever happens after that, the
client gets a response and the exchange is settled once.
"""

import asyncio
import math
from collections.abc import Callable
from functools import cached_property, partial

import msgspec

from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.http.connection.request_cycle import ClientGone
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.auth.authenticator import Authenticated
from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.auth.client_head import NO_HEAD, ClientHead
from codex_proapi.gateway.errors import GatewayError, LimitExceeded, StoreUnreachable
from codex_proapi.gateway.exchange.answer.response_pump import ResponsePump
from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter, WriterTerms
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.request_handler import RequestHandler
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.server.body_budget import MOST_CONTAINERS, BodyHold, check_values
from codex_proapi.gateway.server.body_threads import work_on
from codex_proapi.gateway.server.error_response import internal_fault, log_refusal
from codex_proapi.gateway.server.request_context import bind_key
from codex_proapi.gateway.server.sink import Sink

LARGE_BODY = 1024 * 1024
"""Bytes of a body from which other tasks may run between reading it and translating it.

Ten megabytes of few values were seen to take 8 ms to translate, in one call. Bodies of many values
are worked on in a thread (`server.body_threads`).
"""


class Request(msgspec.Struct, kw_only=True, eq=False):
    """One request, as the server received it; each way that requests come in has a subclass."""

    id: str
    head: ClientHead
    """What its head says."""
    watch: Callable[[Callable[[], None]], None]
    """Calls what it is given once the client has left; used when the body was read."""
    whole: bytes | None = None
    """The body, if it has come already and is not packed."""
    authenticated: Authenticated | None = None
    """Its client, if that is known already."""
    hold: BodyHold | None = None
    """The body's share of the body budget, if it has one already."""

    async def read_body(self, hold: BodyHold) -> bytes:
        """The body, decompressed, once; `hold` takes its bytes. Raises ClientFault or ClientGone."""
        raise NotImplementedError

    def take_head(self) -> ClientHead:
        """What its head says, once: an answer may take long."""
        head, self.head = self.head, NO_HEAD
        return head


class ExchangeService:
    """Serves the requests of one dialect."""

    def __init__(self, services: Dependencies, dialect: Dialect) -> None:
        self._services = services
        self.dialect = dialect
        self._early_answers = services.metrics.states.early_answers.labels(dialect.name)
        self._pump = ResponsePump(services, dialect)
        self._handler = RequestHandler(services, dialect)

    def __repr__(self) -> str:
        return f"<ExchangeService of {self.dialect.name} with {self._services.in_flight!r}>"

    def hold_body(self, authenticated: Authenticated) -> BodyHold:
        """An empty share of the body budget, for a request of a key."""
        return BodyHold(self._services.bodies, authenticated.key.id if authenticated.key else "")

    async def authenticate(self, caller: Caller) -> Authenticated:
        """Check capacity and authenticate a request.

        Raises:
            Overloaded: too many exchanges are in flight, or the replica drains.
            BadKey: the API key is missing or not valid.
            StoreUnreachable: Redis is away and the key is not cached.
        """
        services = self._services
        try:
            services.in_flight.check()
            authenticated = services.authenticator.known(caller)
            if authenticated is None:
                services.in_flight.arriving += 1
                try:
                    authenticated = await services.authenticator.authenticate(caller)
                finally:
                    services.in_flight.arriving -= 1
                services.in_flight.check()  # as many may have waited for Redis as there is room for
        except GatewayError as error:
            services.metrics.refused_before_exchange.labels(error.label).inc()
            if isinstance(error, StoreUnreachable):
                services.metrics.redis_failed(RedisWork.AUTHENTICATE)
            log_refusal(error)
            raise
        bind_key(authenticated.key.name if authenticated.key else "")
        return authenticated

    async def serve(self, request: Request, sink: Sink) -> None:
        """Serve one request to its settlement; errors go to the client, none is raised.

        Raises:
            CancelledError: the calling task was cancelled, other than by `Exchange.interrupt`.
        """
        try:
            authenticated = request.authenticated or await self.authenticate(request.head.caller)
        except GatewayError as error:
            await sink.fail(error)
            return
        exchange, writer = self._begun(request, sink, authenticated)
        try:
            if request.whole is None:
                exchange.body = await request.read_body(exchange.hold)
            else:
                exchange.body, request.whole = request.whole, None
                exchange.hold.take(len(exchange.body))
            if len(exchange.body) > MOST_CONTAINERS:  # a smaller one cannot hold too many values
                await _check_large(exchange.body, exchange.hold)
            request.watch(partial(exchange.interrupt, None))
            committed = await self._handler.dispatched(
                exchange, writer, request.take_head(), authenticated=authenticated
            )
            await self._pump.give(committed, exchange, writer)
        except ClientGone:
            exchange.end(Ending.ABANDONED)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not exchange.interrupted or task is None:
                raise
            task.uncancel()
            if exchange.interruption is not None:
                await self._fail(exchange.interruption, exchange, writer)
        except Exception as error:  # noqa: BLE001 - the client is owed an answer whatever happened
            await self._fail(_as_told(error), exchange, writer)
        finally:
            self._end(exchange, writer)

    def _begun(
        self, request: Request, sink: Sink, authenticated: Authenticated
    ) -> tuple[Exchange, ResponseWriter]:
        """A new exchange and what writes its answer, both under way until `_end`."""
        services, dialect, key = self._services, self.dialect, authenticated.key
        exchange = Exchange(
            request_id=request.id,
            endpoint=dialect.name,
            at=services.clock(),
            readers=services.readers,
            key=key,
            hold=request.hold or BodyHold(services.bodies, key.id if key else ""),
        )
        writer = ResponseWriter(sink, exchange, self._terms)
        services.in_flight.enter(exchange)
        services.ticker.join(writer)
        return exchange, writer

    @cached_property
    def _terms(self) -> WriterTerms:
        """What the dialect's answers share; made, and their gaps told, from its first request on."""
        services, dialect = self._services, self.dialect
        return WriterTerms(
            tasks=services.tasks,
            patience_ticks=math.ceil(services.patience),
            whole_patience_ticks=math.ceil(services.whole_patience),
            gaps=services.metrics.gaps.of(dialect.name),
            limit_headers=dialect.limit_headers,
            translator=self._pump.translator,
            early=self._early_answers.inc,
        )

    def _end(self, exchange: Exchange, writer: ResponseWriter) -> None:
        """Settle the exchange, and release what it still holds, in the background."""
        services = self._services
        services.ticker.leave(writer)
        services.in_flight.leave(exchange)
        try:
            exchange.settle()
        finally:
            services.queue.release(exchange.request_id)
            charge = exchange.claims.charge
            if charge is not None and services.stream_permits.holds(charge):
                services.tasks.start(services.stream_permits.free(charge), name="free permit")

    async def _fail(self, error: GatewayError, exchange: Exchange, writer: ResponseWriter) -> None:
        begun = exchange.account != "" or writer.started
        # Said first: an exchange whose end is known is not interrupted while Redis is waited for.
        exchange.end(
            Ending.BROKEN if begun else Ending.REFUSED,
            status=200 if writer.started else error.status,
            code=error.label,
            limited=isinstance(error, LimitExceeded),
        )
        refusals = self._services.metrics.limit_refusals
        charge, share = exchange.claims.charge, exchange.claims.fair_share
        if charge is not None:
            await self._services.stream_permits.free(charge)
            if charge.allowance is not None and charge.allowance.refused:
                refusals.labels(charge.allowance.refused.value).inc()
        if share is not None and share.wait:
            refusals.labels(Limit.FAIR_SHARE.value).inc()
        await writer.fail(error)


async def _check_large(body: bytes, hold: BodyHold) -> None:
    """Check the values of a body; others have a turn before it is translated. Raises TooLarge."""
    await work_on(body, partial(check_values, body), turn=hold.turn)
    if len(body) > LARGE_BODY:
        await asyncio.sleep(0)


def _as_told(error: Exception) -> GatewayError:
    """What a client is told of an exception."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, StoreUnavailable):
        return StoreUnreachable("The store cannot be used at the moment. Please try again.")
    return internal_fault(error)
