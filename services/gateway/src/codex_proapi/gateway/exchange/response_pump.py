"""Carries one answer from the backend's stream to its client, to the last byte.

An answer in one piece that breaks off is asked for again; of which account, the dispatcher decides.
How bytes reach the client is the response writer's business.
"""

from collections.abc import Mapping

import msgspec

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.errors import GatewayError, UpstreamFault
from codex_proapi.gateway.exchange import turn_state
from codex_proapi.gateway.exchange.dependencies import Dependencies
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.dispatch_state import Committed, without_content
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.response_writer import ResponseWriter
from codex_proapi.gateway.formats.codex.requests import TURN_STATE_HEADER
from codex_proapi.gateway.metrics.registry import RedisWork
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

PASSED_HEADERS = ("openai-model", "x-reasoning-included")
"""Answer headers that a Codex client reads."""


class ResponsePump:
    """The answer to one request under way."""

    def __init__(
        self,
        services: Dependencies,
        dialect: Dialect,
        asked: TranslatedRequest,
        *,
        exchange: Exchange,
        writer: ResponseWriter,
    ) -> None:
        self._services = services
        self._dialect = dialect
        self._asked = asked
        self._exchange = exchange
        self._writer = writer

    def __repr__(self) -> str:
        return f"<ResponsePump {self._exchange!r}>"

    def new_translator(self) -> None:
        """Give the next answer a translator of its own; what another has brought is forgotten."""
        asked, key = self._asked, self._exchange.key
        translator = self._dialect.translator(
            asked,
            request_id=self._exchange.request_id,
            created=int(self._services.clock()),
            own_quota=key is not None and key.limits.budgeted,
        )
        self._exchange.report = translator.report
        self._writer.begin(
            translator,
            streams=asked.stream,
            codex=asked.verbatim,
            early_headers=self._early_headers,
        )

    def _early_headers(self) -> list[Header]:
        """Headers for a client that is given its 200 while upstream has sent no more than a head.

        Should another account answer in the end, nothing is lost: a turn state names its account.
        """
        head = self._exchange.upstream_head
        account_id = head.account_id if self._asked.verbatim else ""
        return response_headers(self._asked, head.headers, account_id)

    def forget_request(self) -> None:
        """Keep of the request only what the rest of its answer needs."""
        asked = self._asked
        self._asked = msgspec.structs.replace(
            asked,
            request=without_content(asked.request),
            history=asked.history if asked.store else (),
        )

    async def give(self, committed: Committed, *, codex: bool) -> None:
        """Pump answers until one is whole. Raises the GatewayError that the client is told."""
        following: Committed | None = committed
        while following is not None:
            headers = response_headers(
                self._asked,
                following.opening.headers,
                following.lease.account.id if codex else "",
            )
            following = await self._pump(following, headers)

    async def _pump(self, committed: Committed, headers: list[Header]) -> Committed | None:
        """Pump one answer; what happens on the way is noted of its account.

        Gives another account's answer where this one broke off before its client saw any of it.
        """
        asked, report, dispatcher = self._asked, self._exchange.report, self._services.dispatcher
        pump = self._writer.stream if asked.stream else self._writer.whole
        if report is not None:
            report.account = committed.lease.account.id
        try:
            await pump(committed.opening, headers=headers, before_last=self._before_last)
        except GatewayError as error:
            if report is None or asked.stream or not isinstance(error, UpstreamFault):
                await dispatcher.broke_off(committed, report, error)
                raise
            following = await dispatcher.again(committed, report, error, exchange=self._exchange)
            self.new_translator()
            return following
        finally:
            if report is not None:
                self._note_report(committed, report)
        dispatcher.came_through(committed)
        return None

    def _note_report(self, committed: Committed, report: ResponseReport) -> None:
        """Note what one answer told beside itself, however it ended."""
        self._services.dispatcher.note_report(committed, report)
        if report.unknown_events or report.malformed_events:
            self._services.metrics.count_strange_events(
                report.unknown_events, malformed=report.malformed_events
            )

    async def _before_last(self) -> None:
        """What must be so when the client learns that the answer is whole."""
        await self._keep()
        if self._exchange.charge is not None:
            await self._services.stream_permits.free(self._exchange.charge)

    async def _keep(self) -> None:
        """Keep what the client may continue."""
        asked, report, key = self._asked, self._exchange.report, self._exchange.key
        if not asked.store or report is None:
            return
        items = [*asked.kept_items(), *report.output_items]
        try:
            await self._services.responses.keep(
                key.id if key else "", report.response_id, items, now=self._services.clock()
            )
        except StoreUnavailable:
            self._services.metrics.redis_failed(RedisWork.KEEP)


def response_headers(
    asked: TranslatedRequest, answered: Mapping[str, str], codex_account: str
) -> list[Header]:
    """Headers that say something of this one answer.

    `answered` are upstream's, `codex_account` is the account that sent them; it is empty where the
    client is not Codex and gets none of them.
    """
    headers: list[Header] = []
    if asked.dropped:
        headers.append((b"x-dropped-parameters", ", ".join(asked.dropped).encode()))
    if codex_account:
        if state := turn_state.bound(answered, codex_account):
            headers.append((TURN_STATE_HEADER.encode(), state.encode()))
        for name in PASSED_HEADERS:
            value = answered.get(name, "")
            if value and value.isascii() and value.isprintable():
                headers.append((name.encode(), value.encode()))
    return headers
