"""The shared facts of a response, one event of its stream, and the event's bytes. Pure."""

from typing import Any

import msgspec

Event = dict[str, Any]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one response that all its events share."""

    response_id: str
    """`resp_…`."""
    created_at: int
    """Seconds since the epoch."""
    request: dict[str, Any]
    """The request body."""
    workspace: str
    """The workspace for which items are encrypted."""
    model: str
    """The answering model."""
    usage: dict[str, Any]
    """Token usage."""
    rate_limits: Event | None = None
    """The vendor event with the quota."""


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, with the facts needed to deliver it."""

    event: Event
    is_delta: bool = False
    """Whether it is a delta: faults count these."""


def encode_event(line: StreamEvent, framing: str) -> bytes:
    """The bytes of one event."""
    data = msgspec.json.encode(line.event)
    name = str(line.event["type"]).encode()
    match framing:
        case "crlf":
            return b"event: " + name + b"\r\ndata: " + data + b"\r\n\r\n"
        case "cr":
            return b"event: " + name + b"\rdata: " + data + b"\r\r"
        case "data_only":
            return b"data: " + data + b"\n\n"
        case "multi_line":
            head, _, tail = data.partition(b",")
            return b"event: " + name + b"\ndata: " + head + b",\ndata: " + tail + b"\n\n"
        case _:
            return b"event: " + name + b"\ndata: " + data + b"\n\n"
