"""Writes one answer to a client: translated stream, keep-alives, a whole body, or an error.

There is one write for each read from upstream and no timer or task per chunk; the process' ticker
calls `tick` once a second. Contents come from the translator, transport is the sink's.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeAlias

from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.errors import GatewayError, UpstreamSlow
from codex_proapi.gateway.exchange.answer.pushed_stream import SLICE_BYTES, PushedStream
from codex_proapi.gateway.exchange.answer.stream_times import StreamTimes
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.limits.limit_charge import LimitCharge
from codex_proapi.gateway.metrics.histograms import LabelledHistogram
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.server.sink import DirectSink, Sink
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator
from codex_proapi.gateway.upstream.transport import PushingStream

KEEP_ALIVE_TICKS: Final = 10
"""Seconds without a write to the client after which a keep-alive is written."""
SILENCE_TICKS: Final = 300
"""Seconds upstream may send nothing in the middle of an answer before it counts as broken."""
BLANK: Final = b" "
"""Written before a JSON answer that is long in coming: blank space there means nothing (RFC 8259)."""
JSON_TYPE: Final[Header] = (b"content-type", b"application/json")
STREAM_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
BLANK_HEADERS: Final = (JSON_TYPE, *STREAM_HEADERS[1:])
"""Of an answer in one piece that blank space comes before."""


class ResponseSource(Protocol):
    """An upstream stream that has reached the commit point."""

    held: bytes

    async def read(self) -> bytes:
        """The next bytes of the stream; b"" at its end."""

    def release(self) -> None:
        """Hand the stream back after a whole answer, to be drained and closed in the background."""


LimitHeaders: TypeAlias = Callable[[LimitCharge | None, bool], Sequence[Header]]
"""Makes the rate limit headers of a key's charge; the flag is whether the client is Codex."""


EarlyHeaders: TypeAlias = Callable[[], Sequence[Header]]
"""Gives the headers of an answer that are known before its first event."""


async def _nothing() -> None:
    """Default for `before_last`: does nothing."""


class ResponseWriter:
    """Writes the answer of one exchange; a member of the ticker while it is under way.

    Args:
        sink: the client's side of the connection.
        exchange: the exchange that is answered.
        tasks: runs keep-alive writes.
        patience_ticks: seconds after which a stream gets its 200 before the first event.
        whole_patience_ticks: seconds after which an answer in one piece gets its 200, and blank
            space, before it is whole; 0 for never.
        gaps: histogram of the seconds between two reads from upstream.
        limit_headers: makes the rate limit headers.
        early: counts answers that start before the first event.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        sink: Sink,
        exchange: Exchange,
        *,
        tasks: Tasks,
        patience_ticks: int,
        whole_patience_ticks: int = 0,
        gaps: LabelledHistogram,
        limit_headers: LimitHeaders,
        early: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._limit_headers = limit_headers
        self._early = early
        self._exchange = exchange
        self._tasks = tasks
        self._patience_ticks = patience_ticks
        self._whole_patience_ticks = whole_patience_ticks
        self._times = StreamTimes(gaps, clock)
        self._pushed: PushedStream | None = None
        self._translator: StreamTranslator | None = None
        self._early_headers: EarlyHeaders = list
        self._streams = False
        self._codex = False
        self._started = False
        self._sending = False
        self._ending = False
        self._reading = False
        self._age = 0

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
        """Set the translator of the next answer.

        The first call starts counting `patience_ticks`: before it the client was still sending.

        Args:
            translator: translator or aggregator of the answer.
            streams: whether the answer is a stream.
            codex: whether the client is Codex, for the rate limit headers.
            early_headers: gives the headers of an answer that starts before the first event.
        """
        if self._translator is None:
            self._age = 0
        self._translator = translator
        self._early_headers = early_headers
        self._streams = streams
        self._codex = codex

    def forget(self) -> None:
        """The exchange is over: drop what refers to the request.

        It refers to this writer in turn, and the garbage collector, which would free both, runs seldom.
        """
        self._early_headers = list

    @property
    def seconds_until_early_start(self) -> int:
        """Seconds until a streaming client gets its 200 though nothing was said, at most."""
        return self._patience_ticks - self._age

    def tick(self) -> None:
        """Count a second: write a keep-alive or an early 200, or end an answer that fell silent."""
        self._age += 1
        times = self._times
        if self._sending or (self._pushed is not None and self._pushed.waits):
            times.wait_for_client()
            return
        times.tick()
        if self._reading:
            self._exchange.note_silence(times.idle)
        if self._reading and times.idle > SILENCE_TICKS:
            self._exchange.interrupt(UpstreamSlow("The backend has been silent for too long."))
        elif self._started:
            if times.silent >= KEEP_ALIVE_TICKS:
                self._tasks.start(self._reassure(), name="keep alive")
        elif self._translator is not None and self._age >= self._early_ticks() > 0:
            self._tasks.start(self._reassure(), name="start early")

    def _early_ticks(self) -> int:
        """Seconds after which the answer starts before it is there; 0 for never."""
        return self._patience_ticks if self._streams else self._whole_patience_ticks

    async def stream(
        self,
        source: ResponseSource,
        *,
        headers: Sequence[Header] = (),
        before_last: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Write the answer as a stream until it is whole.

        Args:
            source: the upstream stream, past its commit point.
            headers: response headers, unless an early 200 has been sent.
            before_last: awaited before the last bytes are written.

        Raises:
            GatewayError: the answer broke off.
        """
        translator = self._translator
        if translator is None:
            raise RuntimeError("an answer needs its translator first")
        out = translator.feed(source.held)
        source.held = b""
        if not self._started:
            await self._start(headers)
        self._exchange.speak()
        if not translator.done:
            self._reading = True
            self._times.begin()
            if out or isinstance(self._sink, DirectSink):  # its head waits for a first write
                await self._write(out)
            del out  # else it would be held for as long as the answer takes
            held = translator.report.events
            try:
                out = await self._pumped(source, translator)
            finally:
                self._pushed = None
                self._exchange.events += translator.report.events - held
            self._reading = False
        source.release()
        await before_last()
        self._end()
        await self._sink.end(out)

    def _pumped(self, source: ResponseSource, translator: StreamTranslator) -> Awaitable[bytes]:
        """Write the answer up to its last bytes, which it gives; by pushing where both ends can."""
        if not (isinstance(source, PushingStream) and isinstance(self._sink, DirectSink)):
            return self._pull(source, translator)
        self._pushed = PushedStream(
            source, self._sink.cycle, translator=translator, times=self._times
        )
        return self._pushed.last()

    async def _pull(self, source: ResponseSource, translator: StreamTranslator) -> bytes:
        """The slow way: wait for each read, then for the client."""
        times, out = self._times, b""
        while not translator.done:
            if out:
                await self._write(out)
            data = await source.read()
            times.idle = 0
            if not data:
                return translator.finish()
            times.received()
            if len(data) > SLICE_BYTES:
                out = await self._write_slices(translator, data)
            else:
                out = translator.feed(data)
        return out

    async def _write(self, out: bytes) -> None:
        self._times.silent = 0
        self._sending = True
        await self._sink.write(out)
        self._sending = False

    async def _write_slices(self, translator: StreamTranslator, data: bytes) -> bytes:
        """Translate a large read in slices of SLICE_BYTES; writes all but the last, which it gives.

        Only one translated slice is in memory while the client reads slowly.
        """
        out = b""
        for start in range(0, len(data), SLICE_BYTES):
            if out:
                await self._write(out)
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
        """Read the answer until it is whole, then send it in one piece.

        At most blank space is sent before that, so after an error another translator and source may
        be used. Arguments as for `stream`.

        Raises:
            GatewayError: the answer broke off.
        """
        body = await self._folded(source)
        source.release()
        await before_last()
        self._exchange.speak()
        self._end()
        if self._started:
            await self._sink.end(body)
            return
        self._started = True
        await self._sink.start(
            200,
            [
                JSON_TYPE,
                (b"content-length", str(len(body)).encode()),
                *headers,
                *self._limits(),
            ],
        )
        await self._sink.end(body)

    async def _folded(self, source: ResponseSource) -> bytes:
        fold, read, times = self._translator, source.read, self._times
        if fold is None:
            raise RuntimeError("an answer needs its translator first")
        fold.feed(source.held)
        held = fold.report.events
        times.idle = 0
        times.begin()
        self._reading = True
        try:
            while not fold.done:
                data = await read()
                times.idle = 0
                if not data:
                    break
                times.received()
                fold.feed(data)
        finally:
            self._reading = False
            self._exchange.events += fold.report.events - held
        return fold.finish()

    async def fail(self, error: GatewayError) -> None:
        """Send an error: as an error response if nothing was sent yet, else as a stream event."""
        self._reading = False
        self._sending = self._ending = True
        if not self._started or self._translator is None:
            self._started = True
            await self._sink.fail(error, self._limits())
            return
        if self._streams:
            await self._sink.end(self._translator.fail(error))
        else:
            await self._sink.fail_started(error)

    @property
    def started(self) -> bool:
        """Whether a stream has started: an error has no status any more, but is its last event."""
        return self._started and self._streams

    async def _start(self, headers: Sequence[Header]) -> None:
        self._started = True
        kind = STREAM_HEADERS if self._streams else BLANK_HEADERS
        await self._sink.start(200, kind, (*headers, *self._limits()))

    def _limits(self) -> Sequence[Header]:
        """The rate limit headers of the client's key."""
        return self._limit_headers(self._exchange.claims.charge, self._codex)

    async def _reassure(self) -> None:
        """Write a keep-alive, after an early 200 if the response has not started."""
        translator = self._translator
        if translator is None or self._sending or self._ending or self._exchange.settled:
            return
        self._times.silent = 0
        self._sending = True
        if not self._started:
            self._early()
            await self._start(self._early_headers())
        await self._sink.write(translator.keep_alive if self._streams else BLANK)
        self._sending = False

    def _end(self) -> None:
        """The answer is whole; only its last bytes are still to be written."""
        self._sending = self._ending = True
        report = self._translator.report if self._translator else None
        if report is not None and report.ending is not None:
            self._exchange.end(report.ending, status=200, code=report.code)
