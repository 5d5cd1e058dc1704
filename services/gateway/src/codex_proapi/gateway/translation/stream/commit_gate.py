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
from codex_proapi.gateway.formats.sse import SSESplitter, sound_utf8
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


class Waiting(msgspec.Struct, frozen=True):
    """Result: the commit point is not reached yet."""


class Spoken(msgspec.Struct, frozen=True):
    """Result: the commit point is reached."""

    held: bytes
    """All bytes so far, for the translator."""


class Failed(msgspec.Struct, frozen=True):
    """Result: upstream refused, in an event of a response with status 200."""

    refusal: Refusal
    goes_on: bool = False
    """Whether the answer goes on after it, as another model's does; a failure is the last event."""


WAITING: Final = Waiting()


def _accept(model: str) -> Refusal | None:  # noqa: ARG001 - a default
    return None


class CommitGate:
    """The beginning of one upstream answer; to be fed until the result is not `Waiting`.

    Args:
        model: the model that was sent; empty if any may answer.
        on_other_model: called with the model that answers if it is another one; a refusal that it
            gives takes the place of the answer.
    """

    def __init__(
        self,
        *,
        model: str = "",
        on_other_model: Callable[[str], Refusal | None] = _accept,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._model = model
        self._named = f'"model":"{model}"'.encode() if model else b""
        """What a `response.created` has in it that says nothing new; empty for any model."""
        self._on_other_model = on_other_model
        self._splitter = SSESplitter()
        self._pieces: list[bytes] = []
        self._size = 0
        self._events = 0
        self._quota: Quota | None = None
        self._max_events = max_events
        self._max_bytes = max_bytes

    def __repr__(self) -> str:
        return f"<CommitGate of {self._events} events>"

    def feed(self, data: bytes) -> Waiting | Spoken | Failed:
        """Add upstream's bytes. Raises `Malformed` if they cannot be read."""
        self._pieces.append(data)
        self._size += len(data)
        splitter = self._splitter
        blocks = splitter.split(splitter.whole(data))
        for block in blocks:
            silent = block.startswith(SILENT_LINES) or (
                block.startswith(CREATED_LINES) and self._named in block
            )
            if not silent:
                found = decode_block(block if block.isascii() else sound_utf8(block))
                if found is None:
                    continue
                event = found[0]
                if speaks(event):
                    return Spoken(self.held)
                if (refusal := self._refused(event)) is not None:
                    return Failed(refusal, goes_on=isinstance(event, ResponseCreated))
            self._events += 1
            if self._events >= self._max_events:
                return Spoken(self.held)
        if not blocks:
            splitter.check()
        return Spoken(self.held) if self._size > self._max_bytes else WAITING

    @property
    def held(self) -> bytes:
        """All bytes so far, to classify a stream that ended before the commit point."""
        return b"".join(self._pieces)

    def _refused(self, event: UpstreamEvent) -> Refusal | None:
        """The refusal that an event is, or leads to."""
        match event:
            case ResponseFailed() | UpstreamErrorEvent():
                return self._refusal(event)
            case RateLimits(body=body):
                self._quota = combined(self._quota, quota_of_event(body))
            case ResponseCreated() if self._model:
                report = ResponseReport()
                observe(event, report)
                if is_substitution(self._model, report.answered_model):
                    return self._on_other_model(report.answered_model)
            case _:
                pass
        return None

    def _refusal(self, event: ResponseFailed | UpstreamErrorEvent) -> Refusal:
        """The refusal, with the quota from the events before it."""
        refusal = refusal_of_event(event)
        return msgspec.structs.replace(refusal, quota=combined(self._quota, refusal.quota))
