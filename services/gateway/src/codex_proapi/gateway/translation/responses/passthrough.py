"""Forwards a Responses answer to a Codex client: upstream's bytes, with four corrections.

* `output` is added to a terminal event without it;
* a failure is sent as `response.failed`, then `error`;
* shortened tool names are restored;
* events about the account's quota are left out for a key with budgets of its own, whose quota is in
  the headers.

Events that cannot be read are forwarded and counted.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta, Raw

from codex_proapi.commons.codex.substitution import RESERVE
from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, write
from codex_proapi.gateway.errors import GatewayError, Malformed, Truncated
from codex_proapi.gateway.formats.codex.events import (
    NOTHING,
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
    decode_block,
)
from codex_proapi.gateway.formats.codex.public_errors import public_error
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.formats.openai.errors import response_error_event, response_failed_event
from codex_proapi.gateway.formats.openai.responses import complete_response, encode_response_event
from codex_proapi.gateway.formats.sse import BLANK_LINE, encode_sse
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.stream.event_translator import (
    EventTranslator,
    FastHandler,
    ManyHandler,
    Shape,
    ShapeOf,
    first_lines,
    with_blank_line,
)
from codex_proapi.gateway.translation.stream.response_observer import OBSERVERS

KEEP_ALIVE_EVENT: Final = encode_sse(b'{"type":"keepalive"}', event=b"keepalive")
"""Codex's timeout counts from the last event and ignores comments; unknown events it skips."""

_UNREAD: Final = tuple(
    first_lines(name)
    for name in (
        "response.output_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    )
)
"""Beginnings of the events that are forwarded without being read."""


class _WithItems(msgspec.Struct, gc=False):
    output: Annotated[list[Raw], Meta(min_length=1)]


class _Sound(msgspec.Struct, gc=False):
    type: Literal["response.completed"]
    response: _WithItems


_read_sound: Final = msgspec.json.Decoder(_Sound).decode


class ResponsesPassthrough(EventTranslator):
    """Forwards one streamed answer to a Codex client."""

    keep_alive = KEEP_ALIVE_EVENT

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Arguments as for `ResponsesTranslator`; used by failures before upstream's own id and time."""
        super().__init__()
        self._options = options
        self._items: dict[int, dict[str, Any] | bytes] = {}
        """The finished items; undecoded where nobody may need them."""
        self._created: Raw = NOTHING
        """Upstream's response object as it began."""
        self._known: dict[str, Any] = {
            "id": response_id,
            "created_at": created,
            "model": options.model,
        }
        self._sent = f'"model":"{RESERVE}"'.encode()
        self._meant = f'"model":"{options.reserve_of}"'.encode() if options.reserve_of else b""
        self._events = 0
        self._failed = False

    def __repr__(self) -> str:
        return f"<ResponsesPassthrough {self._events} events>"

    def _pass(self, block: bytes) -> bytes:
        self._events += 1
        return with_blank_line(self._named(block) if self._meant else block)

    def _pass_all(self, data: bytes, payloads: list[bytes]) -> bytes:
        self._events += len(payloads)
        return self._named(data)

    _fast: ClassVar[Mapping[bytes, FastHandler]] = dict.fromkeys(_UNREAD, _pass)
    _many: ClassVar[Mapping[bytes, ManyHandler]] = dict.fromkeys(_UNREAD, _pass_all)

    def _shape(self) -> Shape | None:
        return None if self._meant else ((), None)

    _shapes: ClassVar[Mapping[bytes, ShapeOf]] = dict.fromkeys(_UNREAD, _shape)

    def copied(self, events: int) -> None:
        """Note the events that the copier has taken."""
        super().copied(events)
        self._events += events

    def _named(self, block: bytes) -> bytes:
        """The block with the name of the model that RESERVE stands for; text of it is quoted twice."""
        return block.replace(self._sent, self._meant) if self._meant else block

    def _last(self, block: bytes) -> bytes:
        """Forward a last event that lacks only its blank line, but not an incomplete one."""
        block = block.removesuffix(b"\n")
        return self._slow(block) if _is_whole(block) else b""

    def _close(self) -> bytes:
        raise Truncated("The backend's stream ended before the answer did.")

    def _error(self, error: GatewayError) -> bytes:
        """Return `response.failed`, unless upstream's was forwarded, then `error`."""
        last = b""
        if not self._failed:
            known = {**self._known, **_decoded(self._created), "output": self._output()}
            response = complete_response({}, known=known, status="failed")
            last = response_failed_event(error, response, sequence_number=self._events)
            self._events += 1
        return last + response_error_event(error, sequence_number=self._events)

    def _begun(self, event: ResponseCreated, _: bytes, block: bytes) -> bytes:
        self._known |= _decoded(self._created) if self._created else {}
        self._created = event.response
        return block

    def _limits(self, _: RateLimits, __: bytes, block: bytes) -> bytes:
        return b"" if self._options.own_quota else block

    def _broken(self, event: UpstreamErrorEvent, _: bytes, __: bytes) -> bytes:
        raise public_error(refusal_of_event(event))

    def _refused(self, event: ResponseFailed, _: bytes, block: bytes) -> bytes:
        self._events += 1
        self._failed = True
        self._unsent.append(self._named(block) + BLANK_LINE)
        raise public_error(refusal_of_event(event))

    def _item(self, event: ItemAdded | ItemDone, data: bytes, block: bytes) -> bytes:
        names, index = self._options.tool_names, event.output_index
        if not names and isinstance(event, ItemAdded):
            return block
        if not names and index is not None and (raw := bytes(event.item)).startswith(b'{"'):
            self._items[index] = raw
            return block
        item = _decoded(event.item)
        renamed = names.get(item.get("name", ""))
        if renamed is not None:
            item["name"] = renamed
        if isinstance(event, ItemDone) and item:
            self._items[len(self._items) if index is None else index] = item
        if renamed is None:
            return block
        return _block({**_decoded(data), "item": item})

    def _end(self, event: UpstreamEvent, data: bytes, block: bytes) -> bytes:
        self.done = True
        if self._is_sound(data):
            return block
        body = _decoded(data)
        response = body.get("response")
        response = response if isinstance(response, dict) else {}
        output = response.get("output")
        renamed = self._renamed(output) if isinstance(output, list) and output else self._output()
        if self._options.keep_response:
            self.report.response = write({**response, "output": renamed})
        name = f"response.{'completed' if isinstance(event, ResponseCompleted) else 'incomplete'}"
        sound = (output or []) == renamed and body.get("type", name) == name
        if sound or not response:
            return block
        return _block({**body, "type": name, "response": {**response, "output": renamed}})

    def _is_sound(self, data: bytes) -> bool:
        """Whether this is a `response.completed` with its items, and nobody needs more of it."""
        if self._options.tool_names or self._options.keep_response:
            return False
        try:
            _read_sound(data)
        except ValueError:
            return False
        return True

    _corrections: ClassVar[
        Mapping[type[UpstreamEvent], Callable[[Any, Any, bytes, bytes], bytes]]
    ] = {
        ResponseCreated: _begun,
        RateLimits: _limits,
        UpstreamErrorEvent: _broken,
        ResponseFailed: _refused,
        ItemAdded: _item,
        ItemDone: _item,
        ResponseCompleted: _end,
        ResponseIncomplete: _end,
    }
    """What gives the block to forward for an event and its payload, by its type; b"" for none."""

    def _slow(self, block: bytes) -> bytes:
        """Forward a block with its corrections; unchanged if it cannot be read, or has no data."""
        try:
            decoded = decode_block(block)
        except Malformed:
            self.report.malformed_events += 1
            decoded = None
        if decoded is None:
            return block + BLANK_LINE if block else b""
        event, data = decoded
        kind = type(event)
        if (note := OBSERVERS.get(kind)) is not None:
            note(event, self.report)
        if (correct := self._corrections.get(kind)) is not None:
            block = correct(self, event, data, block)
            if not block:
                return b""
        self._events += 1
        return (self._named(block) if self._meant else block) + BLANK_LINE

    def _renamed(self, output: list[Any]) -> list[Any]:
        names = self._options.tool_names
        return [
            {**item, "name": names[item["name"]]}
            if isinstance(item, dict) and item.get("name") in names
            else item
            for item in output
        ]

    def _output(self) -> list[dict[str, Any]]:
        items = [held for _, held in sorted(self._items.items())]
        whole = [item if isinstance(item, dict) else _decoded(item) for item in items]
        return list(filter(None, whole))


def _is_whole(block: bytes) -> bool:
    try:
        decoded = decode_block(block)
    except Malformed:
        return False
    return decoded is not None and not isinstance(decoded[0], UnknownEvent)


def _decoded(payload: bytes | Raw) -> dict[str, Any]:
    """A JSON object; empty where there is none to read."""
    try:
        value = read_any(payload)
    except DECODE_ERRORS:
        return {}
    return value if isinstance(value, dict) else {}


def _block(body: dict[str, Any]) -> bytes:
    return encode_response_event(body).removesuffix(b"\n\n")
