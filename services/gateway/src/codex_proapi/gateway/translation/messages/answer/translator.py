"""A streamed Messages answer: upstream's bytes in, the client's bytes out.

Deltas of text and of arguments, which are nearly all of a stream, take a fast path: their JSON
string is copied between bytes encoded once. It is taken only where `MessagesStream` would give the
very same event.
"""

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError, Malformed
from codex_proapi.gateway.formats.anthropic.errors import error_event
from codex_proapi.gateway.formats.anthropic.events import (
    PING,
    MessageStart,
    around_delta,
    encode,
    input_delta,
    text_delta,
)
from codex_proapi.gateway.formats.codex.events import decode_event
from codex_proapi.gateway.formats.sse import SSESplitter, read_block
from codex_proapi.gateway.translation.messages.answer.events import MessagesState, MessagesStream
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.messages.answer.blocks import Block
    from codex_proapi.gateway.translation.messages.answer.tool_calls import Call

TEXT_LINES: Final = b"event: response.output_text.delta\ndata: "
ARGUMENTS_LINES: Final = b"event: response.function_call_arguments.delta\ndata: "
SILENT_LINES: Final = tuple(
    b'event: %b\ndata: {"type":"%b",' % (name, name)
    for name in (
        b"response.in_progress",
        b"response.content_part.added",
        b"response.content_part.done",
    )
)
"""How events begin that say nothing to a client: they are not even read."""
QUOTE: Final = ord('"')
EMPTY: Final = b'""'


class _Text(msgspec.Struct, tag_field="type", tag="response.output_text.delta"):
    delta: Raw
    output_index: int
    content_index: int


class _Arguments(msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta"):
    delta: Raw
    item_id: str


_read_text: Final = msgspec.json.Decoder(_Text).decode
_read_arguments: Final = msgspec.json.Decoder(_Arguments).decode
_read_string: Final = msgspec.json.Decoder(str).decode


class MessagesTranslator:
    """One streamed answer on its way to a client of the Messages API."""

    keep_alive = PING

    def __init__(
        self,
        options: MessagesOptions,
        *,
        message_id: str,
        model: str,
        request_id: str = "",
    ) -> None:
        """`message_id` must be unique, `model` is the name asked for."""
        self.report = ResponseReport()
        self.done = False
        self._request_id = request_id
        self._splitter = SSESplitter()
        self._stream = MessagesStream(
            options, message_id=message_id, model=model, account=lambda: self.report.account
        )
        self._block: Block | None = None
        self._call: Call | None = None
        self._around = (b"", b"")
        self._unsent: list[bytes] = []

    def __repr__(self) -> str:
        return f"<MessagesTranslator {self._stream.state.value}>"

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; give the client's, b"" when there is nothing to write."""
        if self.done:
            return b""
        out = self._unsent
        for block in self._splitter.feed(data):
            if self.done:
                break
            if block.startswith(TEXT_LINES):
                out.append(self._text(block))
            elif block.startswith(ARGUMENTS_LINES):
                out.append(self._arguments(block))
            elif not block.startswith(SILENT_LINES):
                out.append(self._slowly(block))
        if not self.done:
            self._splitter.check()
        self._unsent = []
        return b"".join(out)

    def finish(self) -> bytes:
        """Upstream has closed: give the rest. Raises `Truncated` if the answer is not whole."""
        if self.done:
            return b""
        try:
            # A last event may lack only the blank line to end it.
            self._unsent.append(self._slowly(self._splitter.close()))
        except Malformed:
            self.report.malformed_events += 1
        if not self.done:
            self._unsent += map(encode, self._stream.finish())
            self._end(cut=True)
        last, self._unsent = b"".join(self._unsent), []
        return last

    def fail(self, error: GatewayError) -> bytes:
        """End with what was translated before the fault, then an `error` event."""
        if self.done:
            return b""
        self.done = True
        self.report.ending = Ending.BROKEN
        self.report.code = self.report.code or error.label
        return b"".join((*self._unsent, error_event(error, request_id=self._request_id)))

    def _text(self, block: bytes) -> bytes:
        if self._block is None:
            return self._slowly(block)
        try:
            event = _read_text(block[len(TEXT_LINES) :])
        except ValueError:
            return self._slowly(block)
        delta = bytes(event.delta)
        position = (event.output_index, event.content_index)
        if delta[0] != QUOTE or position != self._stream.text.position or not _is_text(delta):
            return self._slowly(block)
        before, after = self._around
        return b"" if delta == EMPTY else before + delta + after

    def _arguments(self, block: bytes) -> bytes:
        call = self._call
        if call is None:
            return self._slowly(block)
        try:
            event = _read_arguments(block[len(ARGUMENTS_LINES) :])
            delta = bytes(event.delta)
            piece = _read_string(delta)
        except ValueError:
            return self._slowly(block)
        if event.item_id != call.item_id:
            return self._slowly(block)
        if not piece:
            return b""
        call.pieces.append(piece)
        before, after = self._around
        return before + delta + after

    def _slowly(self, block: bytes) -> bytes:
        message = read_block(block)
        if message is None:
            return b""
        event = decode_event(message.event, message.data)
        observe(event, self.report)
        stream = self._stream
        was_cut = stream.state is MessagesState.CUT
        out: list[bytes] = []
        for written in stream.feed(event):
            out.append(encode(written))
            if isinstance(written, MessageStart):
                out.append(PING)
        self._remember()
        if stream.state is MessagesState.FINISHED:
            self._end(cut=was_cut)
        return b"".join(out)

    def _remember(self) -> None:
        """Note the block whose deltas may take the fast path."""
        stream = self._stream
        current = stream.queue.current
        text = current if current is stream.text.block and stream.text.position else None
        call = stream.calls.speaking(current)
        if text is not None and text is not self._block:
            self._around = around_delta(text.index, text_delta(""))
        elif call is not None and call is not self._call:
            self._around = around_delta(call.block.index, input_delta(""))
        self._block, self._call = text, call

    def _end(self, *, cut: bool) -> None:
        self.done = True
        if cut:
            # The client has all it wanted: how upstream went on is no matter.
            self.report.ending = Ending.WHOLE
            self.report.code = ""


def _is_text(delta: bytes) -> bool:
    """Whether a JSON string is sound UTF-8, which copying it does not tell."""
    if delta.isascii():
        return True
    try:
        delta.decode()
    except UnicodeDecodeError:
        return False
    return True
