"""Translates upstream's events into chat chunks.

The states of an answer and their order are in `stream.answer_state`.
"""

from typing import Final

from msgspec import Raw

from codex_proapi.commons.usage.token_counts import Tokens
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
    ResponseIncomplete,
    TextDelta,
    TextDone,
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
from codex_proapi.gateway.formats.openai.chat_chunks import CallDelta, ChatChunk
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.text import RAW, SUMMARY, ChatText
from codex_proapi.gateway.translation.chat.tool_calls import ChatToolCalls
from codex_proapi.gateway.translation.stream.answer_state import (
    AnswerState,
    AnswerStream,
    StopMet,
    part_position,
    summary_position,
)
from codex_proapi.gateway.translation.stream.response_facts import incomplete_reason
from codex_proapi.gateway.translation.stream.token_usage import tokens_of

FINISH_REASONS: Final = {"content_filter": "content_filter"}
"""Upstream's `incomplete_details.reason` to the finish reason; `length` for others."""


class ChatStream(AnswerStream[ChatChunk]):
    """Translates the events of one answer for a chat client."""

    def __init__(self, options: ChatOptions, *, fallback_id: str = "") -> None:
        """Create the state of an answer; ids of calls without one are derived from `fallback_id`."""
        super().__init__()
        self.tokens: Tokens | None = None
        """Usage from the terminal event."""
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

    def _opening(self) -> list[ChatChunk]:
        return [ChatChunk(role="assistant", content="")]

    def _content(self, event: UpstreamEvent) -> list[ChatChunk]:
        match event:
            case ItemAdded(item=raw, output_index=output_index):
                chunks = self._item_added(decode_item(raw), output_index)
            case ItemDone(item=raw, output_index=output_index):
                chunks = self._item_done(decode_item(raw), output_index)
            case ArgumentsDelta() | ArgumentsDone() | InputDelta() | InputDone():
                chunks = self._call(event)
            case _:
                chunks = self._text_chunks(event)
        return chunks + self._cut()

    def _text_chunks(self, event: UpstreamEvent) -> list[ChatChunk]:
        text = self.text
        match event:
            case TextDelta(delta=delta):
                return text.text_delta(delta, part_position(event))
            case TextDone(text=whole):
                return text.text_done(whole, part_position(event))
            case RefusalDelta(delta=delta):
                return text.refusal_delta(delta, part_position(event))
            case RefusalDone(refusal=whole):
                return text.refusal_done(whole, part_position(event))
            case ReasoningDelta(delta=delta):
                return text.reasoning_delta(delta, summary_position(event), SUMMARY)
            case ReasoningDone(text=whole):
                return text.reasoning_done(whole, summary_position(event), SUMMARY)
            case RawReasoningDelta(delta=delta):
                return text.reasoning_delta(delta, part_position(event), RAW)
            case RawReasoningDone(text=whole):
                return text.reasoning_done(whole, part_position(event), RAW)
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
        """Calls as chunks, after the text held back before them."""
        held = self.text.flush() if deltas else []
        return held + [ChatChunk(call=delta) for delta in deltas]

    def _cut(self) -> list[ChatChunk]:
        """End the text at a stop sequence."""
        if self.state is not AnswerState.OPEN or not self.text.stopped:
            return []
        self._move(StopMet)
        return [*self._cited(), ChatChunk(finish_reason=self._reason("stop"))]

    def _ending(
        self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool
    ) -> list[ChatChunk]:
        self.tokens = tokens_of(event.response)
        usage = [ChatChunk(usage=self.tokens or Tokens())] if self._options.include_usage else []
        if cut:
            return usage
        complete = isinstance(event, ResponseCompleted)
        chunks = self._whole_items(self._missing_items(event.response))
        chunks += self.text.close()
        chunks += self._call_chunks(self.calls.close(complete=complete))
        if complete and not self.text.any_text and not self.calls.any_whole:
            raise self._empty()
        reason = self._reason("stop")
        if not complete and not self.text.stopped:
            short = FINISH_REASONS.get(incomplete_reason(event.response), "length")
            reason = self._reason(short)
        return [*chunks, *self._cited(), ChatChunk(finish_reason=reason), *usage]

    def _reason(self, otherwise: str) -> str:
        """The finish reason: `tool_calls` for complete calls, unless one was cut, as it must not run."""
        if not self.calls.any_whole or self.calls.any_half:
            return otherwise
        return "function_call" if self._options.legacy_functions else "tool_calls"

    def _cited(self) -> list[ChatChunk]:
        """All citations in one chunk: the Python SDK cannot merge a second list of them."""
        citations = tuple(self.text.citations)
        return [ChatChunk(citations=citations)] if citations else []

    def _whole_items(self, items: list[Raw]) -> list[ChatChunk]:
        """Chunks of the items of the finished response that no event has brought."""
        return [
            chunk for i, raw in enumerate(items) for chunk in self._item_done(decode_item(raw), i)
        ]
