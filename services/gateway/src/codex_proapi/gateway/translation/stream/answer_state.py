"""The states of one answer that is translated event by event, and the order its events come in.

Chat and Messages answers have the same states and differ in what an event becomes. Every change
of state is in TRANSITIONS. No clock, no ids, no I/O: whoever makes an `AnswerStream` brings them.
"""

import enum
from typing import Final, Generic, TypeVar

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

Piece = TypeVar("Piece")


class AnswerState(enum.Enum):
    """How far the answer has come."""

    WAITING = "waiting"
    OPEN = "open"
    CUT = "cut"
    """A stop string was met: the text is over, only the usage is still awaited."""
    FINISHED = "finished"
    FAILED = "failed"


class StopMet:
    """Our own event: the text has reached a stop string."""


class NothingUsable:
    """Our own event: the answer ended without text or a call, or within a call."""


class BytesEnded:
    """Our own event: upstream has closed."""


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
"""An event that is not in a state's row changes nothing in it and says nothing."""


class _Output(msgspec.Struct):
    output: list[Raw] | None = None


_read_output: Final = reader(_Output)


class AnswerStream(Generic[Piece]):
    """One answer: upstream's events in, pieces of the client's stream out.

    A dialect brings `_opening`, `_content`, `_ending` and, where something is left to write after
    a stop string, `_rest`.
    """

    def __init__(self) -> None:
        self.state = AnswerState.WAITING
        self._items_done = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value}>"

    def feed(self, event: UpstreamEvent) -> list[Piece]:
        """Take one event; give the pieces it causes, often none.

        Raises `UpstreamRefused` for a failure upstream reports, `EmptyAnswer` for a whole answer
        without text or a call, `Truncated` for one that ends within a call the client knows of.
        """
        before = self.state
        after = TRANSITIONS[before].get(type(event))
        if after is None:
            return []
        self.state = after
        begins = before is AnswerState.WAITING and after is not AnswerState.FAILED
        opening = self._opening() if begins else []
        match event:
            case ResponseCompleted() | ResponseIncomplete():
                return opening + self._ending(event, cut=before is AnswerState.CUT)
            case ResponseFailed() | UpstreamErrorEvent():
                if after is AnswerState.FAILED:
                    raise public_error(refusal_of_event(event))
                return self._rest()
            case ItemDone():
                self._items_done = True
            case _:
                pass
        return opening + self._content(event)

    def finish(self) -> list[Piece]:
        """Upstream has closed: give what is left. Raises `Truncated` if the answer is not whole."""
        before = self.state
        self.state = TRANSITIONS[before].get(BytesEnded, before)
        if self.state is AnswerState.FAILED:
            raise Truncated("The backend's stream ended before the answer did.")
        return self._rest() if before is AnswerState.CUT else []

    def _opening(self) -> list[Piece]:
        """What stands before everything else."""
        raise NotImplementedError

    def _content(self, event: UpstreamEvent) -> list[Piece]:
        """What an event of the answer's content becomes; applies `StopMet` at a stop string."""
        raise NotImplementedError

    def _ending(self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool) -> list[Piece]:
        """The last pieces; with `cut` the client's text has ended at a stop string before."""
        raise NotImplementedError

    def _rest(self) -> list[Piece]:
        """What is left when upstream fails or closes after a stop string was met."""
        return []

    def _move(self, event: type) -> None:
        """Change the state by an event of our own."""
        self.state = TRANSITIONS[self.state][event]

    def _empty(self) -> EmptyAnswer:
        """The error of a whole answer without text or a call."""
        self._move(NothingUsable)
        return EmptyAnswer("The backend's answer was empty: neither text nor a call.")

    def _missing_items(self, response: Raw) -> list[Raw]:
        """The items of the finished response, where no event has brought any."""
        if self._items_done:
            return []
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
