"""Translates the body of one exchange, by the terms of its client's key and with what it refers to."""

from functools import partial

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.cluster.live_settings import ReasoningSummary
from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.auth.authenticator import Authenticated, check_model
from codex_proapi.gateway.errors import UnknownModel
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.server.body_threads import work_on
from codex_proapi.gateway.translation.history.token_estimate import estimate
from codex_proapi.gateway.translation.request.key_caps import capped
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses.stored_items import expand


class RequestTranslator:
    """Translates `exchange.body`, as often as its key's terms, or the model that serves, change."""

    def __init__(self, services: Dependencies, dialect: Dialect, exchange: Exchange) -> None:
        self._services = services
        self._dialect = dialect
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<RequestTranslator of {self._exchange!r}>"

    async def by_current_terms(
        self, traits: ClientTraits, authenticated: Authenticated
    ) -> tuple[TranslatedRequest, Authenticated]:
        """Translate the body; gives it with the authentication that it was translated by.

        A model is refused only by the current terms of the key, not by cached ones.
        """
        try:
            return await self.translate(traits, authenticated.key), authenticated
        except UnknownModel:
            current = await self._services.authenticator.again(authenticated)
            if current.is_same_as(authenticated):
                raise
            return await self.translate(traits, current.key), current

    async def translate(
        self, traits: ClientTraits, key: ApiKey | None, fallback: str = ""
    ) -> TranslatedRequest:
        """Translate the body for a key, with stored responses and item references resolved.

        With a `fallback` that model serves, whatever the body names.
        """
        exchange, catalogue = self._exchange, self._catalogue(fallback)
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
            catalogue=catalogue,
            options=options,
            client=traits,
        )
        translated = await work_on(exchange.body, work, turn=exchange.body_turn())
        translated = self._by_terms(translated, key, catalogue, fallback=fallback)
        exchange.note_translation(translated)
        check_model(key, translated.request.model)
        stored: list[bytes] = []
        if translated.unresolved:
            translated = await self._expanded(translated, options.key_id, stored)
        parts = [exchange.body, *stored]
        counting = partial(estimate, sum(map(len, parts)), translated.request.input)
        exchange.note_estimate(await work_on(parts, counting, turn=exchange.body_turn()))
        return translated

    def _catalogue(self, fallback: str) -> Catalogue:
        """The catalogue, of the fallback alone if there is one."""
        current = self._services.catalogues.current
        try:
            return current.serving(fallback) if fallback else current
        except ModelNotFound as missing:
            raise UnknownModel(str(missing)) from None

    def _by_terms(
        self,
        translated: TranslatedRequest,
        key: ApiKey | None,
        catalogue: Catalogue,
        *,
        fallback: str,
    ) -> TranslatedRequest:
        """The request within its key's caps, and under the name of the model that serves."""
        if fallback:
            translated = msgspec.structs.replace(
                translated,
                asked_model=translated.request.model,
                fallback_for=translated.asked_model,
            )
        if key is None:
            return translated
        model = catalogue.find(translated.request.model)
        return capped(translated, model, max_effort=key.max_effort, fast_tier=key.fast_tier)

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
