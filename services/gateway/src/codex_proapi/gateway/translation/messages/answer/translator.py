"""A streamed Messages answer: upstream's bytes in, the client's bytes out.

Deltas of text and of arguments, which are nearly all of a stream, take a fast way: their JSON
string is copied between bytes encoded once. It is taken only where `MessagesStream` would give the
very same event.
"""

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.anthropic.errors import error_event
from codex_proapi.gateway.formats.anthropic.events import (
    PING,
    MessageStart,
    StreamEvent,
    around_delta,
    encode,
    input_delta,
    text_delta,
)
from codex_proapi.gateway.formats.codex.events import UpstreamEvent
from codex_proapi.gateway.formats.sse import SSEMessage
from codex_proapi.gateway.translation.messages.answer.events_from_upstream import (
    MessagesState,
    MessagesStream,
)
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.stream.event_translator import EventTranslator, first_lines

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.messages.answer.blocks import Block
    from codex_proapi.gateway.translation.messages.answer.tool_calls import Call

TEXT_LINES: Final = first_lines("response.output_text.delta")
ARGUMENTS_LINES: Final = first_lines("response.function_call_arguments.delta")
SILENT_EVENTS: Final = (
    "response.in_progress",
    "response.content_part.added",
    "response.content_part.done",
)
"""Events that say nothing to a client: they are not even read."""
SILENT_BEGINNINGS: Final = tuple(
    first_lines(name) + f'{{"type":"{name}",'.encode() for name in SILENT_EVENTS
)
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


class MessagesAnswer(EventTranslator):
    """One answer as stream events, whatever is made of them."""

    def __init__(self, options: MessagesOptions, *, message_id: str, model: str) -> None:
        """`message_id` must be unique, `model` is the name asked for."""
        super().__init__()
        self._stream = MessagesStream(
            options, message_id=message_id, model=model, account=lambda: self.report.account
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._stream.state.value}>"

    def _translate(self, event: UpstreamEvent, _: SSEMessage) -> bytes:
        was_cut = self._stream.state is MessagesState.CUT
        written = self._write(self._stream.feed(event))
        if self._stream.state is MessagesState.FINISHED:
            self._end(cut=was_cut)
        return written

    def _close(self) -> bytes:
        written = self._write(self._stream.finish())
        self._end(cut=True)
        return written

    def _end(self, *, cut: bool) -> None:
        self.done = True
        if cut:
            # The client has all it wanted: how upstream went on is no matter.
            self.report.ending = Ending.WHOLE
            self.report.code = ""

    def _write(self, events: list[StreamEvent]) -> bytes:
        """Give stream events as the client's bytes."""
        raise NotImplementedError


class MessagesTranslator(MessagesAnswer):
    """One streamed answer on its way to a client of the Messages API."""

    keep_alive = PING

    def __init__(
        self, options: MessagesOptions, *, message_id: str, model: str, request_id: str = ""
    ) -> None:
        """`request_id` is named by an error in the stream."""
        super().__init__(options, message_id=message_id, model=model)
        self._fast = {
            TEXT_LINES: self._text,
            ARGUMENTS_LINES: self._arguments,
            **{first_lines(name): _silent for name in SILENT_EVENTS},
        }
        self._request_id = request_id
        self._block: Block | None = None
        self._call: Call | None = None
        self._around = (b"", b"")

    def _text(self, block: bytes) -> bytes | None:
        if self._block is None:
            return None
        try:
            event = _read_text(block[len(TEXT_LINES) :])
        except ValueError:
            return None
        if (event.output_index, event.content_index) != self._stream.text.position:
            return None
        delta = bytes(event.delta)
        if delta[0] != QUOTE:
            return None
        before, after = self._around
        return b"" if delta == EMPTY else before + delta + after

    def _arguments(self, block: bytes) -> bytes | None:
        call = self._call
        if call is None:
            return None
        try:
            event = _read_arguments(block[len(ARGUMENTS_LINES) :])
            delta = bytes(event.delta)
            piece = _read_string(delta)
        except ValueError:
            return None
        if event.item_id != call.item_id or call.sound:
            return None
        if not piece:
            return b""
        call.pieces.append(piece)
        before, after = self._around
        return before + delta + after

    def _write(self, events: list[StreamEvent]) -> bytes:
        self._remember()
        return b"".join(
            encode(event) + (PING if isinstance(event, MessageStart) else b"") for event in events
        )

    def _error(self, error: GatewayError) -> bytes:
        return error_event(error, request_id=self._request_id)

    def _remember(self) -> None:
        """Note the block whose deltas may take the fast way."""
        stream = self._stream
        current = stream.queue.current
        text = current if current is stream.text.block and stream.text.position else None
        call = stream.calls.speaking(current)
        if text is not None and text is not self._block:
            self._around = around_delta(text.index, text_delta(""))
        elif call is not None and call is not self._call:
            self._around = around_delta(call.block.index, input_delta(""))
        self._block, self._call = text, call


def _silent(block: bytes) -> bytes | None:
    """Skip an event by its name, where its payload says the same."""
    return b"" if block.startswith(SILENT_BEGINNINGS) else None
