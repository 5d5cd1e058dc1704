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
    KEEP_ALIVE,
    MAX_MESSAGE_BYTES,
    SSESplitter,
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
BLANK_LINE: Final = b"\n\n"
"""Ends the last line of an event, and the event."""
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
        self._handler: FastHandler = type(self)._slow  # noqa: SLF001
        self._at_border = False
        """Whether the next byte begins an event, and a handler for the kind of the last one is known."""
        self._copied: tuple[bytes, Shape] | None = None
        self._copier: DeltaCopier | None = None

    def feed(self, data: bytes) -> bytes:
        """Translate upstream's bytes into the client's; b"" if there are none to write.

        Most reads are one delta of the kind before it: it has one line of data, then the blank line.
        Such a read is its handler's as it is. Every other one is taken as several of them, or split
        into blocks.
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
        splitter = self._splitter
        whole = splitter.whole(data)
        if splitter.overlong or (passed := self._pass_many(whole)) is None:
            passed = self._feed_blocks(whole)
        self._at_border = splitter.at_border and not self.done and self._lines in self._fast
        return passed

    def _pass_many(self, whole: bytes) -> bytes | None:
        """The client's bytes for events of the last one's kind, one line of data each, or None."""
        if not whole:
            return b""
        lines = self._lines
        many = self._many.get(lines)
        if many is None or not whole.startswith(lines) or len(whole) > MAX_MESSAGE_BYTES:
            return None
        if (passed := self._translated(whole)) is not None:
            return passed
        whole = sound_utf8(whole)
        payloads = whole[len(lines) : -len(BLANK_LINE)].split(BLANK_LINE + lines)
        if b"\n" in b"".join(payloads):
            return None
        passed = many(self, whole, payloads)
        if passed is not None:
            self.report.events += len(payloads)
        return passed

    def _feed_blocks(self, whole: bytes) -> bytes:
        """Split what is whole into blocks, and translate each; those of one kind together."""
        splitter, out, report = self._splitter, self._unsent, self.report
        blocks = splitter.split(whole)
        if not whole.isascii():
            blocks = list(map(sound_utf8, blocks))
        at, slow = 0, type(self)._slow  # noqa: SLF001
        while at < len(blocks):
            block, passed, end = blocks[at], None, at + 1
            if block.startswith(self._silent):
                report.events += 1
                at = end
                continue
            if not block.startswith(self._lines):
                # The first of a kind is taken alone: that of an item's deltas is unlike the others.
                self._lines = lines = block[: block.find(b"\n") + 1 + len(DATA)]
                self._handler = self._fast.get(lines, slow)
                self._tries = RUN_TRIES if lines in self._many else 0
            elif self._tries and end < len(blocks) and blocks[end].startswith(self._lines):
                passed, end = self._pass_run(blocks, at)
            if passed is None:
                report.events += 1
                one_line = block.find(b"\n", len(self._lines)) < 0
                passed, end = self._handler(self, block) if one_line else None, at + 1
                if passed is None:
                    passed = self._slow(block)
            out.append(passed)
            if self.done:
                return self._send()
            at = end
        if splitter.overlong:
            splitter.check()
        return self._send()

    def _pass_run(self, blocks: list[bytes], begin: int) -> tuple[bytes | None, int]:
        """The client's bytes for the blocks of one kind from `begin` on, and where they end.

        None if they cannot be taken together: the first delta of an item is often unlike the others.
        """
        lines, end = self._lines, begin + 1
        while end < len(blocks) and blocks[end].startswith(lines):
            end += 1
        whole = BLANK_LINE.join(blocks[begin:end])
        passed = self._translated(whole + BLANK_LINE)
        if passed is not None:
            return passed, end
        payloads = whole[len(lines) :].split(BLANK_LINE + lines)
        if b"\n" not in b"".join(payloads):
            passed = self._many[lines](self, whole + BLANK_LINE, payloads)
        if passed is None:
            self._tries -= 1
        else:
            self.report.events += end - begin
        return passed, end

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

    def _translated(self, whole: bytes) -> bytes | None:
        """The client's bytes for whole events of the last one's kind by the copier, if it takes them."""
        copier = self._kind_copier()
        translated = copier.translate(whole) if copier is not None else None
        if translated is None:
            return None
        passed, events = translated
        self.copied(events)
        return passed

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
        self._lines = lines = block[: block.find(b"\n") + 1 + len(DATA)]
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
