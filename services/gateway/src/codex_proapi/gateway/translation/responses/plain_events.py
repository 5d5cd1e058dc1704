"""Events that a `ResponseStream` would pass on as they are: recognised without a dict of them.

A rule reads an event in the shape that nearly all have, looks at what the answer has of its item, and
notes there what `ResponseStream.feed` would. An event has to go through the stream if it has another
shape, an id, an index or a name that would change, or something before it that upstream left out.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta, Raw

from codex_proapi.gateway.formats.openai.responses import PUBLIC_EVENTS
from codex_proapi.gateway.translation.responses.items import ID_LIMIT, NULL, Part, ResponseItems
from codex_proapi.gateway.translation.responses.missing_events import (
    BY_DELTA,
    BY_DONE,
    Body,
    PartKind,
)
from codex_proapi.gateway.translation.stream.event_translator import first_lines
from codex_proapi.gateway.translation.stream.response_facts import (
    NAME_LIMIT,
    RESPONSE_FIELDS,
    ResponseFacts,
)
from codex_proapi.gateway.translation.stream.token_usage import PlainUsage

Rule = tuple[Callable[[bytes], Any], Callable[[ResponseItems, Any, bytes], bool]]
"""What reads an event's payload, or raises a `ValueError`; and what says whether the event passes as it
is, by the items of the answer, where it is noted if it does. The latter gets the payload, too."""
_Id = Annotated[str, Meta(min_length=1, max_length=ID_LIMIT)]
_Some = Annotated[str, Meta(min_length=1)]
_Index = Annotated[int, Meta(ge=0)]


class _Item(msgspec.Struct, kw_only=True, gc=False, tag_field="type"):
    """An item at its beginning or end, with every field that clients require."""

    kind: ClassVar[str]
    id: _Id
    name: str = ""
    namespace: str | None = None


class _Text(msgspec.Struct, gc=False):
    type: Literal["output_text"]
    text: str


class _Summary(msgspec.Struct, gc=False):
    type: Literal["summary_text"]
    text: str


class _Message(_Item, kw_only=True, gc=False, tag="message"):
    kind = "message"
    status: _Some
    role: Raw
    content: list[_Text]

    def is_told(self, delivered: set[Part]) -> bool:
        """Whether deltas of all its text were sent."""
        for i, part in enumerate(self.content):
            if part.text and ("content_index", i) not in delivered:
                return False
        return True


class _Reasoning(_Item, kw_only=True, gc=False, tag="reasoning"):
    kind = "reasoning"
    summary: list[_Summary]
    content: None = None

    def is_told(self, delivered: set[Part]) -> bool:
        """Whether deltas of all its summary were sent."""
        for i, part in enumerate(self.summary):
            if part.text and ("summary_index", i) not in delivered:
                return False
        return True


class _Call(_Item, kw_only=True, gc=False, tag="function_call"):
    kind = "function_call"
    status: _Some
    call_id: _Some
    arguments: str

    def is_told(self, delivered: set[Part]) -> bool:
        """Whether a delta of its arguments was sent."""
        return not self.arguments or ("", 0) in delivered


class _Event(msgspec.Struct, kw_only=True, gc=False):
    sequence_number: int
    output_index: _Index


class _ItemAdded(_Event, kw_only=True, gc=False):
    type: Literal["response.output_item.added"]
    item: _Message | _Reasoning | _Call


class _ItemDone(_Event, kw_only=True, gc=False):
    type: Literal["response.output_item.done"]
    item: _Message | _Reasoning | _Call


class _OfItem(_Event, kw_only=True, gc=False):
    item_id: str


class _TextShape(msgspec.Struct, gc=False):
    type: Literal["output_text"]


class _SummaryShape(msgspec.Struct, gc=False):
    type: Literal["summary_text"]


class _TextAdded(_OfItem, kw_only=True, gc=False):
    numbered: ClassVar[str] = "content_index"
    type: Literal["response.content_part.added"]
    number: _Index = msgspec.field(name="content_index")
    part: _TextShape


class _SummaryAdded(_OfItem, kw_only=True, gc=False):
    numbered: ClassVar[str] = "summary_index"
    type: Literal["response.reasoning_summary_part.added"]
    number: _Index = msgspec.field(name="summary_index")
    part: _SummaryShape


class _TextDone(_OfItem, kw_only=True, gc=False):
    kind: ClassVar[PartKind] = BY_DONE["response.output_text.done"]
    type: Literal["response.output_text.done"]
    number: _Index = msgspec.field(name="content_index")
    whole: str = msgspec.field(name="text")
    logprobs: Raw


class _SummaryDone(_OfItem, kw_only=True, gc=False):
    kind: ClassVar[PartKind] = BY_DONE["response.reasoning_summary_text.done"]
    type: Literal["response.reasoning_summary_text.done"]
    number: _Index = msgspec.field(name="summary_index")
    whole: str = msgspec.field(name="text")


class _ArgumentsDone(_OfItem, kw_only=True, gc=False):
    kind: ClassVar[PartKind] = BY_DONE["response.function_call_arguments.done"]
    type: Literal["response.function_call_arguments.done"]
    number: ClassVar[int] = 0
    whole: str = msgspec.field(name="arguments")


class _WithResponse(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["response.created", "response.in_progress", "response.completed"]
    response: dict[str, Raw]
    sequence_number: int


_read_with_response: Final = msgspec.json.Decoder(_WithResponse).decode
LOOKED_AT: Final = ("id", "model", "status", "output", "usage")
_read_any: Final = msgspec.json.Decoder().decode
_read_usage: Final = msgspec.json.Decoder(PlainUsage | None).decode


def event_with_response(name: str, payload: bytes) -> tuple[Body, dict[str, Raw]] | None:
    """An event of this name in its order of fields, and its response object; None for any other."""
    try:
        event = _read_with_response(payload)
    except ValueError:
        return None
    if event.type != name:
        return None
    response: Any = event.response
    if payload.startswith(b'{"type":"%b","sequence_number":' % name.encode()):
        return {"type": name, "sequence_number": 0, "response": response}, response
    return {"type": name, "response": response, "sequence_number": 0}, response


def response_of(fields: dict[str, Raw]) -> tuple[Body, ResponseFacts] | None:
    """A response object with most fields as they came, and its facts; None if one is not as it should be.

    Its instructions and tools are the client's own, and may be long.
    """
    if not RESPONSE_FIELDS.issuperset(fields):
        return None
    try:
        body: Body = {**fields}
        for name in LOOKED_AT:
            if name in fields:
                body[name] = _read_any(fields[name])
        usage = _read_usage(fields.get("usage", NULL))
    except ValueError:
        return None
    response_id, model = body.get("id"), body.get("model")
    if not (isinstance(response_id, str) and isinstance(model, str)):
        return None
    tokens = None if usage is None else usage.tokens()
    return body, ResponseFacts(response_id[:NAME_LIMIT], model[:NAME_LIMIT], tokens)


def _item_added(items: ResponseItems, event: _ItemAdded, payload: bytes) -> bool:
    item, index = event.item, event.output_index
    if items.changes(item.name, item.namespace) or items.knows(item.id, index):
        return False
    items.add(item.id, index, kind=item.kind).begun = payload
    return True


def _item_done(items: ResponseItems, event: _ItemDone, payload: bytes) -> bool:
    item = event.item
    state = items.by_id.get(item.id)
    if (
        state is None
        or state.whole is not None
        or (state.index, state.type) != (event.output_index, item.kind)
        or items.changes(item.name, item.namespace)
        or not item.is_told(state.delivered)
    ):
        return False
    state.whole = payload
    return True


def _part_added(items: ResponseItems, event: _TextAdded | _SummaryAdded, _: bytes) -> bool:
    state, part = items.by_id.get(event.item_id), (event.numbered, event.number)
    if state is None or state.index != event.output_index or part in state.announced:
        return False
    state.announced.add(part)
    return True


def _part_done(
    items: ResponseItems, event: _TextDone | _SummaryDone | _ArgumentsDone, _: bytes
) -> bool:
    state, part, kind = (
        items.by_id.get(event.item_id),
        (event.kind.numbered, event.number),
        event.kind,
    )
    if state is None or state.index != event.output_index:
        return False
    if (kind.part and part not in state.announced) or (event.whole and part not in state.delivered):
        return False
    state.ends[part] = kind, event.whole
    return True


def _about_item(items: ResponseItems, event: _OfItem, _: bytes) -> bool:
    """The rule of an event of which nothing is noted."""
    state = items.by_id.get(event.item_id)
    return state is not None and state.index == event.output_index


def _shape_about_item(name: str) -> type[msgspec.Struct]:
    fields = [("type", Literal[name])]
    return msgspec.defstruct("_AboutItem", fields, bases=(_OfItem,), kw_only=True, gc=False)


_NOTED: Final[
    dict[str, tuple[type[msgspec.Struct], Callable[[ResponseItems, Any, bytes], bool]]]
] = {
    "response.output_item.added": (_ItemAdded, _item_added),
    "response.output_item.done": (_ItemDone, _item_done),
    "response.content_part.added": (_TextAdded, _part_added),
    "response.reasoning_summary_part.added": (_SummaryAdded, _part_added),
    "response.output_text.done": (_TextDone, _part_done),
    "response.reasoning_summary_text.done": (_SummaryDone, _part_done),
    "response.function_call_arguments.done": (_ArgumentsDone, _part_done),
}
_OF_THE_ANSWER: Final = frozenset(
    (
        *("error", "response.created", "response.queued", "response.in_progress"),
        *("response.completed", "response.incomplete", "response.failed"),
    )
)
RULES: Final[dict[bytes, Rule]] = {
    first_lines(name): (msgspec.json.Decoder(shape).decode, passes)
    for name, (shape, passes) in (
        *_NOTED.items(),
        *(
            (name, (_shape_about_item(name), _about_item))
            for name in PUBLIC_EVENTS - _OF_THE_ANSWER - BY_DELTA.keys() - BY_DONE.keys()
            if name not in _NOTED
        ),
    )
}
"""The rules, by the lines that an event begins with."""
