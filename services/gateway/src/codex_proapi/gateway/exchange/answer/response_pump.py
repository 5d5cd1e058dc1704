"""Pumps one answer from the upstream stream through its translator to the response writer.

An answer that does not stream and breaks off is requested again; the dispatcher selects the
account.
"""

from functools import partial

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.errors import GatewayError, UpstreamFault
from codex_proapi.gateway.exchange.answer.response_headers import response_headers
from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.dispatch_state import Committed
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.codex.requests import Item
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.translation.stream.stream_translator import (
    ResponseReport,
    StreamTranslator,
)


class ResponsePump:
    """Pumps the answers of one dialect."""

    def __init__(self, services: Dependencies, dialect: Dialect) -> None:
        self._services = services
        self._dialect = dialect

    def __repr__(self) -> str:
        return f"<ResponsePump of {self._dialect.name}>"

    def translator(self, exchange: Exchange) -> StreamTranslator:
        """Make a fresh translator, or aggregator, of an exchange's answer."""
        translated, key = exchange.translated, exchange.key
        if translated is None:
            raise RuntimeError("a translator needs a translated request first")
        return self._dialect.translator(
            translated,
            request_id=exchange.request_id,
            created=int(self._services.clock()),
            own_quota=key is not None and key.limits.budgeted,
        )

    async def give(self, committed: Committed, exchange: Exchange, writer: ResponseWriter) -> None:
        """Pump answers until one is whole, and record their outcomes.

        An answer that breaks off before the client received any of it is followed by another one.

        Args:
            committed: the first answer.
            exchange: the exchange that it answers.
            writer: writes it.

        Raises:
            GatewayError: the client's error.
        """
        dispatcher, translated = self._services.dispatcher, exchange.translated
        before_last = None
        if translated is not None and (translated.store or exchange.claims.charge is not None):
            history = translated.history if translated.store else None
            before_last = partial(self._conclude, exchange, history)
        del translated  # it is large, and may be forgotten
        while True:
            account, report = committed.lease.account.id, writer.translator().report
            codex_account = account if exchange.is_codex else ""
            headers = response_headers(exchange, committed.opening.headers, codex_account)
            if exchange.is_codex:
                headers.append((b"x-models-etag", self._models_etag(exchange.key)))
            report.account = account
            if committed.state is None:
                exchange.forget_request()  # no retry, so what has begun does not need it any more
                write = writer.stream
            else:
                write = writer.whole
            try:
                await write(committed.opening, headers=headers, before_last=before_last)
            except GatewayError as error:
                if committed.state is None or not isinstance(error, UpstreamFault):
                    await dispatcher.broke_off(committed, report, error)
                    raise
                following = await dispatcher.again(committed, report, error)
                writer.renew()
            else:
                dispatcher.record_success(committed.lease)
                return
            finally:
                dispatcher.note_report(account, report)
                if report.unknown_events or report.unknown_fields or report.malformed_events:
                    self._note_strange(report)
            committed = following

    def _models_etag(self, key: ApiKey | None) -> bytes:
        """The entity tag of the model list of a client's key: Codex asks for a list that changed."""
        return self._services.catalogues.codex_etag(key.allowed_models if key else ()).encode()

    def _note_strange(self, report: ResponseReport) -> None:
        """Count and tell what a translator did not know, or could not read."""
        self._services.drift.note_report(report)
        self._services.metrics.count_strange_events(
            report.unknown_events, malformed=report.malformed_events
        )

    async def _conclude(self, exchange: Exchange, history: tuple[Item, ...] | None) -> None:
        """What is done before the client sees the end: store the response, and free the stream permit.

        `history` is the conversation before the response; None if that is not to be stored.
        """
        if history is not None:
            await self._keep(exchange, history)
        charge = exchange.claims.charge
        if charge is not None:
            await self._services.stream_permits.free(charge)

    async def _keep(self, exchange: Exchange, history: tuple[Item, ...]) -> None:
        """Store the conversation up to this response, for a request that asks for it (`store`)."""
        report, key = exchange.report, exchange.key
        if report is None or not report.response:
            return
        try:
            await self._services.responses.keep(
                key.id if key else "",
                report.response_id,
                [msgspec.json.encode(item) for item in history],
                response=report.response,
                now=self._services.clock(),
            )
        except StoreUnavailable:
            self._services.metrics.redis_failed(RedisWork.KEEP)
