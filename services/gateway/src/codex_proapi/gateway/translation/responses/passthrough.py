"""A Responses answer on its way to Codex itself: upstream's bytes untouched, with two repairs.

Left out is only what upstream says of its account's quota, for a key with budgets of its own: those
are told in headers instead.

`output` is put into a terminal event that came without, and a failure is told as `response.failed`
then `error`. What cannot be read passes all the same, and is counted.
"""

from typing import Any, Final

from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, write
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError, Malformed, Truncated
from codex_proapi.gateway.formats.codex.events import (
    ItemAdded,
    ItemDone,
    RateLimits,
    ResponseCompleted,
    ResponseCreated,
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
from codex_proapi.gateway.formats.openai.responses import complete_response, encode_response_event
from codex_proapi.gateway.formats.sse import SSEMessage, SSESplitter, encode_sse, read_block
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

KEEP_ALIVE_EVENT: Final = encode_sse(b'{"type":"keepalive"}', event=b"keepalive")
"""Codex counts the seconds since the last event, and comments are none; it skips unknown events."""

_DELTAS: Final = frozenset(
    (
        b"event: response.output_text.delta",
        b"event: response.reasoning_summary_text.delta",
        b"event: response.reasoning_text.delta",
        b"event: response.function_call_arguments.delta",
        b"event: response.custom_tool_call_input.delta",
    )
)
"""First lines of messages that nothing here reads."""


class ResponsesPassthrough:
    """One streamed answer on its way to Codex."""

    keep_alive = KEEP_ALIVE_EVENT

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Take the same as `ResponseWire`; id and time are for failures before upstream's own."""
        self.report = ResponseReport()
        self.done = False
        self._options = options
        self._splitter = SSESplitter()
        self._items: dict[int, dict[str, Any]] = {}
        self._known: dict[str, Any] = {
            "id": response_id,
            "created_at": created,
            "model": options.model,
        }
        self._events = 0
        self._failure_told = False
        self._unsent: list[bytes] = []

    def __repr__(self) -> str:
        return f"<ResponsesPassthrough {self._events} events>"

    def feed(self, data: bytes) -> bytes:
        """Take upstream's bytes; give the client's, b"" when there is nothing to write."""
        if self.done:
            return b""
        out = self._unsent
        for block in self._splitter.feed(data):
            if self.done:
                break
            if block[: block.find(b"\n")] in _DELTAS:
                self._events += 1
                out.append(block)
            else:
                self._read_event(block)
        if not self.done:
            self._splitter.check()
        return self._send()

    def finish(self) -> bytes:
        """Upstream has closed: give the rest. Raises `Truncated` if the answer is not whole."""
        if self.done:
            return b""
        rest = self._splitter.close().removesuffix(b"\n")
        message = read_block(rest)
        if message is not None and _is_whole(message):
            # A last event may lack only the blank line to end it.
            self._read_event(rest)
        if not self.done:
            raise Truncated("The backend's stream ended before the answer did.")
        return self._send()

    def fail(self, error: GatewayError) -> bytes:
        """End with what was passed before the fault, `response.failed` and `error`."""
        if self.done:
            return b""
        self.done = True
        self.report.ending = Ending.BROKEN
        self.report.code = self.report.code or error.label
        last = [self._send()]
        if not self._failure_told:
            known = {**self._known, "output": self._output()}
            response = complete_response({}, known=known, status="failed")
            last.append(response_failed_event(error, response, sequence_number=self._events))
            self._events += 1
        last.append(response_error_event(error, sequence_number=self._events))
        return b"".join(last)

    def _send(self) -> bytes:
        blocks, self._unsent = self._unsent, []
        return b"\n\n".join(blocks) + b"\n\n" if blocks else b""

    def _read_event(self, block: bytes) -> None:
        """Pass one block, after a look at what it says."""
        message = read_block(block)
        if message is None:
            self._unsent.append(block)
            return
        try:
            event = decode_event(message.event, message.data)
        except Malformed:
            self.report.malformed_events += 1
            self._unsent.append(block)
            return
        observe(event, self.report)
        self.report.spoke = self.report.spoke or speaks(event)
        if isinstance(event, UpstreamErrorEvent):
            raise public_error(refusal_of_event(event))
        if isinstance(event, RateLimits) and self._options.own_quota:
            return
        self._events += 1
        self._unsent.append(self._seen(event, message))
        if isinstance(event, ResponseFailed):
            self._failure_told = True
            raise public_error(refusal_of_event(event))

    def _seen(self, event: UpstreamEvent, message: SSEMessage) -> bytes:
        """The block to pass for an event: its own, but for the two repairs and tool names."""
        match event:
            case ResponseCreated(response=response):
                self._known |= _decoded(response)
            case ItemAdded() | ItemDone():
                return self._item(event, message)
            case ResponseCompleted() | ResponseIncomplete():
                return self._end(event, message)
            case _:
                pass
        return message.raw

    def _item(self, event: ItemAdded | ItemDone, message: SSEMessage) -> bytes:
        item = _decoded(event.item)
        renamed = self._options.tool_names.get(item.get("name", ""))
        if renamed is not None:
            item["name"] = renamed
        if isinstance(event, ItemDone) and item:
            index = event.output_index
            self._items[len(self._items) if index is None else index] = item
        if renamed is None:
            return message.raw
        return _block({**_decoded(message.data), "item": item})

    def _end(self, event: UpstreamEvent, message: SSEMessage) -> bytes:
        self.done = True
        body = _decoded(message.data)
        response = body.get("response")
        response = response if isinstance(response, dict) else {}
        output = response.get("output")
        renamed = self._renamed(output) if isinstance(output, list) and output else self._output()
        if self._options.keep_items:
            self.report.output_items = [write(item) for item in renamed]
        name = f"response.{'completed' if isinstance(event, ResponseCompleted) else 'incomplete'}"
        sound = (output or []) == renamed and body.get("type", name) == name
        if sound or not response:
            return message.raw
        return _block({**body, "type": name, "response": {**response, "output": renamed}})

    def _renamed(self, output: list[Any]) -> list[Any]:
        names = self._options.tool_names
        return [
            {**item, "name": names[item["name"]]}
            if isinstance(item, dict) and item.get("name") in names
            else item
            for item in output
        ]

    def _output(self) -> list[dict[str, Any]]:
        return [item for _, item in sorted(self._items.items())]


def _is_whole(message: SSEMessage) -> bool:
    try:
        return not isinstance(decode_event(message.event, message.data), UnknownEvent)
    except Malformed:
        return False


def _decoded(payload: bytes | Raw) -> dict[str, Any]:
    """A JSON object; empty where there is none to read."""
    try:
        value = read_any(payload)
    except DECODE_ERRORS:
        return {}
    return value if isinstance(value, dict) else {}


def _block(body: dict[str, Any]) -> bytes:
    return encode_response_event(body).removesuffix(b"\n\n")
