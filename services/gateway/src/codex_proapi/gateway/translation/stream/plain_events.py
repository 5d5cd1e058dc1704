"""Events that are no deltas, in the shape that nearly all have: each is read in one step.

A payload of another shape, or with a field that has to be looked at, is refused with a `ValueError`;
it goes the way of every event, through `decode_block` and the state of the answer.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from codex_proapi.gateway.formats.codex.items import MessageItem
from codex_proapi.gateway.translation.stream.event_translator import first_lines
from codex_proapi.gateway.translation.stream.response_facts import plain_reader

CREATED_LINES: Final = first_lines("response.created")
COMPLETED_LINES: Final = first_lines("response.completed")
ITEM_ADDED_LINES: Final = first_lines("response.output_item.added")
ITEM_DONE_LINES: Final = first_lines("response.output_item.done")
TEXT_DONE_LINES: Final = first_lines("response.output_text.done")
SILENT_BEGINNINGS: Final = tuple(
    first_lines(name) + f'{{"type":"{name}",'.encode()
    for name in (
        "response.in_progress",
        "response.content_part.added",
        "response.content_part.done",
    )
)
"""How events begin that mean nothing to a client whose answer is one text; they are not decoded."""


class TextDone(msgspec.Struct, tag_field="type", tag="response.output_text.done", gc=False):
    """The whole text of one part."""

    text: str
    output_index: int
    content_index: int
    item_id: str | None = None


class MessageAdded(msgspec.Struct, tag_field="type", tag="response.output_item.added", gc=False):
    """A message begins."""

    item: MessageItem
    output_index: int | None = None


class _PlainText(msgspec.Struct, gc=False):
    """A part with nothing but text, without a citation."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[list[Any], Meta(max_length=0)]
    refusal: None = None


class _PlainMessage(msgspec.Struct, tag_field="type", tag="message", gc=False):
    """A message of one text."""

    content: Annotated[list[_PlainText], Meta(min_length=1, max_length=1)]
    id: str | None = None
    phase: Any = None


class MessageDone(msgspec.Struct, tag_field="type", tag="response.output_item.done", gc=False):
    """A message of one text is complete."""

    item: _PlainMessage
    output_index: int


read_created: Final = plain_reader("response.created")
read_completed: Final = plain_reader("response.completed")
read_text_done: Final = msgspec.json.Decoder(TextDone).decode
read_message_added: Final = msgspec.json.Decoder(MessageAdded).decode
read_message_done: Final = msgspec.json.Decoder(MessageDone).decode
