"""Handles one request body: translate it, admit it, dispatch it, pump the answer.

Each step hands its result to the next. A body is translated a second time only if the terms of its
key have changed between authentication and admission.
"""

from collections.abc import Mapping
from functools import partial

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.cluster.live_settings import ModelSubstitution, ReasoningSummary
from codex_proapi.gateway.auth.authenticator import Authenticated, check_model
from codex_proapi.gateway.errors import StoreUnreachable, UnknownModel
from codex_proapi.gateway.exchange.answer.response_pump import ResponsePump
from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.dispatch_state import (
    LONGEST_WAIT,
    WAIT_MARGIN,
    Committed,
    DispatchRequest,
)
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.limits.limit_charge import charge_for
from codex_proapi.gateway.pool.admission_control import (
    CHANGING,
    Admission,
    AdmissionRequest,
    KeyChanged,
)
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.pool.slot_queue import Waiter
from codex_proapi.gateway.server.body_threads import work_on
from codex_proapi.gateway.translation.history.token_estimate import estimate
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses.stored_items import expand

MOST_TRANSLATIONS = 3
"""Most translations of one request because the terms of its key have changed meanwhile."""

SEARCH_TOOL = "tools.web_search"
"""What `x-dropped-parameters` calls a hosted search that the model's only shape does not have."""


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
        """Handle `exchange.body`.

        Args:
            headers: request headers by lower-case name.
            authenticated: the client's key as authentication found it.

        Raises:
            GatewayError: the client's error.
        """
        # The request may be megabytes, so no frame that awaits the whole answer refers to it.
        traits = ClientTraits.of(headers)
        pump, committed = await self._dispatched(traits, headers, authenticated)
        await pump.give(committed, codex=traits.is_codex)

    async def _dispatched(
        self, traits: ClientTraits, headers: Mapping[str, str], authenticated: Authenticated
    ) -> tuple[ResponsePump, Committed]:
        """Admit and dispatch; gives the committed answer and the pump for it."""
        exchange = self._exchange
        translated, pump, admission = await self._admitted(traits, authenticated)
        exchange.release_body()
        committed = await self._services.dispatcher.dispatch(
            DispatchRequest(
                request=translated.request,
                lease_request=admission.lease_request,
                state=admission.state,
                longest_wait=self._longest_wait(streams=translated.stream),
                codex_headers=headers if traits.is_codex else None,
                drop_substituted=self._drops_substituted,
            ),
            exchange,
        )
        if committed.lost_search:
            pump.note_dropped(SEARCH_TOOL)
        if translated.stream:
            # A stream that the client has received is never requested again.
            committed.forget_request()
            pump.forget_request()
            exchange.forget_request()
        return pump, committed

    @property
    def _drops_substituted(self) -> bool:
        return self._services.options.model_substitution is ModelSubstitution.RETRY

    def _longest_wait(self, *, streams: bool) -> float:
        """Seconds that may be waited for an account, so that a refusal then is still a status."""
        if not streams:
            return LONGEST_WAIT
        return min(LONGEST_WAIT, self._writer.seconds_until_early_start - WAIT_MARGIN)

    async def _admitted(
        self, traits: ClientTraits, authenticated: Authenticated
    ) -> tuple[TranslatedRequest, ResponsePump, Admission]:
        """Translate and admit the request by the terms that its key has now.

        The pump is made before the admission: a refusal is written in the way of its answers.
        """
        services = self._services
        for _ in range(MOST_TRANSLATIONS):
            translated, authenticated = await self._translated(traits, authenticated)
            pump = ResponsePump(
                services, self._dialect, translated, exchange=self._exchange, writer=self._writer
            )
            pump.new_translator()
            await services.dispatcher.context.check_egress()
            admitted = await services.admission_control.admit(
                AdmissionRequest(
                    lease_request=self._lease_request(translated, authenticated),
                    authenticated=authenticated,
                    claims=self._claims(authenticated),
                )
            )
            if not isinstance(admitted, KeyChanged):
                return translated, pump, admitted
            authenticated = admitted.authenticated
        raise StoreUnreachable(CHANGING)

    async def _translated(
        self, traits: ClientTraits, authenticated: Authenticated
    ) -> tuple[TranslatedRequest, Authenticated]:
        """Translate the body; gives it with the authentication that it was translated by.

        A model is refused only by the current terms of the key, not by cached ones.
        """
        try:
            return await self._translated_as(traits, authenticated), authenticated
        except UnknownModel:
            current = await self._services.authenticator.again(authenticated)
            if current.is_same_as(authenticated):
                raise
            return await self._translated_as(traits, current), current

    async def _translated_as(
        self, traits: ClientTraits, authenticated: Authenticated
    ) -> TranslatedRequest:
        """Translate the body for a key, with stored responses and item references resolved."""
        exchange, key = self._exchange, authenticated.key
        exchange.identify(key)
        options = RequestOptions(
            key_id=key.id if key else "",
            history_mode=HistoryMode(self._services.options.history_mode.value),
            default_model=(key.default_model or None) if key else None,
            default_effort=(key.default_effort or None) if key else None,
            reasoning_summary=self._summary(key),
        )
        work = partial(
            self._dialect.read,
            exchange.body,
            catalogue=self._services.catalogues.current,
            options=options,
            client=traits,
        )
        translated = await work_on(exchange.body, work, turn=exchange.body_turn())
        exchange.note_translation(translated)
        check_model(key, translated.request.model)
        stored: list[bytes] = []
        if translated.unresolved:
            translated = await self._expanded(translated, options.key_id, stored)
        parts = [exchange.body, *stored]
        counting = partial(estimate, sum(map(len, parts)), translated.request.input)
        exchange.note_estimate(await work_on(parts, counting, turn=exchange.body_turn()))
        return translated

    def _summary(self, key: ApiKey | None) -> str | None:
        """The reasoning summary where the client says nothing; None leaves it to the catalogue."""
        if key is not None and key.reasoning_summary:
            return key.reasoning_summary
        chosen = self._services.options.reasoning_summary
        return None if chosen is ReasoningSummary.MODEL else chosen.value

    async def _expanded(
        self, translated: TranslatedRequest, key_id: str, stored: list[bytes]
    ) -> TranslatedRequest:
        """Resolve stored responses and item references; `stored` gets what was found of them.

        Their bytes count towards the body budget: a short request may name a long conversation.
        """
        store = self._services.responses
        previous = None
        if translated.previous_response_id is not None:
            kept = await store.response(key_id, translated.previous_response_id)
            previous = None if kept is None else list(kept)
        found = await store.items(key_id, translated.references)
        stored += [*(previous or ()), *found.values()]
        self._exchange.hold_stored(sum(map(len, stored)))
        work = partial(expand, translated, previous_items=previous, referenced_items=found)
        return await work_on(stored, work, turn=self._exchange.body_turn())

    def _claims(self, authenticated: Authenticated) -> Claims:
        """Make the claims on the key; they replace earlier ones whose charge was never made."""
        exchange, key, before = self._exchange, authenticated.key, self._exchange.claims
        if before.pending is not None:
            self._services.stream_permits.forget(before.pending)
        if key is None:
            return before
        charge = charge_for(
            key.id,
            key.limits,
            request_id=exchange.request_id,
            version=authenticated.version,
            tokens=exchange.estimate,
            calendar=self._services.options.calendar,
        )
        share = before.fair_share or FairShare(
            key_id=key.id,
            weight=key.weight,
            request_id=exchange.request_id,
            tokens=exchange.estimate,
        )
        if charge is not None:
            self._services.stream_permits.hold(charge)
        elif before.pending is None:
            charge = before.charge  # made by earlier terms; settlement corrects it
        claims = Claims(charge=charge, fair_share=share)
        exchange.claim(claims)
        return claims

    def _lease_request(
        self, translated: TranslatedRequest, authenticated: Authenticated
    ) -> LeaseRequest:
        key, exchange = authenticated.key, self._exchange
        return LeaseRequest(
            model=translated.request.model,
            fingerprint=translated.fingerprint_source,
            begins=translated.begins,
            allowed_accounts=key.allowed_accounts if key else (),
            waiter=Waiter(
                request_id=exchange.request_id,
                key_id=key.id if key else "open",
                weight=key.weight if key else 1.0,
                since=exchange.at,
            ),
        )
