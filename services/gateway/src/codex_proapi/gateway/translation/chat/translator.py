"""A chat answer on the wire: upstream's bytes in, chat chunks' bytes out.

Deltas of text, reasoning and arguments, which are nearly all of a stream, take a fast path: their
JSON string is copied between bytes encoded once. It is taken only where `ChatStream` would give
the very same chunk; whatever is the least unusual goes through `ChatStream`.
"""

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError, Malformed
from codex_proapi.gateway.formats.codex.events import decode_event
from codex_proapi.gateway.formats.openai.chat_chunks import CallDelta, ChunkEncoder
from codex_proapi.gateway.formats.openai.errors import chat_error_event
from codex_proapi.gateway.formats.sse import DONE, KEEP_ALIVE, SSESplitter, read_block
from codex_proapi.gateway.translation.chat.events import ChatState, ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.chat.tool_calls import Call

TEXT_LINES: Final = b"event: response.output_text.delta\ndata: "
THOUGHT_LINES: Final = b"event: response.reasoning_summary_text.delta\ndata: "
ARGUMENTS_LINES: Final = b"event: response.function_call_arguments.delta\ndata: "
SILENT_LINES: Final = tuple(
    b'event: %b\ndata: {"type":"%b",' % (name, name)
    for name in (
        b"response.in_progress",
        b"response.content_part.added",
        b"response.content_part.done",
    )
)
"""How events begin that are no concern of a chat client's: they are not even read."""
QUOTE: Final = ord('"')
EMPTY: Final = b'""'


class _Text(msgspec.Struct, tag_field="type", tag="response.output_text.delta"):
    delta: Raw
    output_index: int
    content_index: int


class _Thought(msgspec.Struct, tag_field="type", tag="response.reasoning_summary_text.delta"):
    delta: Raw
    output_index: int
    summary_index: int


class _Arguments(msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta"):
    delta: Raw
    item_id: str


_read_text: Final = msgspec.json.Decoder(_Text).decode
_read_thought: Final = msgspec.json.Decoder(_Thought).decode
_read_arguments: Final = msgspec.json.Decoder(_Arguments).decode


class ChatTranslator:
    """One streamed answer on its way to a chat client."""

    keep_alive = KEEP_ALIVE

    def __init__(
        self, options: ChatOptions, *, completion_id: str, created: int, model: str
    ) -> None:
        """Take the id and time of the completion, and the model to echo: the one asked for."""
        self.report = ResponseReport()
        self.done = False
        self._splitter = SSESplitter()
        self._stream = ChatStream(options, fallback_id=completion_id)
        self._encoder = ChunkEncoder(completion_id=completion_id, created=created, model=model)
        self._text_around = self._encoder.content
        self._thought_around = self._encoder.reasoning
        self._call: Call | None = None
        self._call_around = (b"", b"")
        self._unsent: list[bytes] = []

    def __repr__(self) -> str:
        return f"<ChatTranslator {self._stream.state.value}>"

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
            elif block.startswith(THOUGHT_LINES):
                out.append(self._thought(block))
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
            self._stream.finish()
            self._end()
            self._unsent.append(DONE)
        last, self._unsent = b"".join(self._unsent), []
        return last

    def fail(self, error: GatewayError) -> bytes:
        """End with what was translated before the fault, an error event and no `[DONE]`."""
        if self.done:
            return b""
        self.done = True
        self.report.ending = Ending.BROKEN
        self.report.code = self.report.code or error.label
        return b"".join((*self._unsent, chat_error_event(error)))

    def _text(self, block: bytes) -> bytes:
        try:
            event = _read_text(block[len(TEXT_LINES) :])
        except ValueError:
            return self._slowly(block)
        delta = bytes(event.delta)
        if (
            delta[0] != QUOTE
            or (event.output_index, event.content_index) != self._stream.speech.text_position
            or not _is_text(delta)
        ):
            return self._slowly(block)
        if delta == EMPTY:
            return b""
        before, after = self._text_around
        return before + delta + after

    def _thought(self, block: bytes) -> bytes:
        try:
            event = _read_thought(block[len(THOUGHT_LINES) :])
        except ValueError:
            return self._slowly(block)
        delta = bytes(event.delta)
        if (
            delta[0] != QUOTE
            or (event.output_index, event.summary_index) != self._stream.speech.thought_position
            or not _is_text(delta)
        ):
            return self._slowly(block)
        if delta == EMPTY:
            return b""
        before, after = self._thought_around
        return before + delta + after

    def _arguments(self, block: bytes) -> bytes:
        call = self._call
        if call is None:
            return self._slowly(block)
        try:
            event = _read_arguments(block[len(ARGUMENTS_LINES) :])
        except ValueError:
            return self._slowly(block)
        delta = bytes(event.delta)
        if delta[0] != QUOTE or event.item_id != call.item_id or not _is_text(delta):
            return self._slowly(block)
        if delta == EMPTY:
            return b""
        before, after = self._call_around
        return before + delta + after

    def _slowly(self, block: bytes) -> bytes:
        message = read_block(block)
        if message is None:
            return b""
        event = decode_event(message.event, message.data)
        observe(event, self.report)
        was_cut = self._stream.state is ChatState.CUT
        chunks = self._stream.feed(event)
        self._remember_call()
        if any(chunk.role is None for chunk in chunks):
            self.report.spoke = True
        said = b"".join([self._encoder.encode(chunk) for chunk in chunks])
        if self._stream.state is not ChatState.FINISHED:
            return said
        self._end(cut=was_cut)
        return said + DONE

    def _remember_call(self) -> None:
        """Note the call whose deltas may take the fast path."""
        call = self._stream.calls.speaking
        if call is not self._call and call is not None:
            delta = CallDelta(index=call.index, form=call.form)
            self._call_around = self._encoder.around_call(delta)
        self._call = call

    def _end(self, *, cut: bool = True) -> None:
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
