"""Decodes and encodes server-sent events.

The payload of a message is decoded in `codex.events`.
"""

from typing import Final

import msgspec

from codex_proapi.gateway.errors import Malformed

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the longest message accepted: enough for an event with an image."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

BLANK_LINE: Final = b"\n\n"
"""Ends the last line of an event, and the event."""

LF: Final = ord("\n")

KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment, for keep-alive: every client tested skips it; a `data:` line without JSON breaks most."""

DONE: Final = b"data: [DONE]\n\n"
"""The last line of a chat stream."""


class SSEMessage(msgspec.Struct, frozen=True):
    """One message, with the lines it came from."""

    event: bytes | None
    """The `event:` field; None if missing."""
    data: bytes
    """The `data:` lines, joined by LF."""
    raw: bytes
    """The block as received, with LF line ends, without the blank line after it."""


def event_end(whole: bytes, begin: int) -> int:
    """Where the event ends that begins here, with its blank line, among whole events.

    Nearly all have two lines: to look for the end of each is many times faster than for two line feeds.
    """
    first = whole.find(b"\n", begin)
    second = whole.find(b"\n", first + 1)
    if second > first + 1 and whole[second + 1] == LF:
        return second + 2
    return whole.find(BLANK_LINE, begin) + 2


class SSESplitter(msgspec.Struct, kw_only=True):
    """Splits a stream of bytes at its blank lines; the result does not depend on the reads' sizes."""

    limit: int = MAX_MESSAGE_BYTES
    """Most bytes of a block."""
    overlong: bool = False
    """Whether a block beyond the limit has come; nothing is returned after it."""
    pieces: list[bytes] = []
    """What has come of a block that is not complete."""
    size: int = 0
    """Its bytes."""
    started: bool = False
    """Whether the first byte has come that is none of a byte order mark."""
    after_cr: bool = False
    """Whether the last byte was a CR, which a LF may complete."""

    def __repr__(self) -> str:
        return f"<SSESplitter {self.size} bytes pending>"

    @property
    def at_border(self) -> bool:
        """Whether the next byte begins a block, whatever it is."""
        return self.started and not (self.pieces or self.after_cr or self.overlong)

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the blocks they complete, with LF line ends."""
        blocks = self.whole(data).split(BLANK_LINE)
        blocks.pop()
        return blocks

    def whole(self, data: bytes) -> bytes:
        """Add bytes; return what is whole, in one piece: blocks with LF line ends and blank lines.

        None from one beyond the limit on.
        """
        if self.overlong:
            return b""
        if not self.started:
            if not data or data[0] == BYTE_ORDER_MARK[0] or self.pieces:
                data = self._begin(data)
            else:
                self.started = True
        if self.after_cr or b"\r" in data:
            data = self._line_feeds(data)
        if self.pieces:
            if BLANK_LINE not in data and not (data[:1] == b"\n" and self.pieces[-1][-1:] == b"\n"):
                self._keep(data)
                return b""
            data = b"".join((*self.pieces, data))
            self._drop()
        end = data.rfind(BLANK_LINE) + 2
        if end == 1:
            end = 0
        elif data[end - 3 : end] == b"\n\n\n":
            # Of more than two line feeds an odd one belongs to what follows.
            end = len(data) - len(data.split(BLANK_LINE)[-1])
        if end < len(data):
            self._keep(data[end:])
            data = data[:end]
        return data if len(data) <= self.limit else self._bounded(data)

    def close(self) -> bytes:
        """Return the last block if it lacks its blank line; empty if there is none."""
        rest = b"".join(self.pieces)
        self._drop()
        return rest

    def check(self) -> None:
        """Raise `Malformed` once a block beyond the limit has come."""
        if self.overlong:
            raise Malformed(f"An upstream event is longer than {self.limit} bytes.")

    def _bounded(self, whole: bytes) -> bytes:
        """What stands before a block beyond the limit."""
        begin = 0
        while begin < len(whole):
            end = event_end(whole, begin)
            if end - len(BLANK_LINE) - begin > self.limit:
                self.overlong = True
                self._drop()
                return whole[:begin]
            begin = end
        return whole

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self.pieces.append(data)
        self.size += len(data)
        # One line feed more than the limit may be part of the blank line.
        if self.size > self.limit + 1:
            self.overlong = True
            self._drop()

    def _drop(self) -> None:
        self.pieces.clear()
        self.size = 0

    def _begin(self, data: bytes) -> bytes:
        """Drop a byte order mark, even if it is split between reads."""
        head = b"".join((*self.pieces, data))
        self._drop()
        if len(head) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(head):
            self._keep(head)
            return b""
        self.started = True
        return head.removeprefix(BYTE_ORDER_MARK)

    def _line_feeds(self, data: bytes) -> bytes:
        """Replace CRLF and CR by LF, even if CRLF is split between reads."""
        if not data:
            return data
        if self.after_cr and data[:1] == b"\n":
            data = data[1:]
        self.after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class SSEDecoder:
    """Decodes a stream of bytes into messages; comments, `id:` and `retry:` are dropped."""

    def __init__(self, *, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._splitter = SSESplitter(limit=limit)

    def __repr__(self) -> str:
        return f"<SSEDecoder on {self._splitter!r}>"

    def feed(self, data: bytes) -> list[SSEMessage]:
        """Add bytes; return the messages they complete.

        Raises `Malformed` for a message beyond the limit, after those before it were returned.
        """
        blocks = self._splitter.feed(data)
        if not blocks:
            self._splitter.check()
        return [message for block in blocks if (message := read_block(block)) is not None]


def read_block(block: bytes) -> SSEMessage | None:
    """The message in a block; None without a `data:` line."""
    event: bytes | None = None
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ") or None
    return SSEMessage(event, b"\n".join(data), block) if data else None


def sound_utf8(block: bytes) -> bytes:
    """Return a block as valid UTF-8: the same object, or with U+FFFD for every invalid byte."""
    if block.isascii():
        return block
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode(errors="replace").encode()
    return block


def encode_sse(data: bytes, *, event: bytes | None = None) -> bytes:
    """Encode one message with one line of JSON."""
    if event is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (event, data)
