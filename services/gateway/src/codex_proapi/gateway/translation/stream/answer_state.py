"""The state machine of one answer that is translated event by event.

Chat and Messages answers have the same states and differ in the translation of an event. Every change
of state is in TRANSITIONS. No clock, no ids, no I/O: they are arguments.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.gateway.errors import EmptyAnswer, Truncated
from codex_proapi.gateway.formats.codex.events import (
    AnnotationAdded,
    ArgumentsDelta,
    ArgumentsDone,
    InputDelta,
    InputDone,
    ItemAdded,
    ItemDone,
    OfPart,
    OfSummary,
    RawReasoningDelta,
    RawReasoningDone,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    RefusalDone,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    TextDelta,
    TextDone,
    UpstreamErrorEvent,
    UpstreamEvent,
)
from codex_proapi.gateway.formats.codex.public_errors import public_error
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.translation.stream.delta_tracker import Position
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

Piece = TypeVar("Piece")


class AnswerState(enum.StrEnum):
    """The state of an answer."""

    WAITING = "waiting"
    OPEN = "open"
    CUT = "cut"
    """The text was cut at a stop sequence; only the usage is still expected."""
    FINISHED = "finished"
    FAILED = "failed"


class StopMet:
    """Internal event: the text has reached a stop sequence."""


class NothingUsable:
    """Internal event: the answer ended without text or a call, or within a call."""


class BytesEnded:
    """Internal event: upstream has closed."""


_CONTENT: Final = (
    ResponseCreated, ItemAdded, ItemDone, TextDelta, TextDone, AnnotationAdded, RefusalDelta,
    RefusalDone, ReasoningDelta, ReasoningDone, RawReasoningDelta, RawReasoningDone,
    ArgumentsDelta, ArgumentsDone, InputDelta, InputDone,
)  # fmt: skip
_ENDS: Final = (ResponseCompleted, ResponseIncomplete)
_FAILURES: Final = (ResponseFailed, UpstreamErrorEvent, BytesEnded)
_UNDER_WAY: Final[dict[type, AnswerState]] = {
    **dict.fromkeys(_CONTENT, AnswerState.OPEN),
    **dict.fromkeys(_ENDS, AnswerState.FINISHED),
    **dict.fromkeys(_FAILURES, AnswerState.FAILED),
}
TRANSITIONS: Final[dict[AnswerState, dict[type, AnswerState]]] = {
    AnswerState.WAITING: _UNDER_WAY,
    AnswerState.OPEN: {**_UNDER_WAY, StopMet: AnswerState.CUT},
    AnswerState.CUT: dict.fromkeys((*_ENDS, *_FAILURES), AnswerState.FINISHED),
    AnswerState.FINISHED: {NothingUsable: AnswerState.FAILED},
    AnswerState.FAILED: {},
}
"""State to event to next state; an event without an entry is ignored."""


class _Output(msgspec.Struct):
    output: list[Raw] | None = None


_read_output: Final = reader(_Output)


class AnswerStream(Generic[Piece]):
    """Base of the answers: translates upstream's events into pieces of the client's stream.

    A dialect sets `_opening`, and implements `_takes`, `_ending` and, if something is left to write after a
    stop sequence, `_rest`.
    """

    __slots__ = ("items_done", "report", "state")

    _takes: ClassVar[Mapping[type[UpstreamEvent], Callable[[Any, Any], list[Any]]]]
    """What gives the pieces for an event with content, by its type; for others there are none. It
    applies `StopMet` at a stop sequence."""

    _opening: tuple[Piece, ...]
    """The first pieces."""

    def __init__(self, report: ResponseReport) -> None:
        """Take the answer's report: an event is noted in it before it is given to `feed`."""
        self.state = AnswerState.WAITING
        self.items_done = False
        """Whether an event has brought a finished item; only else those of the response count."""
        self.report = report

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value}>"

    def feed(self, event: UpstreamEvent) -> list[Piece]:
        """Return the pieces for one event, often none.

        Raises:
            UpstreamRefused: Upstream reported a failure.
            EmptyAnswer: The answer is complete, without text or a call.
            Truncated: The answer ended within a call that was begun for the client.
        """
        before = self.state
        kind = type(event)
        after = TRANSITIONS[before].get(kind)
        if after is None:
            return []
        self.state = after
        opening = [*self._opening] if before is AnswerState.WAITING else []
        if after is AnswerState.OPEN:
            take = self._takes.get(kind)
            return opening if take is None else opening + take(self, event)
        match event:
            case ResponseCompleted() | ResponseIncomplete():
                return opening + self._ending(event, cut=before is AnswerState.CUT)
            case ResponseFailed() | UpstreamErrorEvent() if after is AnswerState.FAILED:
                raise public_error(refusal_of_event(event))
            case _:
                return self._rest()

    def finish(self) -> list[Piece]:
        """Return the last pieces, when upstream has closed. Raises `Truncated` if incomplete."""
        before = self.state
        self.state = TRANSITIONS[before].get(BytesEnded, before)
        if self.state is AnswerState.FAILED:
            raise Truncated("The backend's stream ended before the answer did.")
        return self._rest() if before is AnswerState.CUT else []

    def _ending(self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool) -> list[Piece]:
        """The last pieces; with `cut` the text has ended at a stop sequence before."""
        raise NotImplementedError

    def _rest(self) -> list[Piece]:
        """The last pieces if upstream fails or closes after a stop sequence."""
        return []

    def _move(self, event: type) -> None:
        """Change the state by an internal event."""
        self.state = TRANSITIONS[self.state][event]

    def _empty(self) -> EmptyAnswer:
        """The error of a complete answer without text or a call."""
        self._move(NothingUsable)
        return EmptyAnswer("The backend's answer was empty: neither text nor a call.")

    def _missing_items(self, response: Raw) -> list[Raw]:
        """The items of the finished response; only where no event has brought any."""
        try:
            return _read_output(response or b"{}").output or []
        except DECODE_ERRORS:
            return []


def part_position(event: OfPart) -> Position:
    """The position of an event about a part of a message."""
    return event.item_id, event.output_index, event.content_index


def summary_position(event: OfSummary) -> Position:
    """The position of an event about a part of a reasoning summary."""
    return event.item_id, event.output_index, event.summary_index
