"""Upstream events in, chat chunks out: the state machine of one answer.

Every change of state is in TRANSITIONS; nothing else assigns `state`. No clock, no ids, no I/O:
whoever makes a ChatStream brings them.
"""

import enum
from typing import Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.commons.usage.token_counts import Tokens
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
from codex_proapi.gateway.formats.codex.items import (
    CustomCallItem,
    FunctionCallItem,
    MessageItem,
    OutputItem,
    ReasoningItem,
    citation_of,
    decode_item,
)
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.formats.openai.chat_chunks import CallDelta, ChatChunk
from codex_proapi.gateway.formats.openai.errors import public_error
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.text import RAW, SUMMARY, ChatText
from codex_proapi.gateway.translation.chat.tool_calls import ChatToolCalls
from codex_proapi.gateway.translation.stream.delta_tracker import Position
from codex_proapi.gateway.translation.stream.response_observer import incomplete_reason
from codex_proapi.gateway.translation.stream.token_usage import tokens_of


class ChatState(enum.Enum):
    """How far the answer has come."""

    WAITING = "waiting"
    OPEN = "open"
    CUT = "cut"
    """A stop string was met: the client has its finish reason, only usage is still awaited."""
    FINISHED = "finished"
    FAILED = "failed"


class StopMet:
    """Our own event: the text has reached a stop string."""


class EmptyFound:
    """Our own event: the answer ended without a word or a call."""


class BytesEnded:
    """Our own event: upstream has closed."""


_CONTENT: Final = (
    ResponseCreated, ItemAdded, ItemDone, TextDelta, TextDone, AnnotationAdded, RefusalDelta,
    RefusalDone, ReasoningDelta, ReasoningDone, RawReasoningDelta, RawReasoningDone,
    ArgumentsDelta, ArgumentsDone, InputDelta, InputDone,
)  # fmt: skip
_ENDS: Final = (ResponseCompleted, ResponseIncomplete)
_FAILURES: Final = (ResponseFailed, UpstreamErrorEvent)

TRANSITIONS: Final[dict[ChatState, dict[type, ChatState]]] = {
    ChatState.WAITING: {
        **dict.fromkeys(_CONTENT, ChatState.OPEN),
        **dict.fromkeys(_ENDS, ChatState.FINISHED),
        **dict.fromkeys((*_FAILURES, BytesEnded), ChatState.FAILED),
    },
    ChatState.OPEN: {
        **dict.fromkeys(_CONTENT, ChatState.OPEN),
        StopMet: ChatState.CUT,
        **dict.fromkeys(_ENDS, ChatState.FINISHED),
        **dict.fromkeys((*_FAILURES, BytesEnded), ChatState.FAILED),
    },
    ChatState.CUT: dict.fromkeys((*_ENDS, *_FAILURES, BytesEnded), ChatState.FINISHED),
    ChatState.FINISHED: {EmptyFound: ChatState.FAILED},
    ChatState.FAILED: {},
}
"""What is not in a state's row changes nothing in it and says nothing."""

FINISH_REASONS: Final = {"content_filter": "content_filter"}
"""Why an answer is short, where it is not `length`."""


class _Output(msgspec.Struct):
    output: list[Raw] | None = None


_read_output: Final = reader(_Output)


class ChatStream:
    """One answer on its way to a chat client."""

    def __init__(self, options: ChatOptions, *, fallback_id: str = "") -> None:
        """`fallback_id` makes ids for calls to which upstream gave none."""
        self.state = ChatState.WAITING
        self.tokens: Tokens | None = None
        """From the terminal event."""
        self.text = ChatText(
            stop=options.stop,
            refusal_as_refusal=options.refusal_as_refusal,
            structured=options.structured,
        )
        as_function = options.custom_as_function
        self.calls = ChatToolCalls(
            rename=lambda name: options.tool_names.get(name, name),
            custom_tools=frozenset() if as_function else options.custom_tools,
            legacy=options.legacy_functions,
            fallback_id=fallback_id,
        )
        self._options = options
        self._items_done = False

    def __repr__(self) -> str:
        return f"<ChatStream {self.state.value}>"

    def feed(self, event: UpstreamEvent) -> list[ChatChunk]:
        """Take one event; give the chunks it causes, often none.

        Raises `UpstreamRefused` for a failure upstream reports and `EmptyAnswer` for a whole
        answer without a word or a call.
        """
        before = self.state
        after = TRANSITIONS[before].get(type(event))
        if after is None:
            return []
        self.state = after
        begins = before is ChatState.WAITING and after is not ChatState.FAILED
        opening = [ChatChunk(role="assistant", content="")] if begins else []
        match event:
            case ResponseCompleted() | ResponseIncomplete():
                return opening + self._end(event, cut=before is ChatState.CUT)
            case ResponseFailed() | UpstreamErrorEvent() if after is ChatState.FAILED:
                raise public_error(refusal_of_event(event))
            case ItemAdded(item=raw, output_index=output_index):
                chunks = self._item_added(decode_item(raw), output_index)
            case ItemDone(item=raw, output_index=output_index):
                self._items_done = True
                chunks = self._item_done(decode_item(raw), output_index)
            case ArgumentsDelta() | ArgumentsDone() | InputDelta() | InputDone():
                chunks = self._call(event)
            case _:
                chunks = self._text_chunks(event)
        return opening + chunks + self._cut()

    def finish(self) -> list[ChatChunk]:
        """Upstream has closed: give what is left. Raises `Truncated` if the answer is not whole."""
        before = self.state
        self.state = TRANSITIONS[before].get(BytesEnded, before)
        if self.state is ChatState.FAILED:
            raise Truncated("The backend's stream ended before the answer did.")
        return []

    def _text_chunks(self, event: UpstreamEvent) -> list[ChatChunk]:
        text = self.text
        match event:
            case TextDelta(delta=delta):
                return text.text_delta(delta, _position(event))
            case TextDone(text=whole):
                return text.text_done(whole, _position(event))
            case RefusalDelta(delta=delta):
                return text.refusal_delta(delta, _position(event))
            case RefusalDone(refusal=whole):
                return text.refusal_done(whole, _position(event))
            case ReasoningDelta(delta=delta):
                return text.reasoning_delta(delta, _summary_position(event), SUMMARY)
            case ReasoningDone(text=whole):
                return text.reasoning_done(whole, _summary_position(event), SUMMARY)
            case RawReasoningDelta(delta=delta):
                return text.reasoning_delta(delta, _position(event), RAW)
            case RawReasoningDone(text=whole):
                return text.reasoning_done(whole, _position(event), RAW)
            case AnnotationAdded(annotation=raw):
                text.cite(citation_of(raw))
            case _:
                pass
        return []

    def _call(
        self, event: ArgumentsDelta | ArgumentsDone | InputDelta | InputDone
    ) -> list[ChatChunk]:
        item_id, output_index = event.item_id, event.output_index
        if isinstance(event, ArgumentsDelta | InputDelta):
            return self._call_chunks(self.calls.text(event.delta, item_id, output_index))
        text = event.arguments if isinstance(event, ArgumentsDone) else event.input
        return self._call_chunks(self.calls.end(text, item_id, output_index))

    def _item_added(self, item: OutputItem, output_index: int | None) -> list[ChatChunk]:
        if isinstance(item, FunctionCallItem | CustomCallItem):
            return self._call_chunks(self.calls.add(item, output_index))
        if isinstance(item, MessageItem):
            self.text.message_added(item, output_index)
        return []

    def _item_done(self, item: OutputItem, output_index: int | None) -> list[ChatChunk]:
        match item:
            case MessageItem():
                return self.text.message_item(item, output_index)
            case ReasoningItem():
                return self.text.reasoning_item(item, output_index)
            case FunctionCallItem() | CustomCallItem():
                return self._call_chunks(self.calls.done(item, output_index))
            case _:
                return []

    def _call_chunks(self, deltas: list[CallDelta]) -> list[ChatChunk]:
        """Calls as chunks, after the text before them."""
        held = self.text.flush() if deltas else []
        return held + [ChatChunk(call=delta) for delta in deltas]

    def _cut(self) -> list[ChatChunk]:
        """The end of the text where a stop string was met."""
        if self.state is not ChatState.OPEN or not self.text.stopped:
            return []
        self.state = TRANSITIONS[self.state][StopMet]
        return [*self._cited(), ChatChunk(finish_reason=self._reason("stop"))]

    def _end(self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool) -> list[ChatChunk]:
        self.tokens = tokens_of(event.response)
        usage = [ChatChunk(usage=self.tokens or Tokens())] if self._options.include_usage else []
        if cut:
            return usage
        complete = isinstance(event, ResponseCompleted)
        chunks = [] if self._items_done else self._missing_items(event.response)
        chunks += self.text.close()
        chunks += self._call_chunks(self.calls.close(complete=complete))
        if complete and not self.text.any_text and not self.calls.any_whole:
            self.state = TRANSITIONS[self.state][EmptyFound]
            raise EmptyAnswer("The backend's answer was empty: neither text nor a call.")
        short = FINISH_REASONS.get(incomplete_reason(event.response), "length")
        reason = self._reason("stop" if complete or self.text.stopped else short)
        return [*chunks, *self._cited(), ChatChunk(finish_reason=reason), *usage]

    def _reason(self, otherwise: str) -> str:
        """A complete call decides, unless a call was cut after it: that one must not be run."""
        if not self.calls.any_whole or self.calls.any_half:
            return otherwise
        return "function_call" if self._options.legacy_functions else "tool_calls"

    def _cited(self) -> list[ChatChunk]:
        """All citations in one chunk: the Python SDK cannot merge a second list of them."""
        citations = tuple(self.text.citations)
        return [ChatChunk(citations=citations)] if citations else []

    def _missing_items(self, response: Raw) -> list[ChatChunk]:
        """The items of the finished response, where no event has brought any."""
        try:
            output = _read_output(response or b"{}").output or []
        except DECODE_ERRORS:
            return []
        return [
            chunk for i, raw in enumerate(output) for chunk in self._item_done(decode_item(raw), i)
        ]


def _position(event: OfPart) -> Position:
    return event.item_id, event.output_index, event.content_index


def _summary_position(event: OfSummary) -> Position:
    return event.item_id, event.output_index, event.summary_index
