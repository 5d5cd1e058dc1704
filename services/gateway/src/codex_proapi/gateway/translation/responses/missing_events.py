"""Creates the events that a Responses client expects and upstream left out.

Some clients build the answer from deltas alone and lose a call that came in one piece; SDK helpers
throw for a delta of an item or a part without an `added` event.
"""

from typing import Any, Final

import msgspec

from codex_proapi.gateway.translation.responses.items import (
    ItemState,
    Part,
    ResponseItems,
    item_of,
)

Body = dict[str, Any]


class PartKind(msgspec.Struct, frozen=True):
    """The events and fields of one kind of part that is streamed."""

    item: str
    """Type of the items that have such parts."""
    numbered: str
    """The field with the part's index; empty for calls, which have one part."""
    part: str
    """Type of the part."""
    delta: str
    """Name of the event with a delta of it."""
    done: str
    """Name of the event with its whole text."""
    whole: str
    """The field with its whole text, in that event and in the part or item."""


PART_KINDS: Final = (
    PartKind(
        "message",
        "content_index",
        "output_text",
        "response.output_text.delta",
        "response.output_text.done",
        "text",
    ),
    PartKind(
        "message",
        "content_index",
        "refusal",
        "response.refusal.delta",
        "response.refusal.done",
        "refusal",
    ),
    PartKind(
        "reasoning",
        "summary_index",
        "summary_text",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "text",
    ),
    PartKind(
        "reasoning",
        "content_index",
        "reasoning_text",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "text",
    ),
    PartKind(
        "function_call",
        "",
        "",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "arguments",
    ),
    PartKind(
        "custom_tool_call",
        "",
        "",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "input",
    ),
)

BY_DELTA: Final = {part_kind.delta: part_kind for part_kind in PART_KINDS}
BY_DONE: Final = {part_kind.done: part_kind for part_kind in PART_KINDS}
_BY_PART: Final = {(part_kind.item, part_kind.part): part_kind for part_kind in PART_KINDS}
_LISTS: Final = {"content_index": "content", "summary_index": "summary"}
_BEGINNINGS: Final[dict[str, Body]] = {
    "message": {"role": "assistant", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
}


def before_delta(part_kind: PartKind, body: Body, items: ResponseItems) -> list[Body] | None:
    """The events that must precede this delta, whose ids are set; None to skip the delta.

    A call without an `added` event has no name yet; it is sent with its finished item.
    """
    state, bodies = _item_of(part_kind, body, items)
    if state is None:
        return None
    part = _numbered(part_kind, body)
    state.delivered.add(part)
    return bodies + _announce(part_kind, state, part)


def before_done(part_kind: PartKind, body: Body, items: ResponseItems) -> list[Body] | None:
    """The same for a `done` event of a part: also a delta with its whole text, if none was sent."""
    state, bodies = _item_of(part_kind, body, items)
    if state is None:
        return None
    part = _numbered(part_kind, body)
    bodies += _announce(part_kind, state, part)
    whole = body.get(part_kind.whole)
    if isinstance(whole, str):
        state.ends[part] = part_kind, whole
        if whole and part not in state.delivered:
            state.delivered.add(part)
            bodies.append(_delta(part_kind, state, part, whole))
    return bodies


def before_item_done(item: Body, state: ItemState) -> list[Body]:
    """The events of a finished item that were not sent."""
    bodies: list[Body] = []
    for part_kind, part, whole in _parts(item):
        if part in state.delivered or not whole:
            continue
        bodies += _announce(part_kind, state, part)
        state.delivered.add(part)
        bodies.append(_delta(part_kind, state, part, whole))
        bodies.append(
            {"type": part_kind.done, **_ids(part_kind, state, part), part_kind.whole: whole}
        )
        if part_kind.part:
            bodies.append(_part_event("done", part_kind, state, part, whole))
    return bodies


def finished_item(state: ItemState) -> Body | None:
    """The item made of its parts, if all parts of which an event came have ended; else None."""
    if not state.ends or not state.delivered <= state.ends.keys():
        return None
    item = {**item_of(state.begun), "status": "completed"}
    for (numbered, _), (part_kind, text) in sorted(state.ends.items()):
        shape = _shape(part_kind, text)
        if numbered:
            field = _LISTS[numbered]
            item[field] = [*item.get(field, ()), shape]
        else:
            item |= shape
    return item


def part_added(body: Body, items: ResponseItems) -> list[Body]:
    """The `added` event of a part, after that of its item; nothing if it was sent."""
    part = body.get("part")
    kind = part.get("type") if isinstance(part, dict) else None
    part_kind = next(
        (part_kind for part_kind in PART_KINDS if kind and part_kind.part == kind), None
    )
    if part_kind is None:
        return [body]
    state, bodies = _item_of(part_kind, body, items)
    number = _numbered(part_kind, body)
    if state is None or number in state.announced:
        return bodies
    state.announced.add(number)
    return [*bodies, body]


def beginning_of(kind: str) -> Body:
    """The fields of an item of this type at its beginning, to which SDK helpers append."""
    return _BEGINNINGS.get(kind, {})


def item_added(item: Body, state: ItemState) -> Body:
    """The `added` event of an item of which only the end is known."""
    state.begun = {**item, "status": "in_progress", **beginning_of(state.type)}
    return {
        "type": "response.output_item.added",
        "output_index": state.index,
        "item": state.begun,
    }


def _parts(item: Body) -> list[tuple[PartKind, Part, str]]:
    """The streamed parts of a finished item, with their whole text."""
    kind = str(item.get("type", ""))
    if (call := _BY_PART.get((kind, ""))) is not None:
        whole = item.get(call.whole)
        return [(call, ("", 0), whole)] if isinstance(whole, str) else []
    found: list[tuple[PartKind, Part, str]] = []
    for numbered, field in _LISTS.items():
        parts = item.get(field)
        for i, part in enumerate(parts if isinstance(parts, list) else ()):
            if not isinstance(part, dict):
                continue
            part_kind = _BY_PART.get((kind, str(part.get("type", ""))))
            if part_kind is not None and part_kind.numbered == numbered:
                whole = part.get(part_kind.whole)
                found.append((part_kind, (numbered, i), whole if isinstance(whole, str) else ""))
    return found


def _item_of(
    part_kind: PartKind, body: Body, items: ResponseItems
) -> tuple[ItemState | None, list[Body]]:
    """The item of an event, whose ids are set, and the item's `added` event if it was not sent."""
    state = items.find(body, part_kind.item)
    bodies: list[Body] = []
    if state is None and part_kind.part:
        item = {"id": body.get("item_id"), "type": part_kind.item}
        state, _ = items.begin(item, body.get("output_index"))
        bodies.append(item_added(items.rendered(item, state), state))
    if state is not None:
        body |= _ids(part_kind, state, _numbered(part_kind, body))
        if part_kind.part == "output_text" and "part" not in body:
            body.setdefault("logprobs", [])
    return state, bodies


def _announce(part_kind: PartKind, state: ItemState, part: Part) -> list[Body]:
    if not part_kind.part or part in state.announced:
        return []
    state.announced.add(part)
    return [_part_event("added", part_kind, state, part, "")]


def _part_event(what: str, part_kind: PartKind, state: ItemState, part: Part, text: str) -> Body:
    family = "reasoning_summary_part" if part_kind.part == "summary_text" else "content_part"
    ids = _ids(part_kind, state, part)
    return {"type": f"response.{family}.{what}", **ids, "part": _shape(part_kind, text)}


def _shape(part_kind: PartKind, text: str) -> Body:
    """A part as it occurs in its item; of a call, the streamed field."""
    if not part_kind.part:
        return {part_kind.whole: text}
    shape: Body = {"type": part_kind.part, part_kind.whole: text}
    if part_kind.part == "output_text":
        shape |= {"annotations": [], "logprobs": []}
    return shape


def _delta(part_kind: PartKind, state: ItemState, part: Part, text: str) -> Body:
    body = {"type": part_kind.delta, **_ids(part_kind, state, part), "delta": text}
    if part_kind.part == "output_text":
        body["logprobs"] = []
    return body


def _ids(part_kind: PartKind, state: ItemState, part: Part) -> Body:
    ids: Body = {"item_id": state.id, "output_index": state.index}
    if part_kind.numbered:
        ids[part_kind.numbered] = part[1]
    return ids


def _numbered(part_kind: PartKind, body: Body) -> Part:
    number = body.get(part_kind.numbered)
    return part_kind.numbered, number if isinstance(number, int) and number >= 0 else 0
