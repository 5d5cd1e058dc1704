"""The fast way of a streamed answer: what upstream sends is translated and written where it arrives.

The HTTP transport calls `received` for every read of its socket, and within that call the client's
bytes are written: no task is woken, no future made, no message passed. The exchange's task waits for
`last`. The slow way is `ResponseWriter`'s loop, for every other source or sink; it writes the same
bytes, and tests compare them.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.commons.native import NATIVE
from codex_proapi.gateway.exchange.answer.stream_times import StreamTimes
from codex_proapi.gateway.translation.stream.event_translator import EventTranslator
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator
from codex_proapi.gateway.upstream.transport import CopyingReceiver, PushingStream, broke_off

if TYPE_CHECKING:
    from codex_proapi_native import DeltaCopier, DeltaRelay

WHOLE_BYTES: Final = 64 * 1024
"""Bytes that are translated and written at a time while the client keeps up: all that one read takes."""
SLICE_BYTES: Final = 4 * 1024
"""The same for a client that did not: what is translated waits for it, beside what may wait anyhow."""


class PushedStream(CopyingReceiver):
    """One answer, from its commit point to its last bytes; a `Receiver` of its source.

    Where the client reads slowly what has come is kept, and the source paused, until it takes more.

    Args:
        source: the upstream stream.
        cycle: the client's request.
        translator: translates the answer.
        times: is told of every read and write.
    """

    def __init__(
        self,
        source: PushingStream,
        cycle: RequestCycle,
        *,
        translator: StreamTranslator,
        times: StreamTimes,
    ) -> None:
        self._source = source
        self._cycle = cycle
        self._translator = translator
        self._times = times
        self._over = False
        """Whether the last bytes are known; what still comes is nobody's."""
        self._rest = b""
        self._at_once = WHOLE_BYTES
        self._copies = (
            translator
            if NATIVE.code is not None and isinstance(translator, EventTranslator)
            else None
        )
        self._copier: DeltaCopier | None = None
        """What translates the reads, while they are deltas of one kind."""
        self._relay: DeltaRelay | None = None
        """What takes them meanwhile, and writes."""
        self._parse: Callable[[bytes], None] | None = None
        self._uncopied = b""
        """What it has left for the parser, once it was stopped."""
        self._noted = False
        """Whether what comes next is of a read that was noted."""
        self._complete = False
        self._error: Exception | None = None
        self._last: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<PushedStream {'over' if self._over else 'under way'}>"

    @property
    def waits(self) -> bool:
        """Whether the client takes nothing at the moment."""
        return not self._cycle.writable

    async def last(self) -> bytes:
        """Wait until the answer is whole; gives its last bytes, which are not written yet.

        Raises:
            GatewayError: the answer broke off.
        """
        self._cycle.on_writable = self._go_on
        try:
            self._source.push_to(self)
            return await self._last
        finally:
            self._cycle.on_writable = None
            self._stop_copying()
            self._over = True

    # What the source calls.

    def received(self, data: bytes) -> bool:
        """Take what upstream has sent; False if no more should come until it is resumed."""
        if self._over:
            return True
        self._note_read()
        if self._rest or len(data) > self._at_once:
            self._rest += data
            return self._write_slices()
        return self._write(data)

    def ended(self, error: Exception | None) -> None:
        """Everything has come; or the connection broke, and this is why."""
        if self._copier is not None:
            self._stop_copying()
            self._write(_payload(self._uncopied))
        self._complete, self._error = True, error
        if not self._rest:
            self._conclude()

    def copying(
        self, parse: Callable[[bytes], None], *, more: bool
    ) -> Callable[[bytes], None] | None:
        """What takes the reads that follow, if the client keeps up and deltas are expected.

        For the events in them it writes what `received` would have written, and at the same time.
        """
        self._noted = more
        translator = self._copies
        if translator is None or self._over or self._rest or not self._cycle.only_chunks:
            return None
        copier = translator.copier()
        if copier is None or NATIVE.code is None:
            return None
        self._copier, self._parse = copier, parse
        self._relay = NATIVE.code.DeltaRelay(
            copier,
            self._cycle,
            times=self._times,
            full=self._wait_for_client,
            other=self._parse_rest,
            limit=self._at_once,
            noted=more,
        )
        return self._relay.received

    def _parse_rest(self, data: bytes) -> None:
        """Copying ends: have parsed what the copier left, and what it was not given."""
        parse = self._parse
        self._stop_copying()
        rest, self._uncopied = self._uncopied + data, b""
        if parse is not None:
            parse(rest)

    # What it does with it.

    def _go_on(self) -> None:
        """The client takes more."""
        self._times.begin()
        if self._write_slices() and not self._complete:
            self._source.resume()

    def _write_slices(self) -> bool:
        """Write what is kept, a slice at a time; False if the client stops taking it."""
        while self._rest and not self._over:
            size = self._at_once
            data, self._rest = self._rest[:size], self._rest[size:]
            if not self._write(data):
                return False
        if self._complete:
            self._conclude()
        return True

    def _write(self, data: bytes) -> bool:
        """Translate and write; False if the client should take that first."""
        translator = self._translator
        try:
            out = translator.feed(data)
        except Exception as error:  # noqa: BLE001 - it is the waiting task's
            self._end(error)
            return True
        if translator.done:
            self._rest = b""
            self._end(out)
            return True
        if not out:
            return self._cycle.writable
        self._times.silent = 0
        more = self._cycle.write(out)
        if not more:
            self._at_once = SLICE_BYTES
        return more

    def _note_read(self) -> None:
        """Upstream has sent something; of one read once."""
        if self._noted:
            self._noted = False
        else:
            self._times.received()

    def _write_framed(self, chunk: bytes) -> None:
        """Write what was copied; pause the source if the client should take that first."""
        self._times.silent = 0
        if not self._cycle.write_framed(chunk):
            self._wait_for_client()

    def _wait_for_client(self) -> None:
        """Take nothing more from upstream until the client takes what it has."""
        self._at_once = SLICE_BYTES
        if self._relay is not None:
            self._relay.limit = SLICE_BYTES
        self._source.pause()

    def _stop_copying(self) -> None:
        """Have the translator go on: it learns how many events were copied."""
        copier, relay, self._copier, self._relay = self._copier, self._relay, None, None
        if copier is None or relay is None or self._copies is None:
            return
        relay.stop()
        self._noted = relay.noted
        framed, self._uncopied, events = copier.stop()
        self._copies.copied(events)
        if framed:
            self._note_read()
            self._noted = True
            self._write_framed(framed)

    def _conclude(self) -> None:
        """The last byte of upstream was translated."""
        if self._over:
            return
        try:
            if self._error is not None:
                raise broke_off(self._error) from self._error  # noqa: TRY301 - the same end for both
            self._end(self._translator.finish())
        except Exception as error:  # noqa: BLE001 - it is the waiting task's
            self._end(error)

    def _end(self, last: bytes | Exception) -> None:
        """Wake the waiting task with the last bytes, or with what went wrong."""
        self._over = True
        if self._last.done():
            return  # the task was cancelled, and does not know it yet
        if isinstance(last, Exception):
            self._last.set_exception(last)
        else:
            self._last.set_result(last)


def _payload(chunk: bytes) -> bytes:
    """What has come of the payload of a chunk that is not whole."""
    size, _, payload = chunk.partition(b"\r\n")
    return payload[: int(size, 16)] if payload else b""
