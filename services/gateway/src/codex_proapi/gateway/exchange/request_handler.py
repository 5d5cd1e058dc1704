"""Handles one request body: translate it, charge the key's limits, dispatch it, pump the answer.

If the API key turns out to have changed before the first attempt, the body is translated again with
the key's new terms.
"""

from collections.abc import Mapping

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.gateway.auth.authenticator import Authenticated, KeyChanged, check_model
from codex_proapi.gateway.errors import StoreUnreachable, UnknownModel
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.dispatch_state import Committed, DispatchRequest
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.response_pump import ResponsePump
from codex_proapi.gateway.exchange.response_writer import ResponseWriter
from codex_proapi.gateway.limits.charge import LimitCharge, charge_for
from codex_proapi.gateway.pool.concurrency import Waiter
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.translation.history.token_estimate import estimate
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses.stored_items import expand

MOST_READINGS = 3
"""Most translations of one request because its key changed meanwhile."""


class RequestHandler:
    """Handles the body of one exchange, from translation to the last byte of the answer."""

    def __init__(
        self, services: Dependencies, dialect: Dialect, exchange: Exchange, writer: ResponseWriter
    ) -> None:
        self._services = services
        self._dialect = dialect
        self._exchange = exchange
        self._writer = writer

    def __repr__(self) -> str:
        return f"<RequestHandler of {self._exchange!r}>"

    async def handle(self, headers: Mapping[str, str], authenticated: Authenticated) -> None:
        """Handle `exchange.body`; repeated if the key changes before the first attempt.

        Args:
            headers: request headers by lower-case name.
            authenticated: the client's key as authentication found it.

        Raises:
            GatewayError: the client's error.
        """
        for _ in range(MOST_READINGS):
            try:
                await self._handle_as(headers, authenticated)
            except KeyChanged as changed:
                authenticated = changed.admitted
                self._exchange.key = authenticated.key
            except UnknownModel:
                again = await self._services.authenticator.again(authenticated)
                if again.is_same_as(authenticated):
                    raise
                authenticated, self._exchange.key = again, again.key
            else:
                return
        raise StoreUnreachable("API keys are being changed just now. Please try again.")

    async def _handle_as(self, headers: Mapping[str, str], authenticated: Authenticated) -> None:
        # The request may be megabytes, so no frame that awaits the whole answer refers to it.
        codex = ClientTraits.of(headers).is_codex
        pump, committed = await self._dispatched(headers, authenticated)
        await pump.give(committed, codex=codex)

    async def _dispatched(
        self, headers: Mapping[str, str], authenticated: Authenticated
    ) -> tuple[ResponsePump, Committed]:
        """Translate and dispatch; gives the committed answer and the pump for it."""
        exchange, traits = self._exchange, ClientTraits.of(headers)
        asked = await self._translated(traits, authenticated)
        exchange.estimate = estimate(len(exchange.body), asked.request.input)
        charge = self._charge(authenticated)
        exchange.fair_share = exchange.fair_share or _fair_share(authenticated, exchange)
        pump = ResponsePump(
            self._services, self._dialect, asked, exchange=exchange, writer=self._writer
        )
        pump.new_translator()
        committed = await self._services.dispatcher.dispatch(
            DispatchRequest(
                request=asked.request,
                lease_request=self._lease_request(asked, authenticated, charge),
                codex_headers=headers if traits.is_codex else None,
            ),
            exchange,
        )
        if asked.stream:
            # A stream that the client has received is never requested again.
            committed.forget_request()
            pump.forget_request()
            exchange.forget_request()
        return pump, committed

    async def _translated(
        self, traits: ClientTraits, authenticated: Authenticated
    ) -> TranslatedRequest:
        """Translate the body, with stored responses and item references resolved."""
        exchange, key = self._exchange, authenticated.key
        options = RequestOptions(
            key_id=key.id if key else "",
            history_mode=HistoryMode(self._services.options.history_mode.value),
            default_model=(key.default_model or None) if key else None,
            default_effort=(key.default_effort or None) if key else None,
        )
        asked = self._dialect.read(
            exchange.body,
            catalogue=self._services.catalogues.current,
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
        store = self._services.responses
        previous = None
        if asked.previous_response_id is not None:
            kept = await store.response(key_id, asked.previous_response_id)
            previous = None if kept is None else list(kept)
        found = await store.items(key_id, asked.references)
        return expand(asked, previous_items=previous, referenced_items=found)

    def _charge(self, authenticated: Authenticated) -> LimitCharge | None:
        """Make the charge to the key's limits; replaces an earlier one that was never drawn."""
        exchange, key = self._exchange, authenticated.key
        charge = None
        if key is not None:
            charge = charge_for(
                key.id,
                key.limits,
                request_id=exchange.request_id,
                version=authenticated.version,
                tokens=exchange.estimate,
            )
        before = exchange.charge
        if before is not None and not before.drawn_at:
            self._services.stream_permits.forget(before)
            exchange.charge = None
        if charge is not None:
            exchange.charge = charge
            self._services.stream_permits.hold(charge)
        return charge

    def _lease_request(
        self, asked: TranslatedRequest, authenticated: Authenticated, charge: LimitCharge | None
    ) -> LeaseRequest:
        exchange = self._exchange

        async def confirm(version: int) -> None:
            again = await self._services.authenticator.confirm(authenticated, version)
            if charge is not None:
                charge.version = version
            if not exchange.attempted and not again.is_same_as(authenticated):
                raise KeyChanged(again)

        return LeaseRequest(
            model=asked.request.model,
            fingerprint=asked.fingerprint_source,
            begins=asked.begins,
            allowed_accounts=authenticated.key.allowed_accounts if authenticated.key else (),
            waiter=_waiter(authenticated, exchange),
            charge=charge,
            fair_share=exchange.fair_share,
            confirm=confirm,
        )


def _waiter(authenticated: Authenticated, exchange: Exchange) -> Waiter:
    """The queue entry with which an exchange waits for a concurrency slot."""
    key = authenticated.key
    return Waiter(
        request_id=exchange.request_id,
        key_id=key.id if key else "open",
        weight=key.weight if key else 1.0,
        since=exchange.at,
    )


def _fair_share(authenticated: Authenticated, exchange: Exchange) -> FairShare | None:
    """An exchange's claim to its key's fair share; None without a key."""
    key = authenticated.key
    if key is None:
        return None
    return FairShare(
        key_id=key.id,
        weight=key.weight,
        request_id=exchange.request_id,
        tokens=exchange.estimate,
    )
