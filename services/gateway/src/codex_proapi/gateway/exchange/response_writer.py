"""Writes one answer to its client: pieces as upstream sends them, keep-alives, or an error.

One write for each read of upstream, no timer and no task for any chunk; the process' ticker calls
`tick` once a second. What the bytes say is the translator's business, who pays for them the
dispatcher's, and how they travel the sink's.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeAlias

from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.errors import GatewayError, UpstreamSlow
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.limits.charge import LimitCharge
from codex_proapi.gateway.metrics.histograms import LabelledHistogram
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.server.sink import Sink
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator

KEEP_ALIVE_TICKS: Final = 10
"""Seconds of silence towards the client before a keep-alive is written."""
SILENCE_TICKS: Final = 300
"""Seconds upstream may be silent in the middle of an answer."""
SLICE_BYTES: Final = 16 * 1024
"""How much of a read is translated at a time; chunks are some three times as long as events."""
EVENT_END: Final = b"\n\n"
STREAM_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class ResponseSource(Protocol):
    """An upstream stream that has reached the commit point."""

    held: bytes

    async def read(self) -> bytes:
        """More bytes, b"" at the end."""

    def release(self) -> None:
        """The answer is whole: let the stream close by itself."""


LimitHeaders: TypeAlias = Callable[[LimitCharge | None, bool], Sequence[Header]]
"""Headers that tell of the limits of the client's key; the flag says that Codex itself asks."""


EarlyHeaders: TypeAlias = Callable[[], Sequence[Header]]
"""Headers of an answer as far as they are known before its first word."""


async def _nothing() -> None:
    """There is nothing to do before the last byte."""


class ResponseWriter:
    """One answer on its way to its client; ticks once a second."""

    def __init__(
        self,
        sink: Sink,
        exchange: Exchange,
        *,
        tasks: Tasks,
        patience_ticks: int,
        gaps: LabelledHistogram,
        limit_headers: LimitHeaders,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._limit_headers = limit_headers
        self._exchange = exchange
        self._tasks = tasks
        self._patience_ticks = patience_ticks
        self._gaps = gaps
        self._clock = clock
        self._received_at = 0.0
        self._translator: StreamTranslator | None = None
        self._early_headers: EarlyHeaders = list
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
        return f"<ResponseWriter {self._exchange.request_id} {state} after {self._age} s>"

    def begin(
        self,
        translator: StreamTranslator,
        *,
        streams: bool,
        codex: bool,
        early_headers: EarlyHeaders = list,
    ) -> None:
        """Take the translator of the next answer; the first one begins the patience.

        `early_headers` gives those of an answer that begins before upstream has said a word.

        Until then the client was still sending: that is not a silence it has to be consoled for.
        """
        if self._translator is None:
            self._age = 0
        self._translator = translator
        self._early_headers = early_headers
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
        translator, write, read, clock = (
            self._translator,
            self._sink.write,
            source.read,
            self._clock,
        )
        note = self._gaps.note
        if translator is None:
            raise RuntimeError("an answer needs its translator first")
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
                await write(out)
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
            if len(data) > SLICE_BYTES:
                out = await self._write_slices(translator, data)
            else:
                out = translator.feed(data)
        self._reading = False
        source.release()
        await before_last()
        await self._finish(out)

    async def _write_slices(self, translator: StreamTranslator, data: bytes) -> bytes:
        """Translate a large read slice by slice, writing all but the last one; gives that one's.

        A reader that is slow holds one translated slice then, not a translated read.
        """
        out = b""
        for start in range(0, len(data), SLICE_BYTES):
            if out:
                self._silent = 0
                self._sending = True
                await self._sink.write(out)
                self._sending = False
            out = translator.feed(data[start : start + SLICE_BYTES])
            if translator.done:
                break
        return out

    async def whole(
        self,
        source: ResponseSource,
        *,
        headers: Sequence[Header] = (),
        before_last: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Read until the answer is whole, then send it. Raises the GatewayError that broke it.

        Until it is whole the client has seen nothing: one that broke may be tried anew with another
        translator and source.
        """
        body = await self._folded(source)
        source.release()
        await before_last()
        self._exchange.speak()
        self._end()
        self._started = True
        await self._sink.start(
            200,
            [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *headers,
                *self._limits(),
            ],
        )
        await self._sink.end(body)

    async def _folded(self, source: ResponseSource) -> bytes:
        fold, read, clock = self._translator, source.read, self._clock
        if fold is None:
            raise RuntimeError("an answer needs its translator first")
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
            await self._sink.fail(error, self._limits())
            return
        last = self._translator.fail(error)
        self._sending = True
        await self._sink.end(last)

    @property
    def started(self) -> bool:
        """Whether the client has its status."""
        return self._started

    async def _start(self, headers: Sequence[Header]) -> None:
        self._started = True
        await self._sink.start(200, [*STREAM_HEADERS, *headers, *self._limits()])

    def _limits(self) -> Sequence[Header]:
        """Headers that tell of the limits of the client's key."""
        return self._limit_headers(self._exchange.charge, self._codex)

    async def _reassure(self) -> None:
        """Write a keep-alive; before the commit point with an early 200."""
        translator = self._translator
        if translator is None or self._sending or self._exchange.settled:
            return
        self._silent = 0
        self._sending = True
        if not self._started:
            await self._start(self._early_headers())
        await self._sink.write(translator.keep_alive)
        self._sending = False

    async def _finish(self, last: bytes) -> None:
        self._end()
        self._sending = True
        await self._sink.end(last)

    def _end(self) -> None:
        report = self._translator.report if self._translator else None
        if report is not None and report.ending is not None:
            self._exchange.end(report.ending, status=200, code=report.code)
