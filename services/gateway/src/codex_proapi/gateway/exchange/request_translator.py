"""Translates the body of one exchange, by the terms of its client's key and with what it refers to."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import msgspec

from codex_proapi.commons.api_keys.model_fallbacks import fallback_of
from codex_proapi.commons.api_keys.small_work import WorkClass, WorkOutcome, small_models_of
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.cluster.live_settings import HistoryMode as SettingMode
from codex_proapi.commons.cluster.live_settings import ReasoningSummary
from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.auth.authenticator import Authenticated, check_model
from codex_proapi.gateway.errors import ClientFault, UnknownModel
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.client_body import asked_of
from codex_proapi.gateway.server.body_threads import SMALL_BYTES, work_on
from codex_proapi.gateway.translation.history.token_estimate import BYTES_PER_TOKEN, estimate
from codex_proapi.gateway.translation.messages.request.model_families import HAIKU, is_haiku
from codex_proapi.gateway.translation.request.key_caps import capped
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses.stored_items import expand
from codex_proapi.gateway.translation.small_work import MESSAGES, misfit, work_class

_HISTORY_MODES: Final = {mode: HistoryMode(mode.value) for mode in SettingMode}


class RequestTranslator:
    """Translates the bodies of one dialect.

    `exchange.body` is translated as often as the terms of its key, or the model that serves, change.
    """

    def __init__(self, services: Dependencies, dialect: Dialect) -> None:
        self._services = services
        self._dialect = dialect

    def __repr__(self) -> str:
        return f"<RequestTranslator of {self._dialect.name}>"

    async def by_current_terms(
        self, exchange: Exchange, traits: ClientTraits, authenticated: Authenticated
    ) -> tuple[TranslatedRequest, Authenticated]:
        """Translate the body; gives it with the authentication that it was translated by.

        A model is refused only by the current terms of the key, not by cached ones. Small work goes to
        the model of its class; that is known only once it is translated, so it is translated twice.
        """
        try:
            translated = await self.translate(exchange, traits, authenticated.key)
        except UnknownModel:
            current = await self._services.authenticator.again(authenticated)
            if current.is_same_as(authenticated):
                raise
            authenticated = current
            translated = await self.translate(exchange, traits, current.key)
        endpoint = self._dialect.name
        haiku = (
            endpoint == MESSAGES
            and HAIKU in translated.asked_model.lower()
            and is_haiku(translated.asked_model, self._services.catalogues.current)
        )
        work = work_class(translated, traits, endpoint=endpoint, is_haiku=haiku)
        if work is not None:
            translated = await self._for_small_work(
                exchange, traits, authenticated.key, translated=translated, work=work
            )
        return translated, authenticated

    async def _for_small_work(
        self,
        exchange: Exchange,
        traits: ClientTraits,
        key: ApiKey | None,
        *,
        translated: TranslatedRequest,
        work: WorkClass,
    ) -> TranslatedRequest:
        """The request for the model of its class, if that can do it; else the request as it is."""
        general = self._services.options.small_work_models
        models = small_models_of(key.small_work_models if key else "", general)
        kept = self._why_kept(exchange, translated, key, models=models, work=work)
        if kept is None:
            try:
                moved = await self.translate(exchange, traits, key, models[work], work=work)
            except ClientFault:
                kept = WorkOutcome.REFUSED
                exchange.translated = translated
            else:
                exchange.note_small_work(work, WorkOutcome.MOVED)
                return moved
        exchange.note_small_work(work, kept)
        return translated

    def _why_kept(
        self,
        exchange: Exchange,
        translated: TranslatedRequest,
        key: ApiKey | None,
        *,
        models: Mapping[str, str],
        work: WorkClass,
    ) -> WorkOutcome | None:
        """Why small work stays with the model it asked for; None if it goes to that of its class."""
        if not models.get(work):
            return WorkOutcome.OFF
        catalogue = self._services.catalogues.current
        try:
            model = catalogue.resolve(models[work]).model
            check_model(key, model.slug)
        except ModelNotFound:
            return WorkOutcome.UNKNOWN_MODEL
        except UnknownModel:
            return WorkOutcome.NOT_ALLOWED
        if translated.request.model in _slugs(models.values(), catalogue):
            return WorkOutcome.SAME
        return misfit(translated, model, tokens=exchange.estimate)

    def fallback_of(self, translated: TranslatedRequest, key: ApiKey | None) -> str:
        """The model that may serve in place of the one sent; empty if none may."""
        own, general = key.model_fallbacks if key else "", self._services.options.model_fallbacks
        if not (own or general):
            return ""
        if translated.request.route or translated.small_work:  # route: of pictures and searches
            return ""
        model_of = partial(_slug, self._services.catalogues.current)
        return fallback_of(translated.request.model, own, general, model_of=model_of)

    async def translate(
        self,
        exchange: Exchange,
        traits: ClientTraits,
        key: ApiKey | None,
        instead: str = "",
        *,
        work: WorkClass | None = None,
    ) -> TranslatedRequest:
        """Translate the body for a key, with stored responses and item references resolved.

        The model of `instead` serves, whatever the body names: as that of a class of small work, or
        without one as a fallback.
        """
        catalogue = self._services.catalogues.current
        if instead:
            catalogue = _serving(catalogue, instead)
        exchange.key = key
        options, body = self._options(key), exchange.body
        try:
            if len(body) <= SMALL_BYTES:
                translated, tokens = self._read(body, catalogue, options=options, traits=traits)
            else:
                read = partial(self._read, body, catalogue, options=options, traits=traits)
                translated, tokens = await work_on(body, read, turn=exchange.body_turn)
        except ClientFault:
            asking = partial(asked_of, body)
            exchange.note_asked(*await work_on(body, asking, turn=exchange.body_turn))
            raise
        if instead:
            translated = msgspec.structs.replace(
                translated,
                asked_model=translated.request.model,
                replaces=translated.asked_model,
                small_work=work.value if work is not None else "",
            )
        exchange.translated = translated  # what the caps refuse has asked for a model, too
        if key is not None and (key.max_effort or key.fast_tier):
            translated = self._capped(translated, key, catalogue)
            exchange.translated = translated
        if key is not None and key.allowed_models:
            check_model(key, translated.request.model)
        if translated.unresolved:
            return await self._expanded(exchange, translated, key.id if key else "")
        exchange.estimate = tokens
        return translated

    def _read(
        self, body: bytes, catalogue: Catalogue, *, options: RequestOptions, traits: ClientTraits
    ) -> tuple[TranslatedRequest, int]:
        """Translate a body and estimate its tokens; for a long one in a thread."""
        translated = self._dialect.read(body, catalogue=catalogue, options=options, client=traits)
        request = translated.request
        if request.text_only:  # there are no pictures
            return translated, len(body) // BYTES_PER_TOKEN
        return translated, estimate(len(body), request.input)

    def _capped(
        self, translated: TranslatedRequest, key: ApiKey, catalogue: Catalogue
    ) -> TranslatedRequest:
        """The request within the caps of its key. Raises BadRequest for a tier that it may not have."""
        model = catalogue.find(translated.request.model)
        return capped(translated, model, max_effort=key.max_effort, fast_tier=key.fast_tier)

    def _options(self, key: ApiKey | None) -> RequestOptions:
        """What key and settings say where the client says nothing."""
        options = self._services.options
        mode, summary = _HISTORY_MODES[options.history_mode], options.reasoning_summary
        general = None if summary is ReasoningSummary.MODEL else summary.value
        if key is None:
            return RequestOptions(history_mode=mode, reasoning_summary=general)
        return RequestOptions(
            key_id=key.id,
            history_mode=mode,
            default_model=key.default_model or None,
            default_effort=key.default_effort or None,
            reasoning_summary=key.reasoning_summary or general,
        )

    async def _expanded(
        self, exchange: Exchange, translated: TranslatedRequest, key_id: str
    ) -> TranslatedRequest:
        """Resolve stored responses and item references, and estimate the tokens with them.

        Their bytes count towards the body budget: a short request may name a long conversation.
        """
        store = self._services.responses
        previous = None
        if translated.previous_response_id is not None:
            kept = await store.response(key_id, translated.previous_response_id)
            previous = None if kept is None else list(kept)
        found = await store.items(key_id, translated.references)
        stored = [*(previous or ()), *found.values()]
        exchange.hold_stored(sum(map(len, stored)))
        work = partial(expand, translated, previous_items=previous, referenced_items=found)
        expanded = await work_on(stored, work, turn=exchange.body_turn)
        parts = [exchange.body, *stored]
        counting = partial(estimate, sum(map(len, parts)), expanded.request.input)
        exchange.estimate = await work_on(parts, counting, turn=exchange.body_turn)
        exchange.translated = expanded
        return expanded


def _serving(catalogue: Catalogue, instead: str) -> Catalogue:
    """A catalogue of one model alone. Raises UnknownModel."""
    try:
        return catalogue.serving(instead)
    except ModelNotFound as missing:
        raise UnknownModel(str(missing)) from None


def _slugs(names: Iterable[str], catalogue: Catalogue) -> set[str]:
    """The models that names lead to."""
    return {_slug(catalogue, name) for name in names} - {""}


def _slug(catalogue: Catalogue, name: str) -> str:
    """The model that a name leads to; empty if there is none."""
    try:
        return catalogue.resolve(name).model.slug if name else ""
    except ModelNotFound:
        return ""
