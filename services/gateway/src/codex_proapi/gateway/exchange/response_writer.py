"""An answer on its way to the client: the pump, its keep-alives, and how it fails.

One write for each read of upstream, no timer and no task for any chunk; the process' pulse tells
of passing seconds. What the bytes say is the wire's business, who pays for them the dispatcher's.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.api.error_responses import refuse
from codex_proapi.gateway.api.limit_headers import limit_headers, share_headers
from codex_proapi.gateway.errors import GatewayError, UpstreamSlow
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.metrics.histograms import LabelledHistogram
from codex_proapi.gateway.server.asgi import CORS_HEADERS, Header, Send, send_response
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator

KEEP_ALIVE_TICKS: Final = 10
"""Seconds of silence towards the client before it is told that we are still there."""
SILENCE_TICKS: Final = 300
"""Seconds upstream may be silent in the middle of an answer."""
EVENT_END: Final = b"\n\n"
STREAM_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
    *CORS_HEADERS,
)


class ResponseSource(Protocol):
    """An upstream stream that has reached the commit point."""

    held: bytes

    async def read(self) -> bytes:
        """More bytes, b"" at the end."""

    def release(self) -> None:
        """The answer is whole: let the stream close by itself."""


async def _nothing() -> None:
    """There is nothing to do before the last byte."""


class ResponseWriter:
    """One answer on its way to its client; a member of the pulse."""

    def __init__(
        self,
        send: Send,
        exchange: Exchange,
        *,
        tasks: Tasks,
        patience_ticks: int,
        gaps: LabelledHistogram,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._exchange = exchange
        self._tasks = tasks
        self._patience_ticks = patience_ticks
        self._gaps = gaps
        self._clock = clock
        self._received_at = 0.0
        self._translator: StreamTranslator | None = None
        self._streams = False
        self._codex = False
        self._started = False
        self._sending = False
        self._reading = False
        self._age = 0
        self._silent = 0
        self._idle = 0

    def __repr__(self) -> str:
        state = "started" if self._started else "waiting"
        return f"<ResponseWriter {self._exchange.request_id} {state} after {self._age} beats>"

    def travel_on(self, translator: StreamTranslator, *, streams: bool, codex: bool) -> None:
        """Take the wire; from now on a streaming client may be given its 200 early."""
        self._translator = translator
        self._streams = streams
        self._codex = codex

    def tick(self) -> None:
        """A second has passed."""
        self._age += 1
        if self._sending:
            # The client reads slowly; upstream waits for it and is not to blame.
            self._silent = self._idle = 0
            self._received_at = self._clock()
            return
        self._silent += 1
        self._idle += 1
        if self._reading:
            self._exchange.silence_seconds = max(self._exchange.silence_seconds, self._idle)
        if self._reading and self._idle > SILENCE_TICKS:
            self._exchange.interrupt(UpstreamSlow("The backend has been silent for too long."))
        elif self._streams:
            if not self._started:
                if self._age >= self._patience_ticks:
                    self._tasks.start(self._reassure(), name="start early")
            elif self._silent >= KEEP_ALIVE_TICKS:
                self._tasks.start(self._reassure(), name="keep alive")

    async def stream(
        self,
        source: ResponseSource,
        *,
        headers: Sequence[Header] = (),
        before_last: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Pump until the answer is whole. Raises the GatewayError that broke it off."""
        translator, send, read, clock = self._translator, self._send, source.read, self._clock
        note = self._gaps.note
        if translator is None:
            raise RuntimeError("a reply needs its wire first")
        out = translator.feed(source.held)
        if not self._started:
            await self._start(headers)
        self._exchange.speak()
        self._reading = True
        self._received_at = clock()
        while not translator.done:
            if out:
                self._silent = 0
                self._sending = True
                await send({"type": "http.response.body", "body": out, "more_body": True})
                self._sending = False
            data = await read()
            self._idle = 0
            if not data:
                out = translator.finish()
                break
            now = clock()
            note(now - self._received_at)
            self._received_at = now
            self._exchange.received_events += data.count(EVENT_END)
            out = translator.feed(data)
        self._reading = False
        source.release()
        await before_last()
        await self._finish(out)

    async def whole(
        self,
        source: ResponseSource,
        *,
        headers: Sequence[Header] = (),
        before_last: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Fold until the answer is whole, then send it. Raises the GatewayError that broke it.

        Until it is whole the client has seen nothing: one that broke may be tried anew on another
        wire and source.
        """
        body = await self._folded(source)
        source.release()
        await before_last()
        self._exchange.speak()
        self._end()
        self._started = True
        headers = [*headers, *self._limits()]
        await send_response(
            self._send, 200, body, request_id=self._exchange.request_id, headers=headers
        )

    async def _folded(self, source: ResponseSource) -> bytes:
        fold, read, clock = self._translator, source.read, self._clock
        if fold is None:
            raise RuntimeError("a reply needs its wire first")
        self._idle = 0
        self._reading = True
        received_at = clock()
        try:
            fold.feed(source.held)
            while not fold.done:
                data = await read()
                self._idle = 0
                if not data:
                    break
                now = clock()
                self._gaps.note(now - received_at)
                received_at = now
                self._exchange.received_events += data.count(EVENT_END)
                fold.feed(data)
        finally:
            self._reading = False
        return fold.finish()

    async def fail(self, error: GatewayError) -> None:
        """End with an error: a status if nothing was sent, else the stream's own last words."""
        self._reading = False
        if not self._started or self._translator is None:
            self._started = True
            request_id = self._exchange.request_id
            await refuse(self._send, error, request_id, headers=self._limits())
            return
        last = self._translator.fail(error)
        self._sending = True
        await self._send({"type": "http.response.body", "body": last, "more_body": False})

    @property
    def started(self) -> bool:
        """Whether the client has its status."""
        return self._started

    async def _start(self, headers: Sequence[Header]) -> None:
        self._started = True
        start = [
            *STREAM_HEADERS,
            (b"x-request-id", self._exchange.request_id.encode()),
            *headers,
            *self._limits(),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": start})

    def _limits(self) -> list[Header]:
        """What the client is told of its key's limits."""
        charge = self._exchange.charge
        return [*limit_headers(charge), *(share_headers(charge) if self._codex else ())]

    async def _reassure(self) -> None:
        """Tell the client that we are still there; before the commit point with an early 200."""
        translator = self._translator
        if translator is None or self._sending or self._exchange.settled:
            return
        self._silent = 0
        self._sending = True
        if not self._started:
            await self._start(())
        await self._send(
            {"type": "http.response.body", "body": translator.keep_alive, "more_body": True}
        )
        self._sending = False

    async def _finish(self, last: bytes) -> None:
        self._end()
        self._sending = True
        await self._send({"type": "http.response.body", "body": last, "more_body": False})

    def _end(self) -> None:
        report = self._translator.report if self._translator else None
        if report is not None and report.ending is not None:
            self._exchange.end(report.ending, status=200, code=report.code)
