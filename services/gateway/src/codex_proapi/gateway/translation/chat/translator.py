"""A streamed chat answer: upstream's bytes in, chat chunks' bytes out.

Deltas of text, reasoning and arguments, which are nearly all of a stream, take a fast way: their
JSON string is copied between bytes encoded once. It is taken only where `ChatStream` would give
the very same chunk; whatever is the least unusual goes through `ChatStream`.
"""

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.events import UpstreamEvent
from codex_proapi.gateway.formats.openai.chat_chunks import CallDelta, ChatChunk, ChunkEncoder
from codex_proapi.gateway.formats.openai.errors import chat_error_event
from codex_proapi.gateway.formats.sse import DONE, SSEMessage
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatState, ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.event_translator import EventTranslator, first_lines

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.chat.tool_calls import Call

TEXT_LINES: Final = first_lines("response.output_text.delta")
REASONING_LINES: Final = first_lines("response.reasoning_summary_text.delta")
ARGUMENTS_LINES: Final = first_lines("response.function_call_arguments.delta")
SILENT_EVENTS: Final = (
    "response.in_progress",
    "response.content_part.added",
    "response.content_part.done",
)
"""Events that are no concern of a chat client's: they are not even read."""
SILENT_BEGINNINGS: Final = tuple(
    first_lines(name) + f'{{"type":"{name}",'.encode() for name in SILENT_EVENTS
)
QUOTE: Final = ord('"')
EMPTY: Final = b'""'


class _Text(msgspec.Struct, tag_field="type", tag="response.output_text.delta"):
    delta: Raw
    output_index: int
    content_index: int


class _Reasoning(msgspec.Struct, tag_field="type", tag="response.reasoning_summary_text.delta"):
    delta: Raw
    output_index: int
    summary_index: int


class _Arguments(msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta"):
    delta: Raw
    item_id: str


_read_text: Final = msgspec.json.Decoder(_Text).decode
_read_reasoning: Final = msgspec.json.Decoder(_Reasoning).decode
_read_arguments: Final = msgspec.json.Decoder(_Arguments).decode


class ChatAnswer(EventTranslator):
    """One answer as chat chunks, whatever is made of them."""

    def __init__(self, options: ChatOptions, *, completion_id: str) -> None:
        super().__init__()
        self._stream = ChatStream(options, fallback_id=completion_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._stream.state.value}>"

    def _translate(self, event: UpstreamEvent, _: SSEMessage) -> bytes:
        was_cut = self._stream.state is ChatState.CUT
        written = self._write(self._stream.feed(event))
        if self._stream.state is not ChatState.FINISHED:
            return written
        return written + self._end(cut=was_cut)

    def _close(self) -> bytes:
        self._stream.finish()
        return self._end(cut=True)

    def _end(self, *, cut: bool) -> bytes:
        self.done = True
        if cut:
            # The client has all it wanted: how upstream went on is no matter.
            self.report.ending = Ending.WHOLE
            self.report.code = ""
        return self._terminator()

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        """Give chunks as the client's bytes."""
        raise NotImplementedError

    def _terminator(self) -> bytes:
        """Give what stands after the last chunk."""
        raise NotImplementedError


class ChatTranslator(ChatAnswer):
    """One streamed answer on its way to a chat client."""

    def __init__(
        self, options: ChatOptions, *, completion_id: str, created: int, model: str
    ) -> None:
        """Take the id and time of the completion, and the model to echo: the one asked for."""
        super().__init__(options, completion_id=completion_id)
        self._fast = {
            TEXT_LINES: self._text,
            REASONING_LINES: self._reasoning,
            ARGUMENTS_LINES: self._arguments,
            **{first_lines(name): _silent for name in SILENT_EVENTS},
        }
        self._encoder = ChunkEncoder(completion_id=completion_id, created=created, model=model)
        self._text_around = self._encoder.content
        self._reasoning_around = self._encoder.reasoning
        self._call: Call | None = None
        self._call_around = (b"", b"")

    def _text(self, block: bytes) -> bytes | None:
        try:
            event = _read_text(block[len(TEXT_LINES) :])
        except ValueError:
            return None
        if (event.output_index, event.content_index) != self._stream.text.text_position:
            return None
        delta = bytes(event.delta)
        if delta[0] != QUOTE:
            return None
        if delta == EMPTY:
            return b""
        before, after = self._text_around
        return before + delta + after

    def _reasoning(self, block: bytes) -> bytes | None:
        try:
            event = _read_reasoning(block[len(REASONING_LINES) :])
        except ValueError:
            return None
        if (event.output_index, event.summary_index) != self._stream.text.reasoning_position:
            return None
        delta = bytes(event.delta)
        if delta[0] != QUOTE:
            return None
        if delta == EMPTY:
            return b""
        before, after = self._reasoning_around
        return before + delta + after

    def _arguments(self, block: bytes) -> bytes | None:
        call = self._call
        if call is None:
            return None
        try:
            event = _read_arguments(block[len(ARGUMENTS_LINES) :])
        except ValueError:
            return None
        delta = bytes(event.delta)
        if delta[0] != QUOTE or event.item_id != call.item_id:
            return None
        if delta == EMPTY:
            return b""
        before, after = self._call_around
        return before + delta + after

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        self._remember_call()
        return b"".join([self._encoder.encode(chunk) for chunk in chunks])

    def _terminator(self) -> bytes:
        return DONE

    def _error(self, error: GatewayError) -> bytes:
        """An error event; no `[DONE]` follows it."""
        return chat_error_event(error)

    def _remember_call(self) -> None:
        """Note the call whose deltas may take the fast way."""
        call = self._stream.calls.current
        if call is not self._call and call is not None:
            delta = CallDelta(index=call.index, form=call.form)
            self._call_around = self._encoder.around_call(delta)
        self._call = call


def _silent(block: bytes) -> bytes | None:
    """Skip an event by its name, where its payload says the same."""
    return b"" if block.startswith(SILENT_BEGINNINGS) else None
