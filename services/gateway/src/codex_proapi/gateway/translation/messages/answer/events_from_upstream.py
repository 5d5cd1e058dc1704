"""Translates upstream's events into the stream events of a Messages answer.

The states of an answer and their order are in `stream.answer_state`.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from msgspec import Raw

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import Truncated
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
    ItemAdded,
    ItemDone,
    RawReasoningDelta,
    RawReasoningDone,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    RefusalDone,
    ResponseCompleted,
    ResponseIncomplete,
    TextDelta,
    TextDone,
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
    searching_call,
)
from codex_proapi.gateway.formats.codex.tool_search import CALL as TOOL_SEARCH_CALL
from codex_proapi.gateway.translation.messages.answer.blocks import BlockQueue
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.reasoning import RAW, SUMMARY, Reasoning
from codex_proapi.gateway.translation.messages.answer.text import Text
from codex_proapi.gateway.translation.messages.answer.tool_calls import ToolCalls
from codex_proapi.gateway.translation.messages.answer.web_search import SEARCH_ITEM, WebSearches
from codex_proapi.gateway.translation.stream.answer_state import (
    AnswerStream,
    NothingUsable,
    StopMet,
    part_position,
    summary_position,
)
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

SHORT_REASONS: Final = {"content_filter": REFUSAL, "max_output_tokens": MAX_TOKENS}
"""Upstream's `incomplete_details.reason` to the stop reason."""
_CONTEXT_WORDS: Final = "context"


class MessagesStream(AnswerStream[StreamEvent]):
    """Translates the events of one answer for a client of the Messages API."""

    __slots__ = (
        "_message_id",
        "_opening",
        "_options",
        "calls",
        "queue",
        "reasoning",
        "searches",
        "text",
    )

    def __init__(
        self, options: MessagesOptions, *, report: ResponseReport, message_id: str, model: str
    ) -> None:
        """Create the state of an answer.

        Args:
            options: How the client wants its answer.
            report: The answer's report; names the account that answers, for signatures.
            message_id: Id of the message.
            model: The requested model, repeated in the answer.
        """
        super().__init__(report)
        self.queue = BlockQueue()
        self.text = Text(self.queue, stop=options.stop, structured=options.structured)
        self.reasoning: Reasoning | None = None
        """The thinking, the calls and the searches: None while there are none."""
        self.calls: ToolCalls | None = None
        self.searches: WebSearches | None = None
        self._options = options
        self._message_id = message_id
        self._opening = (
            MessageStart(message_id=message_id, model=model, input_tokens=options.input_tokens),
        )

    def _text_delta(self, event: TextDelta) -> list[StreamEvent]:
        self.text.piece(event.delta, part_position(event))
        return self._written()

    def _text_done(self, event: TextDone) -> list[StreamEvent]:
        self.text.done(event.text, part_position(event))
        return self._written()

    def _refusal_delta(self, event: RefusalDelta) -> list[StreamEvent]:
        self.text.refusal(event.delta, part_position(event))
        return self._written()

    def _refusal_done(self, event: RefusalDone) -> list[StreamEvent]:
        self.text.refusal_done(event.refusal, part_position(event))
        return self._written()

    def _reasoning_delta(self, event: ReasoningDelta) -> list[StreamEvent]:
        self._begun_reasoning().piece(event.delta, summary_position(event), SUMMARY)
        return self._written()

    def _reasoning_done(self, event: ReasoningDone) -> list[StreamEvent]:
        self._begun_reasoning().part_done(event.text, summary_position(event), SUMMARY)
        return self._written()

    def _raw_reasoning_delta(self, event: RawReasoningDelta) -> list[StreamEvent]:
        self._begun_reasoning().piece(event.delta, part_position(event), RAW)
        return self._written()

    def _raw_reasoning_done(self, event: RawReasoningDone) -> list[StreamEvent]:
        self._begun_reasoning().part_done(event.text, part_position(event), RAW)
        return self._written()

    def _annotation(self, event: AnnotationAdded) -> list[StreamEvent]:
        self.text.cite(citation_of(event.annotation))
        return []

    def _call_delta(self, event: ArgumentsDelta | InputDelta) -> list[StreamEvent]:
        self._begun_calls().piece(event.delta, event.item_id, event.output_index)
        return self._written()

    def _arguments_done(self, event: ArgumentsDone) -> list[StreamEvent]:
        self._begun_calls().arguments(event.arguments, event.item_id, event.output_index)
        return self._written()

    def _item_added(self, event: ItemAdded) -> list[StreamEvent]:
        self._begin_item(event.item, event.output_index)
        return self._written()

    def _item_done(self, event: ItemDone) -> list[StreamEvent]:
        self.items_done = True
        self._item(event.item, event.output_index)
        return self._written()

    _takes: ClassVar[Mapping[type[UpstreamEvent], Callable[[Any, Any], list[StreamEvent]]]] = {
        ItemAdded: _item_added,
        ItemDone: _item_done,
        TextDelta: _text_delta,
        TextDone: _text_done,
        AnnotationAdded: _annotation,
        RefusalDelta: _refusal_delta,
        RefusalDone: _refusal_done,
        ReasoningDelta: _reasoning_delta,
        ReasoningDone: _reasoning_done,
        RawReasoningDelta: _raw_reasoning_delta,
        RawReasoningDone: _raw_reasoning_done,
        ArgumentsDelta: _call_delta,
        ArgumentsDone: _arguments_done,
        InputDelta: _call_delta,
    }

    def _written(self) -> list[StreamEvent]:
        """What can be written now; the text ends if it has reached a stop sequence."""
        if self.text.stopped_at is not None:
            self.text.close()
            if self.calls is not None:
                self.calls.close(complete=False)
            self._move(StopMet)
        return self.queue.take()

    def _begun_reasoning(self) -> Reasoning:
        """The thinking, at the first event about it."""
        if self.reasoning is None:
            self.reasoning = Reasoning(
                self.queue,
                visible=self._options.thinking,
                summaries=self._options.summaries,
                report=self.report,
            )
        return self.reasoning

    def _begun_calls(self) -> ToolCalls:
        """The calls, at the first event about one."""
        if self.calls is None:
            self.calls = ToolCalls(self.queue, self._options, fallback_id=self._message_id)
        return self.calls

    def _begin_item(self, raw: Raw, output_index: int | None) -> None:
        item = decode_item(raw)
        if isinstance(item, FunctionCallItem | CustomCallItem):
            self.text.release()
            self._begun_calls().add(item, output_index)
        elif isinstance(item, ReasoningItem):
            self._begun_reasoning().added(raw, item)
        elif isinstance(item, MessageItem):
            self.text.message_added(item, output_index)

    def _item(self, raw: Raw, output_index: int | None) -> None:
        match decode_item(raw):
            case MessageItem() as item:
                self.text.message(item, output_index)
            case ReasoningItem() as item:
                self._begun_reasoning().done(raw, item, output_index)
            case FunctionCallItem() | CustomCallItem() as item:
                self.text.release()
                self._begun_calls().done(item, output_index)
            case OtherItem(type=kind) if kind == SEARCH_ITEM:
                if self.searches is None:
                    self.searches = WebSearches(self.queue, fallback_id=self._message_id)
                self.searches.done(raw)
            case OtherItem(type=kind) if kind == TOOL_SEARCH_CALL:
                self._begun_calls().done(searching_call(raw), output_index)
            case _:
                pass

    def _ending(
        self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool
    ) -> list[StreamEvent]:
        tokens = self.report.tokens
        if cut:
            return self._last_events(tokens, "")
        complete = isinstance(event, ResponseCompleted)
        if not self.items_done:
            for index, raw in enumerate(self._missing_items(event.response)):
                self._item(raw, index)
        text, calls, searches = self.text, self.calls, self.searches
        if calls is not None:
            calls.close(complete=complete)
        if not text.said:
            text.release()
        text.close()
        if self.reasoning is not None:
            self.reasoning.finish()
        if searches is not None:
            searches.finish(text.citations)
        spoke = text.said or text.refused or searches is not None
        if complete and not spoke and not (calls is not None and calls.any_whole):
            raise self._empty()
        short = "" if complete else self.report.code or "cut"
        return self._last_events(tokens, short)

    def _rest(self) -> list[StreamEvent]:
        return self._last_events(None, "")

    def _last_events(self, tokens: Tokens | None, short: str) -> list[StreamEvent]:
        """The rest of the blocks, then `message_delta` with the stop reason, and `message_stop`."""
        options, searches = self._options, self.searches
        if self.calls is not None and self.calls.any_half:
            self._move(NothingUsable)
            raise Truncated("The backend's answer ended within a call of a tool.")
        self.queue.close_tail()
        delta = MessageDelta(
            stop_reason=self._stop_reason(short),
            stop_sequence=self.text.stopped_at,
            tokens=tokens or Tokens(input=options.input_tokens),
            web_searches=0 if searches is None else searches.count,
            safeguard_results=tuple(map(_unjudged, options.safeguards)),
        )
        return [*self.queue.take(), delta, MessageStop()]

    def _stop_reason(self, short: str) -> str:
        if self.text.stopped_at is not None:
            return STOP_SEQUENCE
        if short:
            full = _CONTEXT_WORDS in short
            return CONTEXT_FULL if full else SHORT_REASONS.get(short, MAX_TOKENS)
        if self.calls is not None and self.calls.any_whole:
            return TOOL_USE
        return REFUSAL if self.text.refused and not self.text.said else END_TURN


def _unjudged(kind: str) -> dict[str, Any]:
    """The result of a safeguard: available, without a verdict; Claude Code then refuses risky calls."""
    return {"type": kind, "status": {"type": "available", "tool_uses": {}}}
