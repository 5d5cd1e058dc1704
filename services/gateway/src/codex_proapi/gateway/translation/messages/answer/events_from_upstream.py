"""Upstream's events in, stream events of a Messages answer out: the state machine of one answer.

Every change of state is in TRANSITIONS or in `feed`; nothing else assigns `state`. No clock, no
ids, no I/O: whoever makes a MessagesStream brings them.
"""

import enum
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import EmptyAnswer, Truncated
from codex_proapi.gateway.formats.anthropic.events import (
    CONTEXT_FULL,
    END_TURN,
    MAX_TOKENS,
    REFUSAL,
    STOP_SEQUENCE,
    TOOL_USE,
    MessageDelta,
    MessageStart,
    MessageStop,
    StreamEvent,
)
from codex_proapi.gateway.formats.codex.events import (
    AnnotationAdded,
    ArgumentsDelta,
    ArgumentsDone,
    InputDelta,
    InputDone,
    ItemAdded,
    ItemDone,
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
from codex_proapi.gateway.formats.codex.items import (
    CustomCallItem,
    FunctionCallItem,
    MessageItem,
    OtherItem,
    ReasoningItem,
    citation_of,
    decode_item,
)
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.formats.openai.errors import public_error
from codex_proapi.gateway.translation.messages.answer.blocks import BlockQueue
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.reasoning import RAW, SUMMARY, Reasoning
from codex_proapi.gateway.translation.messages.answer.text import Text
from codex_proapi.gateway.translation.messages.answer.tool_calls import ToolCalls
from codex_proapi.gateway.translation.messages.answer.web_search import SEARCH_ITEM, WebSearches
from codex_proapi.gateway.translation.stream.response_observer import incomplete_reason
from codex_proapi.gateway.translation.stream.token_usage import tokens_of


class MessagesState(enum.Enum):
    """How far the answer has come."""

    WAITING = "waiting"
    OPEN = "open"
    CUT = "cut"
    """A stop string was met: the text is over, the usage is still awaited."""
    FINISHED = "finished"
    FAILED = "failed"


class BytesEnded:
    """Our own event: upstream has closed."""


_WORDS: Final = (
    ResponseCreated, ItemAdded, ItemDone, TextDelta, TextDone, AnnotationAdded, RefusalDelta,
    RefusalDone, ReasoningDelta, ReasoningDone, RawReasoningDelta, RawReasoningDone,
    ArgumentsDelta, ArgumentsDone, InputDelta, InputDone,
)  # fmt: skip
_ENDS: Final = (ResponseCompleted, ResponseIncomplete)
_FAILURES: Final = (ResponseFailed, UpstreamErrorEvent, BytesEnded)
_ALIVE: Final[dict[type, MessagesState]] = {
    **dict.fromkeys(_WORDS, MessagesState.OPEN),
    **dict.fromkeys(_ENDS, MessagesState.FINISHED),
    **dict.fromkeys(_FAILURES, MessagesState.FAILED),
}
TRANSITIONS: Final[dict[MessagesState, dict[type, MessagesState]]] = {
    MessagesState.WAITING: _ALIVE,
    MessagesState.OPEN: _ALIVE,
    MessagesState.CUT: dict.fromkeys((*_ENDS, *_FAILURES), MessagesState.FINISHED),
    MessagesState.FINISHED: {},
    MessagesState.FAILED: {},
}
"""What is not in a state's row changes nothing in it and says nothing."""
SHORT_REASONS: Final = {"content_filter": REFUSAL, "max_output_tokens": MAX_TOKENS}
"""Stop reasons by why upstream cut an answer."""
_CONTEXT_WORDS: Final = "context"


class _Output(msgspec.Struct):
    output: list[Raw] | None = None


_read_output: Final = reader(_Output)


class MessagesStream:
    """One answer on its way to a client of the Messages API."""

    def __init__(
        self, options: MessagesOptions, *, message_id: str, model: str, account: Callable[[], str]
    ) -> None:
        """`model` is the name asked for; `account` gives the answering account's id when asked."""
        self.state = MessagesState.WAITING
        self.queue = BlockQueue()
        self.text = Text(self.queue, stop=options.stop)
        self.reasoning = Reasoning(
            self.queue, visible=options.thinking, summaries=options.summaries, account=account
        )
        self.calls = ToolCalls(self.queue, options, fallback_id=message_id)
        self.searches = WebSearches(self.queue, fallback_id=message_id)
        self._options = options
        self._start = MessageStart(
            message_id=message_id, model=model, input_tokens=options.input_tokens
        )
        self._items_done = False

    def __repr__(self) -> str:
        return f"<MessagesStream {self.state.value}>"

    def feed(self, event: UpstreamEvent) -> list[StreamEvent]:
        """Take one event; give the stream events it causes, often none.

        Raises `UpstreamRefused` for a failure upstream reports, `EmptyAnswer` for a whole answer
        without text or a call, `Truncated` for one that ends within a call the client knows of.
        """
        before = self.state
        after = TRANSITIONS[before].get(type(event))
        if after is None:
            return []
        self.state = after
        begins = before is MessagesState.WAITING and after is not MessagesState.FAILED
        start: list[StreamEvent] = [self._start] if begins else []
        if isinstance(event, ResponseFailed | UpstreamErrorEvent):
            if after is MessagesState.FAILED:
                raise public_error(refusal_of_event(event))
            return self._ending(None, "")
        if isinstance(event, ResponseCompleted | ResponseIncomplete):
            return start + self._end(event, cut=before is MessagesState.CUT)
        self._take(event)
        if self.text.stopped_at is not None:
            self.text.close()
            self.calls.close(complete=False)
            self.state = MessagesState.CUT
        return start + self.queue.take()

    def finish(self) -> list[StreamEvent]:
        """Upstream has closed: give what is left. Raises `Truncated` if the answer is not whole."""
        before = self.state
        self.state = TRANSITIONS[before].get(BytesEnded, before)
        if self.state is MessagesState.FAILED:
            raise Truncated("The backend's stream ended before the answer did.")
        return self._ending(None, "") if before is MessagesState.CUT else []

    def _take(self, event: UpstreamEvent) -> None:
        text, reasoning = self.text, self.reasoning
        match event:
            case TextDelta():
                text.piece(event.delta, _part(event))
            case TextDone():
                text.done(event.text, _part(event))
            case RefusalDelta():
                text.refusal(event.delta, _part(event))
            case RefusalDone():
                text.refusal_done(event.refusal, _part(event))
            case ReasoningDelta():
                reasoning.piece(event.delta, _summary(event), SUMMARY)
            case ReasoningDone():
                reasoning.part_done(event.text, _summary(event), SUMMARY)
            case RawReasoningDelta():
                reasoning.piece(event.delta, _part(event), RAW)
            case RawReasoningDone():
                reasoning.part_done(event.text, _part(event), RAW)
            case AnnotationAdded():
                text.cite(citation_of(event.annotation))
            case _:
                self._take_item(event)

    def _take_item(self, event: UpstreamEvent) -> None:
        calls = self.calls
        match event:
            case ArgumentsDelta() | InputDelta():
                calls.piece(event.delta, event.item_id, event.output_index)
            case ArgumentsDone():
                calls.arguments(event.arguments, event.item_id, event.output_index)
            case ItemAdded():
                self._begin_item(event.item, event.output_index)
            case ItemDone():
                self._items_done = True
                self._item(event.item, event.output_index)
            case _:
                pass

    def _begin_item(self, raw: Raw, output_index: int | None) -> None:
        item = decode_item(raw)
        if isinstance(item, FunctionCallItem | CustomCallItem):
            self.calls.add(item, output_index)
        elif isinstance(item, ReasoningItem):
            self.reasoning.added(raw, item)

    def _item(self, raw: Raw, output_index: int | None) -> None:
        match decode_item(raw):
            case MessageItem() as item:
                self.text.message(item, output_index)
            case ReasoningItem() as item:
                self.reasoning.done(raw, item, output_index)
            case FunctionCallItem() | CustomCallItem() as item:
                self.calls.done(item, output_index)
            case OtherItem(type=kind) if kind == SEARCH_ITEM:
                self.searches.done(raw)
            case _:
                pass

    def _end(
        self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool
    ) -> list[StreamEvent]:
        tokens = tokens_of(event.response)
        if cut:
            return self._ending(tokens, "")
        complete = isinstance(event, ResponseCompleted)
        if not self._items_done:
            self._undelivered(event.response)
        self.calls.close(complete=complete)
        self.text.close()
        self.reasoning.finish()
        self.searches.finish(self.text.citations)
        spoke = self.text.said or self.text.refused or self.calls.any_whole or self.searches.count
        if complete and not spoke:
            self.state = MessagesState.FAILED
            raise EmptyAnswer("The backend's answer was empty: neither text nor a call.")
        return self._ending(tokens, "" if complete else incomplete_reason(event.response) or "cut")

    def _ending(self, tokens: Tokens | None, short: str) -> list[StreamEvent]:
        """What is left of the blocks, then why the answer ends."""
        options = self._options
        if self.calls.any_half:
            self.state = MessagesState.FAILED
            raise Truncated("The backend's answer ended within a call of a tool.")
        self.queue.close_tail()
        delta = MessageDelta(
            stop_reason=self._stop_reason(short),
            stop_sequence=self.text.stopped_at,
            tokens=tokens or Tokens(input=options.input_tokens),
            web_searches=self.searches.count,
            safeguard_results=tuple(map(_unjudged, options.safeguards)),
        )
        return [*self.queue.take(), delta, MessageStop()]

    def _stop_reason(self, short: str) -> str:
        if self.text.stopped_at is not None:
            return STOP_SEQUENCE
        if short:
            full = _CONTEXT_WORDS in short
            return CONTEXT_FULL if full else SHORT_REASONS.get(short, MAX_TOKENS)
        if self.calls.any_whole:
            return TOOL_USE
        return REFUSAL if self.text.refused and not self.text.said else END_TURN

    def _undelivered(self, response: Raw) -> None:
        """Take the items of the finished response, where no event has brought any."""
        try:
            output = _read_output(response or b"{}").output or []
        except DECODE_ERRORS:
            return
        for index, raw in enumerate(output):
            self._item(raw, index)


def _part(event: Any) -> tuple[str | None, int | None, int | None]:
    return event.item_id, event.output_index, event.content_index


def _summary(event: ReasoningDelta | ReasoningDone) -> tuple[str | None, int | None, int | None]:
    return event.item_id, event.output_index, event.summary_index


def _unjudged(kind: str) -> dict[str, Any]:
    """Answer a safeguard: available, but no call was judged, which refuses risky ones only."""
    return {"type": kind, "status": {"type": "available", "tool_uses": {}}}
