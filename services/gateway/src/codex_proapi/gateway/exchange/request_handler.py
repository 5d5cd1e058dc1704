"""Handles one request body: translate it, admit it, dispatch it.

Each step hands its result to the next. A body is translated a second time only if the terms of its
key have changed between authentication and admission, or if another model serves in place of one
that no account can.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.small_work import WorkClass, WorkOutcome
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.cluster.live_settings import ModelSubstitution
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.prices.price_table import PricedModel
from codex_proapi.gateway.auth.authenticator import Authenticated
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
from codex_proapi.gateway.exchange.request_translator import RequestTranslator
from codex_proapi.gateway.exchange.reserve import on_reserve, reserve_for
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

if TYPE_CHECKING:
    from codex_proapi.gateway.pool.state.pool_reader import PoolState

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
    """Handles the body of one exchange, from its translation to a committed answer."""

    def __init__(
        self, services: Dependencies, dialect: Dialect, exchange: Exchange, writer: ResponseWriter
    ) -> None:
        self._services = services
        self._dialect = dialect
        self._exchange = exchange
        self._writer = writer
        self._translator = RequestTranslator(services, dialect, exchange)
        self._pump_of = partial(ResponsePump, services, dialect, exchange=exchange, writer=writer)
        """Makes the pump of a translated request."""

    def __repr__(self) -> str:
        return f"<RequestHandler of {self._exchange!r}>"

    async def dispatched(
        self, headers: Mapping[str, str], authenticated: Authenticated
    ) -> Callable[[], Awaitable[None]]:
        """Translate, admit and dispatch `exchange.body`; gives what pumps the committed answer.

        Where no account can serve the model for a while, its fallback is sent instead; where the
        model of small work cannot serve, the one that was asked for. `headers` are the request's by
        lower-case name. Raises GatewayError, the client's error.
        """
        traits = ClientTraits.of(headers)
        translated, pump, admission = await self._admitted(traits, authenticated)
        lease_request = admission.lease_request
        state: PoolState | None = admission.state
        options, fallbacks, unserved = self._services.options, 0, None
        while True:
            fallback = ""
            if fallbacks < MOST_FALLBACKS:
                fallback = self._translator.fallback_of(translated, self._exchange.key)
            reserve = ""
            if not fallback and options.luna_reserve is not LunaReserve.OFF:
                reserve = self._reserve_for(translated)
            if not fallback and not translated.small_work and not reserve:
                self._exchange.body = b""
            request = DispatchRequest(
                request=translated.request,
                lease_request=lease_request,
                state=state,
                # So that a refusal after it is still a status.
                longest_wait=min(LONGEST_WAIT, self._writer.seconds_until_early_start - WAIT_MARGIN)
                if translated.stream
                else LONGEST_WAIT,
                codex_headers=headers if traits.is_codex else None,
                drop_substituted=options.model_substitution is ModelSubstitution.RETRY,
            )
            try:
                committed = await self._services.dispatcher.dispatch(request, self._exchange)
                break
            except (NoAccountAvailable, UnknownModel, UpstreamRefused) as error:
                if translated.small_work:
                    translated, pump = await self._as_asked(
                        traits, WorkClass(translated.small_work)
                    )
                elif fallback and isinstance(error, REPLACED) and _lasts(error):
                    translated, pump = await self._replaced(translated, traits, fallback, error)
                    fallbacks += 1
                elif reserve and isinstance(error, REPLACED) and _lasts(error):
                    translated, pump = await self._on_reserve(traits, translated, reserve, error)
                    unserved = error
                elif unserved is not None and isinstance(error, REPLACED):
                    raise unserved from None  # that a reserve cannot serve either says less
                else:
                    raise
                lease_request, state = self._lease_request(translated, self._exchange.key), None
        committed = self._note_committed(translated, pump, committed)
        return partial(pump.give, committed, codex=traits.is_codex)

    def _note_committed(
        self, translated: TranslatedRequest, pump: ResponsePump, committed: Committed
    ) -> Committed:
        """Drop what an answer that has begun does not need any more; gives what it needs."""
        self._exchange.body = b""
        if committed.lost_search:
            pump.note_dropped(SEARCH_TOOL)
        if not translated.stream:
            return committed
        # A stream that the client has received is never requested again.
        pump.forget_request()
        self._exchange.forget_request()
        return msgspec.structs.replace(committed, account_try=None)

    def _reserve_for(self, translated: TranslatedRequest) -> str:
        """The model whose reserve may serve; empty if none may, or one was asked already."""
        key, request = self._exchange.key, translated.request
        if request.route or translated.small_work or request.reserve_of:
            return ""
        return reserve_for(
            request.model,
            mode=self._services.options.luna_reserve,
            serves=self._services.reserve_models(),
            takes_fallbacks=key is None or key.model_fallbacks != NO_FALLBACKS,
        )

    async def _on_reserve(
        self, traits: ClientTraits, translated: TranslatedRequest, model: str, error: GatewayError
    ) -> tuple[TranslatedRequest, ResponsePump]:
        """The request for the reserve of a model. Raises `error` if that cannot serve this request."""
        if translated.request.model != model:
            translated, _ = await self._replaced(translated, traits, model, error)
        reserved = on_reserve(translated)
        self._exchange.translated = reserved
        return reserved, self._pump_of(reserved)

    async def _as_asked(
        self, traits: ClientTraits, work: WorkClass
    ) -> tuple[TranslatedRequest, ResponsePump]:
        """The request of small work for the model that was asked for, as its own cannot serve it."""
        translated = await self._translator.translate(traits, self._exchange.key)
        self._exchange.note_small_work(work, WorkOutcome.REFUSED)
        return translated, self._pump_of(translated)

    async def _replaced(
        self,
        refused: TranslatedRequest,
        traits: ClientTraits,
        fallback: str,
        error: GatewayError,
    ) -> tuple[TranslatedRequest, ResponsePump]:
        """The request for a fallback. Raises `error` if it cannot serve this request, or this key."""
        try:
            translated = await self._translator.translate(traits, self._exchange.key, fallback)
        except ClientFault:
            self._exchange.translated = refused  # the fallback was never sent
            raise error from None
        return translated, self._pump_of(translated)

    async def _admitted(
        self, traits: ClientTraits, authenticated: Authenticated
    ) -> tuple[TranslatedRequest, ResponsePump, Admission]:
        """Translate and admit the request by the terms that its key has now.

        The pump is made before the admission: a refusal is written in the way of its answers.
        """
        services = self._services
        for _ in range(MOST_TRANSLATIONS):
            translated, authenticated = await self._translator.by_current_terms(
                traits, authenticated
            )
            pump = self._pump_of(translated)
            if services.dispatcher.context.egress.until:
                await services.dispatcher.context.check_egress()
            admitted = await services.admission_control.admit(
                AdmissionRequest(
                    lease_request=self._lease_request(translated, authenticated.key),
                    authenticated=authenticated,
                    claims=self._claims(authenticated, model=translated.request.model),
                )
            )
            if not isinstance(admitted, KeyChanged):
                return translated, pump, admitted
            authenticated = admitted.authenticated
        raise StoreUnreachable(CHANGING)

    def _claims(self, authenticated: Authenticated, *, model: str) -> Claims:
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

    def _lease_request(self, translated: TranslatedRequest, key: ApiKey | None) -> LeaseRequest:
        exchange = self._exchange
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
