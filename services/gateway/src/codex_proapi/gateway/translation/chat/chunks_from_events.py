"""Translates upstream's events into chat chunks.

The states of an answer and their order are in `stream.answer_state`.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

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
    ReasoningItem,
    citation_of,
    decode_item,
)
from codex_proapi.gateway.formats.openai.chat_chunks import OPENING, CallDelta, ChatChunk
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.text import RAW, SUMMARY, ChatText
from codex_proapi.gateway.translation.chat.tool_calls import ChatToolCalls
from codex_proapi.gateway.translation.stream.answer_state import (
    AnswerStream,
    StopMet,
    part_position,
    summary_position,
)
from codex_proapi.gateway.translation.stream.stop_sequences import StopCutter
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

FINISH_REASONS: Final = {"content_filter": "content_filter"}
"""Upstream's `incomplete_details.reason` to the finish reason; `length` for others."""


class ChatStream(AnswerStream[ChatChunk]):
    """Translates the events of one answer for a chat client."""

    __slots__ = ("_fallback_id", "_options", "calls", "text")

    _opening = (OPENING,)

    def __init__(
        self, options: ChatOptions, *, report: ResponseReport, fallback_id: str = ""
    ) -> None:
        """Create the state of an answer; ids of calls without one are derived from `fallback_id`."""
        super().__init__(report)
        self.text = ChatText(
            cutter=StopCutter(options.stop) if any(options.stop) else None,
            refusal_as_refusal=options.refusal_as_refusal,
            structured=options.structured,
        )
        self.calls: ChatToolCalls | None = None
        """The calls; None while there is none."""
        self._options = options
        self._fallback_id = fallback_id

    def _text_delta(self, event: TextDelta) -> list[ChatChunk]:
        return self._cut(self.text.text_delta(event.delta, part_position(event)))

    def _text_done(self, event: TextDone) -> list[ChatChunk]:
        return self._cut(self.text.text_done(event.text, part_position(event)))

    def _refusal_delta(self, event: RefusalDelta) -> list[ChatChunk]:
        return self._cut(self.text.refusal_delta(event.delta, part_position(event)))

    def _refusal_done(self, event: RefusalDone) -> list[ChatChunk]:
        return self._cut(self.text.refusal_done(event.refusal, part_position(event)))

    def _reasoning_delta(self, event: ReasoningDelta) -> list[ChatChunk]:
        return self.text.reasoning_delta(event.delta, summary_position(event), SUMMARY)

    def _reasoning_done(self, event: ReasoningDone) -> list[ChatChunk]:
        return self.text.reasoning_done(event.text, summary_position(event), SUMMARY)

    def _raw_reasoning_delta(self, event: RawReasoningDelta) -> list[ChatChunk]:
        return self.text.reasoning_delta(event.delta, part_position(event), RAW)

    def _raw_reasoning_done(self, event: RawReasoningDone) -> list[ChatChunk]:
        return self.text.reasoning_done(event.text, part_position(event), RAW)

    def _annotation(self, event: AnnotationAdded) -> list[ChatChunk]:
        self.text.cite(citation_of(event.annotation))
        return []

    def _call_delta(self, event: ArgumentsDelta | InputDelta) -> list[ChatChunk]:
        calls = self._begun_calls()
        return self._call_chunks(calls.text(event.delta, event.item_id, event.output_index))

    def _arguments_done(self, event: ArgumentsDone) -> list[ChatChunk]:
        calls = self._begun_calls()
        return self._call_chunks(calls.end(event.arguments, event.item_id, event.output_index))

    def _input_done(self, event: InputDone) -> list[ChatChunk]:
        calls = self._begun_calls()
        return self._call_chunks(calls.end(event.input, event.item_id, event.output_index))

    def _item_added(self, event: ItemAdded) -> list[ChatChunk]:
        item = decode_item(event.item)
        if isinstance(item, MessageItem):
            self.text.message_added(item, event.output_index)
        elif isinstance(item, FunctionCallItem | CustomCallItem):
            return self._call_chunks(self._begun_calls().add(item, event.output_index))
        return []

    def _item_done(self, event: ItemDone) -> list[ChatChunk]:
        self.items_done = True
        return self._cut(self._whole_item(event.item, event.output_index))

    _takes: ClassVar[Mapping[type[UpstreamEvent], Callable[[Any, Any], list[ChatChunk]]]] = {
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
        InputDone: _input_done,
    }

    def _whole_item(self, raw: Raw, output_index: int | None) -> list[ChatChunk]:
        match decode_item(raw):
            case MessageItem() as item:
                return self.text.message_item(item, output_index)
            case ReasoningItem() as item:
                return self.text.reasoning_item(item, output_index)
            case FunctionCallItem() | CustomCallItem() as item:
                return self._call_chunks(self._begun_calls().done(item, output_index))
            case _:
                return []

    def _begun_calls(self) -> ChatToolCalls:
        """The calls, at the first event about one."""
        if self.calls is None:
            options = self._options
            custom = frozenset[str]() if options.custom_as_function else options.custom_tools
            self.calls = ChatToolCalls(
                rename=lambda name: options.tool_names.get(name, name),
                custom_tools=custom,
                legacy=options.legacy_functions,
                fallback_id=self._fallback_id,
            )
        return self.calls

    def _call_chunks(self, deltas: list[CallDelta]) -> list[ChatChunk]:
        """Calls as chunks, after the text held back before them."""
        held = self.text.flush() if deltas else []
        return held + [ChatChunk(call=delta) for delta in deltas]

    def _cut(self, chunks: list[ChatChunk]) -> list[ChatChunk]:
        """End the text behind these chunks if they have reached a stop sequence."""
        if not self.text.stopped:
            return chunks
        self._move(StopMet)
        return [*chunks, *self._cited(), ChatChunk(finish_reason=self._reason("stop"))]

    def _ending(
        self, event: ResponseCompleted | ResponseIncomplete, *, cut: bool
    ) -> list[ChatChunk]:
        usage: list[ChatChunk] = []
        if self._options.include_usage:
            usage.append(ChatChunk(usage=self.report.tokens or Tokens()))
        if cut:
            return usage
        complete = isinstance(event, ResponseCompleted)
        chunks: list[ChatChunk] = []
        if not self.items_done:
            for index, raw in enumerate(self._missing_items(event.response)):
                chunks += self._whole_item(raw, index)
        chunks += self.text.close()
        calls = self.calls
        if calls is not None:
            chunks += self._call_chunks(calls.close(complete=complete))
        if complete and not self.text.any_text and not (calls is not None and calls.any_whole):
            raise self._empty()
        reason = "stop"
        if not complete and not self.text.stopped:
            reason = FINISH_REASONS.get(self.report.code, "length")
        if self.text.citations:
            chunks += self._cited()
        if calls is not None:
            reason = self._reason(reason)
        return [*chunks, ChatChunk(finish_reason=reason), *usage]

    def _reason(self, otherwise: str) -> str:
        """The finish reason: `tool_calls` for complete calls, unless one was cut, as it must not run."""
        calls = self.calls
        if calls is None or not calls.any_whole or calls.any_half:
            return otherwise
        return "function_call" if self._options.legacy_functions else "tool_calls"

    def _cited(self) -> list[ChatChunk]:
        """All citations in one chunk: the Python SDK cannot merge a second list of them."""
        citations = tuple(self.text.citations)
        return [ChatChunk(citations=citations)] if citations else []
