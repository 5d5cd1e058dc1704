"""Writes one answer to a client: translated stream, keep-alives, a whole body, or an error.

There is one write for each read from upstream and no timer or task per chunk; the process' ticker
calls `tick` once a second. Contents come from the translator, transport is the sink's.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.errors import GatewayError, UpstreamSlow
from codex_proapi.gateway.exchange.answer.pushed_stream import SLICE_BYTES, PushedStream
from codex_proapi.gateway.exchange.answer.response_headers import early_headers
from codex_proapi.gateway.exchange.answer.stream_times import StreamTimes
from codex_proapi.gateway.exchange.dispatch_state import LONGEST_WAIT, WAIT_MARGIN
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


LimitHeaders: TypeAlias = Callable[[LimitCharge, bool], Sequence[Header]]
"""Makes the rate limit headers of a key's charge; the flag is whether the client is Codex."""
MakeTranslator: TypeAlias = Callable[[Exchange], StreamTranslator]
"""Makes a fresh translator, or aggregator, of an exchange's answer."""
BeforeLast: TypeAlias = Callable[[], Awaitable[None]]


class WriterTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers of one dialect share."""

    tasks: Tasks
    """Run keep-alive writes."""
    patience_ticks: int
    """Seconds after which a stream gets its 200 before the first event."""
    whole_patience_ticks: int = 0
    """Seconds after which an answer in one piece gets its 200, and blank space, before it is whole; 0
    for never."""
    gaps: LabelledHistogram
    """Seconds between two reads from upstream."""
    limit_headers: LimitHeaders
    translator: MakeTranslator
    early: Callable[[], None] = lambda: None
    """Counts answers that start before the first event."""
    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""


class ResponseWriter:
    """Writes the answer of one exchange; a member of the ticker while it is under way.

    Args:
        sink: the client's side of the connection.
        exchange: the exchange that is answered.
        terms: what it shares with other answers.
    """

    def __init__(self, sink: Sink, exchange: Exchange, terms: WriterTerms) -> None:
        self._sink = sink
        self._exchange = exchange
        self._terms = terms
        self._times = StreamTimes(terms.gaps, terms.clock)
        self._pushed: PushedStream | None = None
        self._translator: StreamTranslator | None = None
        self._begun = self._streams = False
        self._codex = False
        self._started = False
        self._sending = False
        self._ending = False
        self._reading = False
        self._age = 0

    def __repr__(self) -> str:
        state = "started" if self._started else "waiting"
        return f"<ResponseWriter {self._exchange.request_id} {state} after {self._age} s>"

    def begin(self, *, streams: bool, codex: bool) -> None:
        """The request is translated, and its answer is to be written.

        The first call starts counting `patience_ticks`: before it the client was still sending.

        Args:
            streams: whether the answer is a stream.
            codex: whether the client is Codex, for the rate limit headers.
        """
        if not self._begun:
            self._age = 0
        self._begun = True
        self._streams = streams
        self._codex = codex
        self.renew()

    def renew(self) -> None:
        """Have a fresh translator for the next answer."""
        self._translator = None
        if self._started:
            self.translator()  # it may have to write an error, whatever becomes of the request

    def translator(self) -> StreamTranslator:
        """The translator of the answer; made by the first call, at best while upstream works.

        The report of an earlier one is dropped.
        """
        translator = self._translator
        if translator is None:
            if not self._begun:
                raise RuntimeError("an answer needs its translated request first")
            translator = self._translator = self._terms.translator(self._exchange)
            self._exchange.report = translator.report
        return translator

    @property
    def longest_wait(self) -> float:
        """Most seconds that may be waited for accounts: a refusal after them is still a status."""
        if not self._streams:
            return LONGEST_WAIT
        return min(LONGEST_WAIT, self._terms.patience_ticks - self._age - WAIT_MARGIN)

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
                self._terms.tasks.start(self._reassure(), name="keep alive")
        elif self._begun and self._age >= self._early_ticks() > 0:
            self._terms.tasks.start(self._reassure(), name="start early")

    def _early_ticks(self) -> int:
        """Seconds after which the answer starts before it is there; 0 for never."""
        terms = self._terms
        return terms.patience_ticks if self._streams else terms.whole_patience_ticks

    async def stream(
        self,
        source: ResponseSource,
        *,
        headers: Sequence[Header] = (),
        before_last: BeforeLast | None = None,
    ) -> None:
        """Write the answer as a stream until it is whole.

        Args:
            source: the upstream stream, past its commit point.
            headers: response headers, unless an early 200 has been sent.
            before_last: if given, awaited before the last bytes are written.

        Raises:
            GatewayError: the answer broke off.
        """
        translator = self.translator()
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
        if before_last is not None:
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
        before_last: BeforeLast | None = None,
    ) -> None:
        """Read the answer until it is whole, then send it in one piece.

        At most blank space is sent before that, so after an error another translator and source may
        be used. Arguments as for `stream`.

        Raises:
            GatewayError: the answer broke off.
        """
        body = await self._folded(source)
        source.release()
        if before_last is not None:
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
        fold, read, times = self.translator(), source.read, self._times
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
        if not self._started:
            self._started = True
            await self._sink.fail(error, self._limits())
            return
        if self._streams:
            await self._sink.end(self.translator().fail(error))
        else:
            await self._sink.fail_started(error)

    @property
    def started(self) -> bool:
        """Whether a stream has started: an error has no status any more, but is its last event."""
        return self._started and self._streams

    def _start(self, headers: Sequence[Header]) -> Awaitable[None]:
        """Begin the response with these headers and those of every stream, or of blank space."""
        self._started = True
        kind = STREAM_HEADERS if self._streams else BLANK_HEADERS
        return self._sink.start(200, kind, (*headers, *self._limits()))

    def _limits(self) -> Sequence[Header]:
        """The rate limit headers of the client's key; none if nothing was charged to it."""
        charge = self._exchange.claims.charge
        return () if charge is None else self._terms.limit_headers(charge, self._codex)

    async def _reassure(self) -> None:
        """Write a keep-alive, after an early 200 if the response has not started."""
        if self._sending or self._ending or self._exchange.settled:
            return
        translator = self.translator()
        self._times.silent = 0
        self._sending = True
        if not self._started:
            self._terms.early()
            await self._start(early_headers(self._exchange))
        await self._sink.write(translator.keep_alive if self._streams else BLANK)
        self._sending = False

    def _end(self) -> None:
        """The answer is whole; only its last bytes are still to be written."""
        self._sending = self._ending = True
        report = self._translator.report if self._translator else None
        if report is not None and report.ending is not None:
            self._exchange.end(report.ending, status=200, code=report.code)
