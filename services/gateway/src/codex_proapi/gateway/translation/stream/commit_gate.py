"""Holds an answer back until the commit point: until it has content, or is a refusal.

Until then the request can be retried on another account, because the client has received nothing. A
refusal is judged by `policy.retry`.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from codex_proapi.commons.codex.quota_parser import Quota, combined, quota_of_event
from codex_proapi.commons.codex.substitution import is_substitution
from codex_proapi.gateway.formats.codex.events import (
    RateLimits,
    ResponseCreated,
    ResponseFailed,
    UpstreamErrorEvent,
    UpstreamEvent,
    decode_block,
    speaks,
)
from codex_proapi.gateway.formats.codex.refusals import Refusal, refusal_of_event
from codex_proapi.gateway.formats.sse import SSESplitter, event_end, sound_utf8
from codex_proapi.gateway.translation.stream.response_observer import observe
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

MAX_EVENTS: Final = 16
MAX_BYTES: Final = 1024 * 1024
CREATED_LINES, *_BEGUN_LINES = (
    b'event: %b\ndata: {"type":"%b",' % (name, name)
    for name in (
        b"response.created",
        b"response.queued",
        b"response.in_progress",
        b"response.output_item.added",
        b"response.content_part.added",
    )
)
SILENT_LINES: Final = tuple(_BEGUN_LINES)
"""Events at the beginning of nearly every answer; they have no content and are not decoded. Nor is a
`response.created` (the first of them) that names the model that was sent."""


class Failed(msgspec.Struct, frozen=True):
    """Result: upstream refused, in an event of a response with status 200."""

    refusal: Refusal
    goes_on: bool = False
    """Whether the answer goes on after it, as another model's does; a failure is the last event."""


def _accept(model: str) -> Refusal | None:  # noqa: ARG001 - a default
    return None


class CommitGate(msgspec.Struct):
    """The beginning of one upstream answer; to be fed until it has come to a result."""

    model: str = ""
    """The model that was sent; empty if any may answer."""
    on_other_model: Callable[[str], Refusal | None] = _accept
    """Called with the model that answers if it is another one; a refusal that it gives takes the place
    of the answer."""
    max_events: int = MAX_EVENTS
    max_bytes: int = MAX_BYTES
    splitter: SSESplitter = msgspec.field(default_factory=SSESplitter)
    pieces: list[bytes] = []
    """What has come so far, and is held."""
    size: int = 0
    """Its bytes."""
    events: int = 0
    """Events in it."""
    quota: Quota | None = None
    """What was told of the account's quota."""

    def __repr__(self) -> str:
        return f"<CommitGate of {self.events} events>"

    def feed(self, data: bytes) -> bytes | Failed | None:
        """Add upstream's bytes; None while the commit point is not reached.

        Gives all bytes so far, for the translator, once it is; or what upstream has failed with. Raises
        `Malformed` if they cannot be read.
        """
        self.pieces.append(data)
        self.size += len(data)
        named = b'"model":"%b"' % self.model.encode() if self.model else b""
        whole = self.splitter.whole(data)
        if not whole:
            self.splitter.check()
        end, size = 0, len(whole)
        while end < size:
            begin, end = end, event_end(whole, end)
            silent = whole.startswith(SILENT_LINES, begin) or (
                whole.startswith(CREATED_LINES, begin) and whole.find(named, begin, end) >= 0
            )
            if not silent:
                block = whole[begin : end - 2]
                found = decode_block(block if block.isascii() else sound_utf8(block))
                if found is None:
                    continue
                event = found[0]
                if speaks(event):
                    break
                if (refusal := self._refused(event)) is not None:
                    return Failed(refusal, goes_on=isinstance(event, ResponseCreated))
            self.events += 1
            if self.events >= self.max_events:
                break
        else:
            if self.size <= self.max_bytes:
                return None
        return b"".join(self.pieces)

    def _refused(self, event: UpstreamEvent) -> Refusal | None:
        """The refusal that an event is, or leads to."""
        match event:
            case ResponseFailed() | UpstreamErrorEvent():
                return self._refusal(event)
            case RateLimits(body=body):
                self.quota = combined(self.quota, quota_of_event(body))
            case ResponseCreated() if self.model:
                report = ResponseReport()
                observe(event, report)
                if is_substitution(self.model, report.answered_model):
                    return self.on_other_model(report.answered_model)
            case _:
                pass
        return None

    def _refusal(self, event: ResponseFailed | UpstreamErrorEvent) -> Refusal:
        """The refusal, with the quota from the events before it."""
        refusal = refusal_of_event(event)
        return msgspec.structs.replace(refusal, quota=combined(self.quota, refusal.quota))
