"""Pumps one answer from the upstream stream through its translator to the response writer.

An answer that does not stream and breaks off is requested again; the dispatcher selects the
account.
"""

from collections.abc import Mapping

import msgspec

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.errors import GatewayError, UpstreamFault
from codex_proapi.gateway.exchange import turn_state
from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.dispatch_state import Committed, without_content
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.reserve import as_answered
from codex_proapi.gateway.formats.codex.requests import TURN_STATE_HEADER
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

PASSED_HEADERS = ("openai-model", "x-reasoning-included")
"""Answer headers that a Codex client reads."""


class ResponsePump:
    """Pumps the answer to one request; one for each exchange."""

    def __init__(
        self,
        services: Dependencies,
        dialect: Dialect,
        translated: TranslatedRequest,
        *,
        exchange: Exchange,
        writer: ResponseWriter,
    ) -> None:
        self._services = services
        self._dialect = dialect
        self._translated = translated
        self._exchange = exchange
        self._writer = writer
        self.new_translator()

    def __repr__(self) -> str:
        return f"<ResponsePump {self._exchange!r}>"

    def new_translator(self) -> None:
        """Make a fresh translator for the next answer; the report of an earlier one is dropped."""
        translated, key = self._translated, self._exchange.key
        translator = self._dialect.translator(
            translated,
            request_id=self._exchange.request_id,
            created=int(self._services.clock()),
            own_quota=key is not None and key.limits.budgeted,
        )
        self._exchange.report = translator.report
        self._writer.begin(
            translator,
            streams=translated.stream,
            codex=translated.verbatim,
            early_headers=self._early_headers,
        )

    def _early_headers(self) -> list[Header]:
        """Headers of an early 200, from the latest upstream response headers.

        Another account may answer in the end: the turn state stays safe, as it names its account.
        """
        head = self._exchange.upstream_head
        account_id = head.account_id if self._translated.verbatim else ""
        return response_headers(self._translated, head.headers, account_id)

    def note_dropped(self, name: str) -> None:
        """Note a parameter that was left out although its translation was possible."""
        dropped = dict.fromkeys((*self._translated.dropped, name))
        self._translated = msgspec.structs.replace(self._translated, dropped=tuple(dropped))
        self._exchange.translated = self._translated

    def forget_request(self) -> None:
        """Drop the request's content, except for what storing the response needs."""
        translated = self._translated
        self._translated = msgspec.structs.replace(
            translated,
            request=without_content(translated.request),
            history=translated.history if translated.store else (),
        )

    async def give(self, committed: Committed, *, codex: bool) -> None:
        """Pump answers until one is whole, and record their outcomes.

        An answer that breaks off before the client received any of it is followed by another one.

        Args:
            committed: the first answer.
            codex: whether the client is Codex and gets upstream's headers.

        Raises:
            GatewayError: the client's error.
        """
        streams, dispatcher = self._translated.stream, self._services.dispatcher
        write = self._writer.stream if streams else self._writer.whole
        while True:
            following, report = None, self._exchange.report
            account_id = committed.lease.account.id
            headers = response_headers(
                self._translated, committed.opening.headers, account_id if codex else ""
            )
            if codex:
                headers.append((b"x-models-etag", self._models_etag()))
            if report is not None:
                report.account = account_id
            try:
                await write(committed.opening, headers=headers, before_last=self._before_last)
            except GatewayError as error:
                if report is None or streams or not isinstance(error, UpstreamFault):
                    await dispatcher.broke_off(committed, report, error)
                    raise
                following = await dispatcher.again(committed, report, error)
                self.new_translator()
            finally:
                if report is not None:
                    self._note_report(committed, report)
            if following is None:
                dispatcher.record_success(committed.lease)
                return
            committed = following

    def _models_etag(self) -> bytes:
        """The entity tag of the model list of the client's key: Codex asks for a list that changed."""
        key = self._exchange.key
        return self._services.catalogues.codex_etag(key.allowed_models if key else ()).encode()

    def _note_report(self, committed: Committed, report: ResponseReport) -> None:
        """Pass on quota and metadata of an answer, and count unknown and malformed events."""
        self._services.dispatcher.note_report(committed, report)
        if report.unknown_events or report.unknown_fields:
            self._services.drift.note_report(report)
        if report.unknown_events or report.malformed_events:
            self._services.metrics.count_strange_events(
                report.unknown_events, malformed=report.malformed_events
            )

    async def _before_last(self) -> None:
        """Store the response and free the stream permit, before the client sees the end."""
        if self._translated.store:
            await self._keep()
        charge = self._exchange.claims.charge
        if charge is not None:
            await self._services.stream_permits.free(charge)

    async def _keep(self) -> None:
        """Store the conversation up to this response, for a request that asks for it (`store`)."""
        translated, report, key = self._translated, self._exchange.report, self._exchange.key
        if report is None or not report.response:
            return
        try:
            await self._services.responses.keep(
                key.id if key else "",
                report.response_id,
                translated.kept_items(),
                response=report.response,
                now=self._services.clock(),
            )
        except StoreUnavailable:
            self._services.metrics.redis_failed(RedisWork.KEEP)


def response_headers(
    translated: TranslatedRequest, answered: Mapping[str, str], codex_account: str
) -> list[Header]:
    """Response headers that depend on the request and its answer.

    Args:
        translated: the translated request, for `x-dropped-parameters`, `x-fallback-model` and
            `x-small-work`.
        answered: upstream's response headers by lower-case name.
        codex_account: id of the account that sent them; empty for clients other than Codex, which
            get none of upstream's headers.
    """
    headers: list[Header] = []
    if translated.dropped:
        headers.append((b"x-dropped-parameters", ", ".join(translated.dropped).encode()))
    if translated.small_work:
        told = f"{translated.small_work}={translated.request.model}"
        headers.append((b"x-small-work", told.encode()))
    elif translated.replaces:
        headers.append((b"x-fallback-model", translated.request.meant_model.encode()))
    if codex_account:
        if state := turn_state.bound(answered, codex_account):
            headers.append((TURN_STATE_HEADER.encode(), state.encode()))
        for name in PASSED_HEADERS:
            value = as_answered(answered.get(name, ""), translated)
            if value and value.isascii() and value.isprintable():
                headers.append((name.encode(), value.encode()))
    return headers
