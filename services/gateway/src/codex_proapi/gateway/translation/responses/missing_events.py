"""Events a Responses client waits for and upstream left out, made from what it did say.

Some clients build the answer from deltas alone and lose a call that came in one piece; SDK helpers
throw at a delta for an item or a part that was never announced.
"""

from typing import Any, Final

import msgspec

from codex_proapi.gateway.translation.responses.items import Part, Passing, ResponseItems

Body = dict[str, Any]


class Telling(msgspec.Struct, frozen=True):
    """How one kind of part is told, piece by piece."""

    item: str
    """Type of the items that have such parts."""
    numbered: str
    """The field with the part's number; empty for calls, which are one part."""
    part: str
    """Type of the part."""
    delta: str
    """Name of the event with a piece of it."""
    done: str
    """Name of the event with all of it."""
    whole: str
    """The field with all of it, in that event and in the part or item itself."""


TELLINGS: Final = (
    Telling(
        "message",
        "content_index",
        "output_text",
        "response.output_text.delta",
        "response.output_text.done",
        "text",
    ),
    Telling(
        "message",
        "content_index",
        "refusal",
        "response.refusal.delta",
        "response.refusal.done",
        "refusal",
    ),
    Telling(
        "reasoning",
        "summary_index",
        "summary_text",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "text",
    ),
    Telling(
        "reasoning",
        "content_index",
        "reasoning_text",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "text",
    ),
    Telling(
        "function_call",
        "",
        "",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "arguments",
    ),
    Telling(
        "custom_tool_call",
        "",
        "",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "input",
    ),
)

BY_DELTA: Final = {telling.delta: telling for telling in TELLINGS}
BY_DONE: Final = {telling.done: telling for telling in TELLINGS}
_BY_PART: Final = {(telling.item, telling.part): telling for telling in TELLINGS}
_LISTS: Final = {"content_index": "content", "summary_index": "summary"}
_BEGINNINGS: Final[dict[str, Body]] = {
    "message": {"role": "assistant", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
}


def before_delta(telling: Telling, body: Body, items: ResponseItems) -> list[Body] | None:
    """What must be told before this delta, which gets its ids; None if it cannot be told yet.

    A call that was not announced has no name; all of it will come with its finished item.
    """
    passing, bodies = _item_of(telling, body, items)
    if passing is None:
        return None
    part = _numbered(telling, body)
    passing.delivered.add(part)
    return bodies + _announce(telling, passing, part)


def before_done(telling: Telling, body: Body, items: ResponseItems) -> list[Body] | None:
    """The same for an event with all of a part: a delta with all of it, if none was told."""
    passing, bodies = _item_of(telling, body, items)
    if passing is None:
        return None
    part = _numbered(telling, body)
    bodies += _announce(telling, passing, part)
    whole = body.get(telling.whole)
    if isinstance(whole, str):
        passing.ends[part] = _shape(telling, whole)
        if whole and part not in passing.delivered:
            passing.delivered.add(part)
            bodies.append(_delta(telling, passing, part, whole))
    return bodies


def before_item_done(item: Body, passing: Passing) -> list[Body]:
    """What was not told of a finished item."""
    bodies: list[Body] = []
    for telling, part, whole in _parts(item):
        if part in passing.delivered or not whole:
            continue
        bodies += _announce(telling, passing, part)
        passing.delivered.add(part)
        bodies.append(_delta(telling, passing, part, whole))
        bodies.append({"type": telling.done, **_ids(telling, passing, part), telling.whole: whole})
        if telling.part:
            bodies.append(_part_event("done", telling, passing, part, whole))
    return bodies


def finished_item(passing: Passing) -> Body | None:
    """The item that these parts make, if the ends of all that was heard of it were told."""
    if not passing.ends or not passing.delivered <= passing.ends.keys():
        return None
    item = {**passing.begun, "status": "completed"}
    for (numbered, _), shape in sorted(passing.ends.items()):
        if numbered:
            field = _LISTS[numbered]
            item[field] = [*item.get(field, ()), shape]
        else:
            item |= shape
    return item


def part_added(body: Body, items: ResponseItems) -> list[Body]:
    """The beginning of a part, after that of its item, once."""
    part = body.get("part")
    kind = part.get("type") if isinstance(part, dict) else None
    telling = next((telling for telling in TELLINGS if kind and telling.part == kind), None)
    if telling is None:
        return [body]
    passing, bodies = _item_of(telling, body, items)
    number = _numbered(telling, body)
    if passing is None or number in passing.announced:
        return bodies
    passing.announced.add(number)
    return [*bodies, body]


def beginning_of(kind: str) -> Body:
    """The fields an item of this type begins with, which SDK helpers add to."""
    return _BEGINNINGS.get(kind, {})


def item_added(item: Body, passing: Passing) -> Body:
    """The beginning of an item of which only the end is known."""
    passing.begun = {**item, "status": "in_progress", **beginning_of(passing.type)}
    return {
        "type": "response.output_item.added",
        "output_index": passing.index,
        "item": passing.begun,
    }


def _parts(item: Body) -> list[tuple[Telling, Part, str]]:
    """The parts of a finished item that are told piece by piece, with all of their text."""
    kind = str(item.get("type", ""))
    if (call := _BY_PART.get((kind, ""))) is not None:
        whole = item.get(call.whole)
        return [(call, ("", 0), whole)] if isinstance(whole, str) else []
    found: list[tuple[Telling, Part, str]] = []
    for numbered, field in _LISTS.items():
        parts = item.get(field)
        for i, part in enumerate(parts if isinstance(parts, list) else ()):
            if not isinstance(part, dict):
                continue
            telling = _BY_PART.get((kind, str(part.get("type", ""))))
            if telling is not None and telling.numbered == numbered:
                whole = part.get(telling.whole)
                found.append((telling, (numbered, i), whole if isinstance(whole, str) else ""))
    return found


def _item_of(
    telling: Telling, body: Body, items: ResponseItems
) -> tuple[Passing | None, list[Body]]:
    """The item of an event, announced if need be; the event gets its ids."""
    passing = items.find(body)
    bodies: list[Body] = []
    if passing is None and telling.part:
        item = {"id": body.get("item_id"), "type": telling.item}
        passing, _ = items.begin(item, body.get("output_index"))
        bodies.append(item_added(items.rendered(item, passing), passing))
    if passing is not None:
        body |= _ids(telling, passing, _numbered(telling, body))
        if telling.part == "output_text" and "part" not in body:
            body.setdefault("logprobs", [])
    return passing, bodies


def _announce(telling: Telling, passing: Passing, part: Part) -> list[Body]:
    if not telling.part or part in passing.announced:
        return []
    passing.announced.add(part)
    return [_part_event("added", telling, passing, part, "")]


def _part_event(what: str, telling: Telling, passing: Passing, part: Part, text: str) -> Body:
    family = "reasoning_summary_part" if telling.part == "summary_text" else "content_part"
    ids = _ids(telling, passing, part)
    return {"type": f"response.{family}.{what}", **ids, "part": _shape(telling, text)}


def _shape(telling: Telling, text: str) -> Body:
    """A part as it stands in its item; of a call, the field that is told."""
    if not telling.part:
        return {telling.whole: text}
    shape: Body = {"type": telling.part, telling.whole: text}
    if telling.part == "output_text":
        shape |= {"annotations": [], "logprobs": []}
    return shape


def _delta(telling: Telling, passing: Passing, part: Part, text: str) -> Body:
    body = {"type": telling.delta, **_ids(telling, passing, part), "delta": text}
    if telling.part == "output_text":
        body["logprobs"] = []
    return body


def _ids(telling: Telling, passing: Passing, part: Part) -> Body:
    ids: Body = {"item_id": passing.id, "output_index": passing.index}
    if telling.numbered:
        ids[telling.numbered] = part[1]
    return ids


def _numbered(telling: Telling, body: Body) -> Part:
    number = body.get(telling.numbered)
    return telling.numbered, number if isinstance(number, int) and number >= 0 else 0
