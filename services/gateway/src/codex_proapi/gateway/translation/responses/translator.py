"""A Responses answer on the wire: upstream's events passed on, made whole where clients need it.

Deltas, which are nearly all of a stream, are passed on as the bytes they came in, with at most
their sequence number exchanged; everything else goes through `ResponseStream`. For Codex itself
there is `VerbatimWire`.
"""

from typing import Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, write
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError, Malformed
from codex_proapi.gateway.formats.codex.events import (
    ResponseCompleted,
    ResponseFailed,
    ResponseIncomplete,
    UnknownEvent,
    UpstreamErrorEvent,
    UpstreamEvent,
    decode_event,
    speaks,
)
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.formats.openai.errors import (
    public_error,
    response_error_event,
    response_failed_event,
)
from codex_proapi.gateway.formats.openai.responses import encode_response_event
from codex_proapi.gateway.formats.sse import KEEP_ALIVE, SSEMessage, SSESplitter, read_block
from codex_proapi.gateway.translation.responses.events import ResponseState, ResponseStream
from codex_proapi.gateway.translation.responses.missing_events import Body
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

DATA: Final = b"data: "


class _Text(msgspec.Struct, tag_field="type", tag="response.output_text.delta"):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    logprobs: Raw
    part: int = msgspec.field(name="content_index")


class _Thought(msgspec.Struct, tag_field="type", tag="response.reasoning_summary_text.delta"):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    part: int = msgspec.field(name="summary_index")


class _Arguments(msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta"):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    part: int = 0


class _Input(msgspec.Struct, tag_field="type", tag="response.custom_tool_call_input.delta"):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    part: int = 0


_SHAPES: Final = {
    "response.output_text.delta": (_Text, "content_index"),
    "response.reasoning_summary_text.delta": (_Thought, "summary_index"),
    "response.function_call_arguments.delta": (_Arguments, "part"),
    "response.custom_tool_call_input.delta": (_Input, "part"),
}
_FAST: Final = {
    f"event: {name}".encode(): msgspec.json.Decoder(shape).decode
    for name, (shape, _) in _SHAPES.items()
}


class ResponsesTranslator:
    """One streamed answer on its way to a Responses client."""

    keep_alive = KEEP_ALIVE

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Take the id and time to show where upstream gives none."""
        self.report = ResponseReport()
        self.done = False
        self._options = options
        self._splitter = SSESplitter()
        self._stream = ResponseStream(options, response_id=response_id, created=created)
        self._next = 0
        self._read: object = None
        self._item_id = ""
        self._index = self._part = -1
        self._failed: object = None
        self._unsent: list[bytes] = []

    def __repr__(self) -> str:
        return f"<ResponsesTranslator {self._stream.state.value}>"

    @property
    def response(self) -> Body:
        """The finished response object; empty before the end."""
        return self._stream.response

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; give the client's, b"" when there is nothing to write."""
        if self.done:
            return b""
        out = self._unsent
        for block in self._splitter.feed(data):
            if self.done:
                break
            at = block.find(b"\n")
            read = _FAST.get(block[:at])
            if read is None or read is not self._read or not block.startswith(DATA, at + 1):
                out.append(self._slowly(block))
                continue
            try:
                out.append(self._delta(block, read(block[at + 1 + len(DATA) :])))
            except ValueError:
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
        last, self._unsent = b"".join(self._unsent), []
        return last

    def fail(self, error: GatewayError) -> bytes:
        """End with what was translated before the fault, `response.failed` and `error`."""
        if self.done:
            return b""
        self.done = True
        self.report.ending = Ending.BROKEN
        self.report.code = self.report.code or error.label
        opening, response = self._stream.fail(self._failed)
        return b"".join(
            (
                *self._unsent,
                *map(self._encode, opening),
                response_failed_event(error, response, sequence_number=self._next),
                response_error_event(error, sequence_number=self._next + 1),
            )
        )

    def _delta(self, block: bytes, event: _Text | _Thought | _Arguments | _Input) -> bytes:
        """A delta as it came, where `ResponseStream` would change nothing but its number."""
        if (
            event.item_id != self._item_id
            or event.output_index != self._index
            or event.part != self._part
            or not _is_text(block)
        ):
            return self._slowly(block)
        if event.sequence_number != self._next:
            # No string can hold this unescaped, so the first one found is the field itself.
            provided = b'"sequence_number":%d' % event.sequence_number
            if provided not in block:
                return self._slowly(block)
            block = block.replace(provided, b'"sequence_number":%d' % self._next, 1)
        self._next += 1
        return block + b"\n\n"

    def _slowly(self, block: bytes) -> bytes:
        message = read_block(block)
        if message is None:
            return b""
        event = decode_event(message.event, message.data)
        observe(event, self.report)
        body = _body_of(message, event)
        if body is None:
            return b""
        if isinstance(event, ResponseFailed | UpstreamErrorEvent):
            self._failed = body.get("response")
            raise public_error(refusal_of_event(event))
        bodies = self._stream.feed(body)
        said_something = speaks(event)
        self.report.spoke = self.report.spoke or said_something
        if said_something and bodies and bodies[-1] is body and body["type"] in _SHAPES:
            self._pass_next(body)
        said = b"".join(map(self._encode, bodies))
        if self._stream.state is ResponseState.FINISHED:
            self._end()
        return said

    def _pass_next(self, body: Body) -> None:
        """Let deltas of the same part pass as they come."""
        kind = body["type"]
        self._read = _FAST[f"event: {kind}".encode()]
        self._item_id, self._index = body["item_id"], body["output_index"]
        self._part = body.get(_SHAPES[kind][1], 0)

    def _encode(self, body: Body) -> bytes:
        body["sequence_number"] = self._next
        self._next += 1
        return encode_response_event(body)

    def _end(self) -> None:
        self.done = True
        self.report.response_id = str(self._stream.response["id"])
        if self._options.keep_items:
            self.report.output_items = [write(item) for item in self._stream.output]


def _body_of(message: SSEMessage, event: UpstreamEvent) -> Body | None:
    """The event as a JSON object under the name of the public API; None if it is no object."""
    try:
        body = read_any(message.data)
    except DECODE_ERRORS:
        if isinstance(event, UnknownEvent):
            return None
        raise Malformed("An upstream event cannot be read.") from None
    if not isinstance(body, dict):
        return None
    match event:
        case ResponseCompleted():
            body["type"] = "response.completed"
        case ResponseIncomplete():
            body["type"] = "response.incomplete"
        case _:
            body["type"] = body.get("type") or (message.event or b"").decode(errors="replace")
    return body


def _is_text(block: bytes) -> bool:
    """Whether a block is sound UTF-8, which passing it on does not tell."""
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
