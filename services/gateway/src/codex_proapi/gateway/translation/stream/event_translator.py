"""Base of the stream translators: splits bytes into events, forwards or translates each, ends once.

A dialect implements, as methods of a subclass:

* `_fast`: for events that are nearly all of a stream, a method for the undecoded block by the
  lines it begins with; the method returns the client's bytes, or None to decode the event; it gets
  no block with a second line of data, and does not mind whether the blank line is still behind it;
* `_many`: the same for bytes that are nothing but such events, of one kind and with one line of data
  each; the method gets the bytes, and the payloads in them;
* `_silent`: the beginnings of blocks that are skipped;
* `_shapes`: for such events, a method that says what those look like that follow now, so that
  compiled code may take them from upstream's chunks to the client's (`copier`);
* `_slow(block)`: the client's bytes for any other block, which it decodes and notes in the report;
* `_close()`: the last bytes when upstream closes without a terminal event, or raises `Truncated`;
* `_error(error)`: the bytes that end a stream with an error.

A block is one server-sent event without the blank line that ends it. A text delta in it carries
its JSON string as upstream wrote it, so the fast path copies and never decodes.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from codex_proapi.commons.native import NATIVE
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError, Malformed
from codex_proapi.gateway.formats.sse import (
    BLANK_LINE,
    KEEP_ALIVE,
    MAX_MESSAGE_BYTES,
    SSESplitter,
    event_end,
    sound_utf8,
)
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

if TYPE_CHECKING:
    from codex_proapi_native import DeltaCopier

FastHandler = Callable[[Any, bytes], bytes | None]
"""A method that is not bound: a translator that holds its own is freed by the garbage collector only."""
ManyHandler = Callable[[Any, bytes, list[bytes]], bytes | None]
"""The same for several events: their bytes, and their payloads."""
Shape = tuple[tuple[tuple[bytes, bytes], ...], tuple[bytes, bytes] | None]
"""Of the deltas that follow: fields that each must have once, with their JSON; and the client's bytes
around a delta's JSON string, None if the events pass as they are."""
ShapeOf = Callable[[Any], Shape | None]

NO_LINES: Final = b"\n"
"""A prefix that no block has."""
DATA: Final = b"data: "
AFTER_LINE: Final = len(b"\n" + DATA)
"""Bytes of the end of an `event:` line, and of the name of the data field behind it."""
RUN_TRIES: Final = 2
"""Times that taking events of one kind together may fail, before each is taken alone."""
LF: Final = ord("\n")
CR: Final = ord("\r")


def first_lines(name: str) -> bytes:
    """Return the beginning of an event's blocks: its `event:` line and the name of the data field."""
    return f"event: {name}\n".encode() + DATA


class EventTranslator:
    """Base of the stream translators: translates one answer; subclasses implement the dialect."""

    keep_alive = KEEP_ALIVE
    _fast: ClassVar[Mapping[bytes, FastHandler]] = {}
    _many: ClassVar[Mapping[bytes, ManyHandler]] = {}
    _silent: ClassVar[tuple[bytes, ...]] = ()
    _shapes: ClassVar[Mapping[bytes, ShapeOf]] = {}
    _next = -1
    """Sequence number of the client's next event; negative where events keep theirs, or have none."""

    def __init__(self) -> None:
        self.report = ResponseReport()
        self.done = False
        self._splitter = SSESplitter()
        self._unsent: list[bytes] = []
        self._lines, self._tries = NO_LINES, 0
        self._mixed = False
        """Whether events of one kind that came in one read could not all be taken together."""
        self._handler: FastHandler = type(self)._slow  # noqa: SLF001
        self._at_border = False
        """Whether the next byte begins an event, and a handler for the kind of the last one is known."""
        self._copied: tuple[bytes, Shape] | None = None
        self._copier: DeltaCopier | None = None

    def feed(self, data: bytes) -> bytes:
        """Translate upstream's bytes into the client's; b"" if there are none to write.

        Most reads are one delta of the kind before it: it has one line of data, then the blank line.
        Such a read is its handler's as it is; of every other one what is whole is gone through.
        """
        if (
            self._at_border
            and data.startswith(self._lines)
            and data.find(b"\n", len(self._lines)) == len(data) - 2
            and data[-1] == LF
            and CR not in data
            and len(data) <= MAX_MESSAGE_BYTES
        ):
            passed = self._handler(self, data if data.isascii() else sound_utf8(data))
            if passed is not None:
                self.report.events += 1
                return passed
        if self.done:
            return b""
        self._at_border = False
        passed = self._feed_whole(self._splitter.whole(data))
        self._at_border = not self.done and self._lines in self._fast and self._splitter.at_border
        return passed

    def _feed_whole(self, whole: bytes) -> bytes:
        """Translate whole events one by one; those of one kind that stand together at once."""
        out, report, lines = self._unsent, self.report, self._lines
        end, size = 0, len(whole)
        while end < size:
            begin, end = end, event_end(whole, end)
            if whole.startswith(self._silent, begin):
                report.events += 1
                continue
            known = whole.startswith(lines, begin)
            if known and self._tries and whole.startswith(lines, end):
                passed, run_end = self._pass_run(whole, begin)
                if passed is not None:
                    out.append(passed)
                    end = run_end
                    continue
                self._tries -= 1
            block = whole[begin : end - 2]
            if not block.isascii():
                block = sound_utf8(block)
            if not known:
                # The first of a kind is taken alone: that of an item's deltas is unlike the others.
                self._lines = lines = block[: block.find(b"\n") + AFTER_LINE]
                self._handler = self._fast.get(lines, type(self)._slow)  # noqa: SLF001
                self._tries = RUN_TRIES if lines in self._many else 0
            report.events += 1
            one_line = block.find(b"\n", len(lines)) < 0
            passed = self._handler(self, block) if one_line else None
            out.append(self._slow(block) if passed is None else passed)
            if self.done:
                break
        if self._splitter.overlong and not self.done:
            self._splitter.check()
        return self._send()

    def _pass_run(self, whole: bytes, begin: int) -> tuple[bytes | None, int]:
        """The client's bytes for the events of the last one's kind from `begin` on, and where they end.

        None if they cannot be taken together. Those of one kind nearly always stand together, so all
        up to the last one are tried first, once.
        """
        if not self._mixed:
            end = event_end(whole, whole.rfind(self._lines, begin))
            if (passed := self._together(whole[begin:end])) is not None:
                return passed, end
            self._mixed = True
        end = event_end(whole, begin)
        while whole.startswith(self._lines, end):
            end = event_end(whole, end)
        return self._together(whole[begin:end]), end

    def _together(self, run: bytes) -> bytes | None:
        """The client's bytes for some events of the last one's kind; None if one is another's business."""
        copier, lines = self._kind_copier(), self._lines
        if copier is not None and (translated := copier.translate(run)) is not None:
            passed, events = translated
            self.copied(events)
            return passed
        run = sound_utf8(run)
        payloads = run[len(lines) : -len(BLANK_LINE)].split(BLANK_LINE + lines)
        if b"\n" in b"".join(payloads):  # a second line of data, or another event
            return None
        many = self._many[lines](self, run, payloads)
        if many is not None:
            self.report.events += len(payloads)
        return many

    def copier(self) -> "DeltaCopier | None":
        """What takes events of the last one's kind from upstream's chunks to the client's, if anything.

        It gives the bytes that `feed` would, for all reads up to the first that has anything else in
        it: `copied` must be told of the events before that is fed. An answer has deltas of few
        kinds, so the copier is kept until there are others.
        """
        return self._kind_copier() if self._at_border else None

    def _kind_copier(self) -> "DeltaCopier | None":
        """The copier of events of the last one's kind, if there is one."""
        shape_of = self._shapes.get(self._lines) if NATIVE.code is not None else None
        shape = shape_of(self) if shape_of is not None else None
        if shape is None or NATIVE.code is None:
            return None
        if self._copier is None or self._copied != (self._lines, shape):
            self._copied = self._lines, shape
            self._copier = NATIVE.code.DeltaCopier(self._lines, *shape, self._next)
        else:
            self._copier.number = self._next
        return self._copier

    def copied(self, events: int) -> None:
        """Note the events that the copier has taken."""
        self.report.events += events
        if self._next >= 0:
            self._next += events

    def finish(self) -> bytes:
        """Return the rest at the end of upstream's stream. Raises `Truncated` if it is not whole."""
        if self.done:
            return b""
        self._at_border = False
        try:
            # A last event may lack only the blank line to end it.
            if last := self._last(sound_utf8(self._splitter.close())):
                self._unsent.append(last)
        except Malformed:
            self.report.malformed_events += 1
        if not self.done:
            self._unsent.append(self._close())
        return self._send()

    def fail(self, error: GatewayError) -> bytes:
        """Return what was translated before the error, then the error in the dialect's format."""
        if self.done:
            return b""
        self.done, self._at_border = True, False
        self.report.ending = Ending.BROKEN
        self.report.code = self.report.code or error.label
        return self._send() + self._error(error)

    def _send(self) -> bytes:
        """Return, and remove, what was translated and not returned yet."""
        pieces, self._unsent = self._unsent, []
        return b"".join(pieces)

    def _slow(self, block: bytes) -> bytes:
        raise NotImplementedError

    def _last(self, block: bytes) -> bytes:
        """Translate a last block that lacks its blank line, as if it were there."""
        block = block.removesuffix(b"\n")
        self._lines = lines = block[: block.find(b"\n") + AFTER_LINE]
        handler = self._fast.get(lines)
        if handler is None or block.find(b"\n", len(lines)) >= 0:
            return self._slow(block)
        passed = handler(self, block)
        return self._slow(block) if passed is None else passed

    def _close(self) -> bytes:
        raise NotImplementedError

    def _error(self, error: GatewayError) -> bytes:
        raise NotImplementedError


def with_blank_line(block: bytes) -> bytes:
    """The block with the blank line that ends it."""
    return block if block.endswith(BLANK_LINE) else block + BLANK_LINE
