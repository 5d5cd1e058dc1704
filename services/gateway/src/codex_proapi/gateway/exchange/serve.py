"""Serves one request, independent of the HTTP server: from authentication to the settled exchange.

The server's side provides a `Request` (headers, key, body) and a `Sink`. Whatever happens after
that, the client gets a response and the exchange is settled once.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

import msgspec

from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.http.connection.request_cycle import ClientGone
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.auth.authenticator import Authenticated
from codex_proapi.gateway.errors import GatewayError, LimitExceeded, StoreUnreachable
from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.request_handler import RequestHandler
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.server.body_budget import BodyHold, check_values
from codex_proapi.gateway.server.body_threads import work_on
from codex_proapi.gateway.server.error_response import internal_fault, log_refusal
from codex_proapi.gateway.server.request_context import bind_key
from codex_proapi.gateway.server.sink import Sink

LARGE_BODY = 1024 * 1024
"""Bytes of a body from which other tasks may run between reading it and translating it.

Ten megabytes of few values were seen to take 8 ms to translate, in one call. Bodies of many values
are worked on in a thread (`server.body_threads`).
"""


Watch: TypeAlias = Callable[[Callable[[], None]], Callable[[], None]]
"""Calls what it is given once the client has disconnected; gives what ends the watch."""


class Request(msgspec.Struct, kw_only=True):
    """One request of an authenticated client, as the server received it."""

    id: str
    dialect: Dialect
    headers: Mapping[str, str]
    """By lower-case name."""
    authenticated: Authenticated
    body: Callable[[], Awaitable[bytes]]
    """Reads the body, decompressed. Raises ClientFault or ClientGone."""
    hold: BodyHold
    """The body's share of the body budget; released when the body is not needed any more."""
    watch: Watch
    """Watches for the client's end, once the body was read."""

    def take_headers(self) -> Mapping[str, str]:
        """Its headers, once: they are not kept for as long as the answer takes."""
        headers, self.headers = self.headers, {}
        return headers


class ExchangeService:
    """Serves the requests of one process."""

    def __init__(self, services: Dependencies) -> None:
        self._services = services
        self._early: dict[str, Callable[[], None]] = {}
        self._patience_ticks = math.ceil(services.patience)
        self._whole_patience_ticks = math.ceil(services.whole_patience)

    def __repr__(self) -> str:
        return f"<ExchangeService with {self._services.in_flight!r}>"

    def _early_of(self, endpoint: str) -> Callable[[], None]:
        """What counts an early answer of an endpoint; looked up once."""
        counts = self._early.get(endpoint)
        if counts is None:
            counted = self._services.metrics.states.early_answers.labels(endpoint)
            counts = self._early[endpoint] = counted.inc
        return counts

    def hold_body(self, authenticated: Authenticated) -> BodyHold:
        """An empty share of the body budget, for a request of a key."""
        return BodyHold(self._services.bodies, authenticated.key.id if authenticated.key else "")

    async def authenticate(self, headers: Mapping[bytes, bytes]) -> Authenticated:
        """Check capacity and authenticate a request.

        Args:
            headers: request headers by lower-case name.

        Raises:
            Overloaded: too many exchanges are in flight, or the replica drains.
            BadKey: the API key is missing or not valid.
            StoreUnreachable: Redis is away and the key is not cached.
        """
        services = self._services
        try:
            services.in_flight.check()
            services.in_flight.arriving += 1
            try:
                authenticated = await services.authenticator.authenticate(headers)
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
        services = self._services
        exchange = Exchange(
            request_id=request.id,
            endpoint=request.dialect.name,
            at=services.clock(),
            readers=services.readers,
            key=request.authenticated.key,
            hold=request.hold,
        )
        writer = ResponseWriter(
            sink,
            exchange,
            tasks=services.tasks,
            patience_ticks=self._patience_ticks,
            whole_patience_ticks=self._whole_patience_ticks,
            gaps=services.metrics.gaps.of(request.dialect.name),
            limit_headers=request.dialect.limit_headers,
            early=self._early_of(request.dialect.name),
        )
        services.in_flight.enter(exchange)
        services.ticker.join(writer)
        try:
            await self._guarded(request, exchange, writer)
        finally:
            services.ticker.leave(writer)
            services.in_flight.leave(exchange)
            try:
                exchange.settle()
            finally:
                writer.forget()
                self._give_back(exchange)

    async def _guarded(self, request: Request, exchange: Exchange, writer: ResponseWriter) -> None:
        """Handle the request; every exception becomes an error response or event."""
        end_watch: Callable[[], None] | None = None
        try:
            exchange.body = await request.body()
            # No name for the work: it would hold the body for as long as the answer takes.
            await work_on(
                exchange.body, partial(check_values, exchange.body), turn=request.hold.turn
            )
            if len(exchange.body) > LARGE_BODY:
                await asyncio.sleep(0)
            end_watch = request.watch(partial(exchange.interrupt, None))
            await RequestHandler(self._services, request.dialect, exchange, writer).handle(
                request.take_headers(), request.authenticated
            )
        except ClientGone:
            exchange.end(Ending.ABANDONED)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not exchange.interrupted or task is None:
                raise
            task.uncancel()
            if exchange.interruption is not None:
                await self._fail(exchange.interruption, exchange, writer)
        except GatewayError as error:
            await self._fail(error, exchange, writer)
        except StoreUnavailable:
            away = StoreUnreachable("The store cannot be used at the moment. Please try again.")
            await self._fail(away, exchange, writer)
        except Exception as error:  # noqa: BLE001 - the client is owed an answer whatever happened
            await self._fail(internal_fault(error), exchange, writer)
        finally:
            if end_watch is not None:
                end_watch()

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

    def _give_back(self, exchange: Exchange) -> None:
        """Release slot and stream permit that the exchange still holds, in the background."""
        services = self._services
        if services.queue.holds(exchange.request_id):
            services.tasks.start(services.queue.free(exchange.request_id), name="free slot")
        charge = exchange.claims.charge
        if charge is not None and services.stream_permits.holds(charge):
            services.tasks.start(services.stream_permits.free(charge), name="free permit")
