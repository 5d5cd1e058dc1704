"""Makes a client's frames of what a translator writes: one JSON object for each event. Pure.

Frames of the backend hold the same objects as the `data:` lines of its event stream. After a
response's last event nothing more is sent for it: a client would read it as its next response's.
"""

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.openai.errors import error_fields, error_type
from codex_proapi.gateway.formats.sse import read_block

KEEP_ALIVE: Final = b'{"type":"keepalive"}'
"""Counts as a message for clients whose idle limit pings do not reset, and which skip its type."""
LAST_EVENTS: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "error"}
)
"""Types of events after which a response is over."""
WHOLE_EVENTS: Final = frozenset({"response.completed", "response.incomplete"})
"""Those after which it can be continued."""
_ITEM_DONE: Final = "response.output_item.done"
S = TypeVar("S", bound=msgspec.Struct)
_EVENT: Final = b"event: "
_DATA: Final = b"\ndata: "


class _Typed(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    item: msgspec.Raw = msgspec.Raw(b"")


class _Named(msgspec.Struct):
    id: str = ""


class _Whole(msgspec.Struct):
    response: _Named = msgspec.field(default_factory=_Named)


class EventFrames:
    """The frames of one response."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the last event has been made."""
        self.response_id = ""
        """Id of a response that can be continued; empty before its end, and after a failure."""
        self.output: list[bytes] = []
        """Its finished items, as JSON."""

    def __repr__(self) -> str:
        return f"<EventFrames {'ended' if self.ended else 'under way'}>"

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the frames for whole blocks of an event stream."""
        return list(self._frames(data))

    def _frames(self, data: bytes) -> Iterator[bytes]:
        for block in data.split(b"\n\n"):
            if not block or self.ended:
                continue
            kind, payload = _parts_of(block)
            if payload:
                self._note(kind, payload)
                yield payload
            elif block.startswith(b":"):
                yield KEEP_ALIVE

    def _note(self, kind: str, payload: bytes) -> None:
        """Note what a later turn needs of an event."""
        if kind == _ITEM_DONE:
            item = bytes(_decoded(payload, _Item).item)
            if item:
                self.output.append(item)
        elif kind in LAST_EVENTS:
            self.ended = True
            if kind in WHOLE_EVENTS:
                self.response_id = _decoded(payload, _Whole).response.id


def error_frame(error: GatewayError, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The frame of a refusal: with `status` only, as `status_code` beside it has clients ignore it.

    Args:
        error: the refusal.
        headers: what an HTTP response would say beside it.
    """
    fields = error_fields(error)
    told = {name.decode(): value.decode("latin-1") for name, value in headers}
    told.pop("connection", None)
    return write(
        {
            "type": "error",
            "status": error.status,
            "error": {**fields, "code": error.code or error_type(error)},
            "headers": told,
        }
    )


def prepared_frames(response_id: str, *, created: int, model: str) -> list[bytes]:
    """The answer to a frame that wants none (`generate: false`): an id to continue from."""
    response = {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "model": model,
        "output": [],
        "error": None,
        "incomplete_details": None,
    }
    tokens = {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }
    begun = {**response, "status": "in_progress", "usage": None}
    ended = {**response, "status": "completed", "usage": tokens}
    return [
        write({"type": "response.created", "sequence_number": 0, "response": begun}),
        write({"type": "response.completed", "sequence_number": 1, "response": ended}),
    ]


def _parts_of(block: bytes) -> tuple[str, bytes]:
    """The type of an event and its JSON in one line; the latter is empty for a comment."""
    if block.startswith(_EVENT):
        at = block.find(_DATA)
        payload = block[at + len(_DATA) :] if at > 0 else b""
        if payload and b"\n" not in payload:
            return block[len(_EVENT) : at].decode("latin-1"), payload
    message = read_block(block)
    if message is None or message.data[:1] != b"{":
        return "", b""
    # A line feed in JSON stands between its values only.
    payload = message.data.replace(b"\n", b" ")
    return _decoded(payload, _Typed).type, payload


def _decoded(payload: bytes, kind: type[S]) -> S:
    """What is of interest in an event; the defaults if it cannot be read."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kind()
