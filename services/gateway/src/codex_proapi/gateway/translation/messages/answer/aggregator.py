"""Aggregates upstream's bytes into one message, for a client without a stream.

It aggregates the events that a stream would have, so both have the same content.
"""

from typing import Any, NoReturn

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.anthropic.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    StreamEvent,
    empty_message,
    usage_of,
)
from codex_proapi.gateway.translation.messages.answer.events_from_upstream import MessagesStream
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.tool_arguments import arguments_of
from codex_proapi.gateway.translation.stream.answer_translator import AnswerTranslator

FIELD_OF_DELTA = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}
"""Type of a delta to its field with the text, and the block's field that it extends."""


class Folded:
    """The message made of the events of one answer."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        """The message so far."""
        self._pieces: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return f"<Folded {len(self.message.get('content', ()))} blocks>"

    def add(self, event: StreamEvent) -> None:
        """Add the next event."""
        match event:
            case MessageStart():
                self.message = empty_message(event)
            case BlockStart(block=block):
                self.message["content"].append(dict(block))
            case BlockDelta(delta=delta):
                source, target = FIELD_OF_DELTA[delta["type"]]
                self._pieces.setdefault(target, []).append(delta[source])
            case BlockStop():
                self._close(self.message["content"][-1])
            case MessageDelta():
                self._end(event)
            case _:
                pass

    def _close(self, block: dict[str, Any]) -> None:
        for field, pieces in self._pieces.items():
            text = "".join(pieces)
            block[field] = arguments_of(text) or {} if field == "input" else text
        self._pieces.clear()

    def _end(self, event: MessageDelta) -> None:
        self.message["stop_reason"] = event.stop_reason
        self.message["stop_sequence"] = event.stop_sequence
        if event.tokens is not None:
            self.message["usage"] = usage_of(event.tokens, web_searches=event.web_searches)
        if event.safeguard_results:
            self.message["safeguard_results"] = event.safeguard_results


class MessagesAggregator(AnswerTranslator[StreamEvent]):
    """Aggregates one answer for a client of the Messages API."""

    def __init__(self, options: MessagesOptions, *, message_id: str, model: str) -> None:
        """Arguments as for `MessagesTranslator`."""
        super().__init__()
        self._stream = MessagesStream(
            options, report=self.report, message_id=message_id, model=model
        )
        self._folded = Folded()

    def finish(self) -> bytes:
        """Return the message as JSON, once `done` or when upstream has closed.

        Raises `Truncated` if the answer is incomplete.
        """
        super().finish()
        return write(self._folded.message)

    def fail(self, error: GatewayError) -> NoReturn:
        """Raise the error: an aggregator has no stream to write it into."""
        super().fail(error)
        raise error

    def _write(self, events: list[StreamEvent]) -> bytes:
        for event in events:
            self._folded.add(event)
        return b""

    def _error(self, _: GatewayError) -> bytes:
        return b""
