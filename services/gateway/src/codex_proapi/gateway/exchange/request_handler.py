"""Handles one request body: translate it, admit it, dispatch it.

Each step hands its result to the next. A body is translated a second time only if the terms of its
key have changed between authentication and admission, or if another model serves in place of one
that no account can.
"""

from typing import Final

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.small_work import WorkClass, WorkOutcome
from codex_proapi.commons.cluster.live_settings import ModelSubstitution
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.prices.price_table import PricedModel
from codex_proapi.gateway.auth.authenticator import Authenticated
from codex_proapi.gateway.auth.client_head import ClientHead
from codex_proapi.gateway.errors import (
    AccountsClosed,
    AllCooling,
    AllSpent,
    ClientFault,
    GatewayError,
    NoAccountAvailable,
    StoreUnreachable,
    UnknownModel,
    UpstreamRefused,
)
from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.dispatch_state import (
    Committed,
    DispatchState,
)
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.request_translator import RequestTranslator
from codex_proapi.gateway.exchange.reserve import on_reserve, reserve_for
from codex_proapi.gateway.formats.codex.requests import Shape
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
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    TranslatedRequest,
)

NO_FALLBACKS: Final = "none"
"""A key's `model_fallbacks` if it admits no other model than it asked for."""
MOST_FALLBACKS: Final = 3
"""Most models that are tried in place of one another for one request."""
REPLACED: Final = (AccountsClosed, AllCooling, AllSpent, UnknownModel)
"""Errors in whose place a fallback serves."""
FALLBACK_SECONDS: Final = 10.0
"""A fallback serves where the accounts are expected back later than this."""
MOST_TRANSLATIONS = 3
"""Most translations of one request because the terms of its key have changed meanwhile."""

SEARCH_TOOL = "tools.web_search"
"""What `x-dropped-parameters` calls a hosted search that the model's only shape does not have."""


class RequestHandler:
    """Handles the bodies of one dialect, from their translation to a committed answer.

    Args:
        services: the dependencies.
        dialect: the dialect.
    """

    def __init__(self, services: Dependencies, dialect: Dialect) -> None:
        self._services = services
        self._translator = RequestTranslator(services, dialect)

    def __repr__(self) -> str:
        return f"<RequestHandler with {self._translator!r}>"

    async def dispatched(
        self,
        exchange: Exchange,
        writer: ResponseWriter,
        client: ClientHead,
        *,
        authenticated: Authenticated,
    ) -> Committed:
        """Translate, admit and dispatch `exchange.body`; gives the committed answer.

        Where no account can serve the model for a while, its fallback is sent instead; where the
        model of small work cannot serve, the one that was asked for. Raises
        GatewayError, the client's error.
        """
        traits, options = client.traits, self._services.options
        exchange.is_codex = traits.is_codex
        translated, admission = await self._admitted(exchange, writer, traits, authenticated)
        asked = DispatchState(
            exchange=exchange,
            request=translated.request,
            lease_request=admission.lease_request,
            first=admission.state,
            longest_wait=writer.longest_wait,
            codex_headers=client.headers if traits.is_codex else None,
            drop_substituted=options.model_substitution is ModelSubstitution.RETRY,
            on_sent=writer.translator,
            # A stream that the client has received is never requested again.
            repeatable=not translated.stream,
        )
        key = exchange.key
        if (
            translated.small_work
            or options.model_fallbacks
            or options.luna_reserve is not LunaReserve.OFF
            or (key is not None and key.model_fallbacks)
        ):
            asked, committed = await self._with_substitutes(asked, translated, traits, writer)
        else:
            exchange.body = b""
            committed = await self._services.dispatcher.dispatch(asked)
        exchange.body = b""
        if asked.request.shape is Shape.LITE and asked.request.searches:
            exchange.note_dropped(SEARCH_TOOL)
        return committed

    async def _admitted(
        self,
        exchange: Exchange,
        writer: ResponseWriter,
        traits: ClientTraits,
        authenticated: Authenticated,
    ) -> tuple[TranslatedRequest, Admission]:
        """Translate and admit the request by the terms that its key has now."""
        services = self._services
        for _ in range(MOST_TRANSLATIONS):
            translated, authenticated = await self._translator.by_current_terms(
                exchange, traits, authenticated
            )
            writer.begin(streams=translated.stream, codex=translated.verbatim)
            if services.dispatcher.context.egress.until:
                await services.dispatcher.context.check_egress()
            claims = exchange.claims
            if authenticated.key is not None or claims.charge is not None:
                claims = self._claims(exchange, authenticated, model=translated.request.model)
            admitted = await services.admission_control.admit(
                AdmissionRequest(
                    lease_request=_lease_request(exchange, translated),
                    authenticated=authenticated,
                    claims=claims,
                )
            )
            if not isinstance(admitted, KeyChanged):
                return translated, admitted
            authenticated = admitted.authenticated
        raise StoreUnreachable(CHANGING)

    async def _with_substitutes(
        self,
        asked: DispatchState,
        translated: TranslatedRequest,
        traits: ClientTraits,
        writer: ResponseWriter,
    ) -> tuple[DispatchState, Committed]:
        """Dispatch a request, or what may be sent in its place; gives the one that was answered."""
        exchange, options = asked.exchange, self._services.options
        fallbacks, unserved = 0, None
        while True:
            fallback = ""
            if fallbacks < MOST_FALLBACKS:
                fallback = self._translator.fallback_of(translated, exchange.key)
            reserve = ""
            if not fallback and options.luna_reserve is not LunaReserve.OFF:
                reserve = self._reserve_for(exchange, translated)
            if not fallback and not translated.small_work and not reserve:
                exchange.body = b""
            try:
                return asked, await self._services.dispatcher.dispatch(asked)
            except (NoAccountAvailable, UnknownModel, UpstreamRefused) as error:
                lasts = isinstance(error, REPLACED) and _lasts(error)
                if translated.small_work:
                    work = WorkClass(translated.small_work)
                    translated = await self._as_asked(exchange, traits, work)
                elif fallback and lasts:
                    translated = await self._replaced(exchange, translated, traits, fallback, error)
                    fallbacks += 1
                elif reserve and lasts:
                    translated = await self._on_reserve(
                        exchange, traits, translated, reserve, error
                    )
                    unserved = error
                elif unserved is not None and isinstance(error, REPLACED):
                    raise unserved from None  # that a reserve cannot serve either says less
                else:
                    raise
                writer.begin(streams=translated.stream, codex=translated.verbatim)
            asked = DispatchState(
                exchange=exchange,
                request=translated.request,
                lease_request=_lease_request(exchange, translated),
                longest_wait=writer.longest_wait,
                codex_headers=asked.codex_headers,
                drop_substituted=asked.drop_substituted,
                on_sent=asked.on_sent,
                repeatable=asked.repeatable,
            )

    def _reserve_for(self, exchange: Exchange, translated: TranslatedRequest) -> str:
        """The model whose reserve may serve; empty if none may, or one was asked already."""
        key, request = exchange.key, translated.request
        if request.route or translated.small_work or request.reserve_of:
            return ""
        return reserve_for(
            request.model,
            mode=self._services.options.luna_reserve,
            serves=self._services.reserve_models(),
            takes_fallbacks=key is None or key.model_fallbacks != NO_FALLBACKS,
        )

    async def _on_reserve(
        self,
        exchange: Exchange,
        traits: ClientTraits,
        translated: TranslatedRequest,
        model: str,
        error: GatewayError,
    ) -> TranslatedRequest:
        """The request for the reserve of a model. Raises `error` if that cannot serve this request."""
        if translated.request.model != model:
            translated = await self._replaced(exchange, translated, traits, model, error)
        reserved = on_reserve(translated)
        exchange.translated = reserved
        return reserved

    async def _as_asked(
        self, exchange: Exchange, traits: ClientTraits, work: WorkClass
    ) -> TranslatedRequest:
        """The request of small work for the model that was asked for, as its own cannot serve it."""
        translated = await self._translator.translate(exchange, traits, exchange.key)
        exchange.note_small_work(work, WorkOutcome.REFUSED)
        return translated

    async def _replaced(
        self,
        exchange: Exchange,
        refused: TranslatedRequest,
        traits: ClientTraits,
        fallback: str,
        error: GatewayError,
    ) -> TranslatedRequest:
        """The request for a fallback. Raises `error` if it cannot serve this request, or this key."""
        try:
            return await self._translator.translate(exchange, traits, exchange.key, fallback)
        except ClientFault:
            exchange.translated = refused  # the fallback was never sent
            raise error from None

    def _claims(self, exchange: Exchange, authenticated: Authenticated, *, model: str) -> Claims:
        """Make the claims on the key; they replace earlier ones whose charge was never made."""
        key, before = authenticated.key, exchange.claims
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
            priced=PricedModel(
                table=self._services.options.prices.table,
                model=model,
                output=self._services.expected_output.of(model),
            )
            if key.limits.priced
            else None,
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
        exchange.claims = claims
        return claims


def _lease_request(exchange: Exchange, translated: TranslatedRequest) -> LeaseRequest:
    key = exchange.key
    return LeaseRequest(
        model=translated.request.model,
        fingerprint=translated.fingerprint_source,
        is_guest=bool(translated.small_work),
        begins=translated.begins,
        allowed_accounts=key.allowed_accounts if key else (),
        key_group=key.group if key else "",
        waiter=Waiter(
            request_id=exchange.request_id,
            key_id=key.id if key else "open",
            weight=key.weight if key else 1.0,
            since=exchange.at,
        ),
    )


def _lasts(error: GatewayError) -> bool:
    """Whether an error's cause will last so long that another model should serve."""
    if isinstance(error, AllCooling):
        return (error.retry_after or 0) > FALLBACK_SECONDS
    if isinstance(error, AccountsClosed):
        return error.retry_after is None or error.retry_after > FALLBACK_SECONDS
    return True
