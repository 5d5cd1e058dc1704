"""The finished output item of each part of an answer, and the events that build it up. Pure."""

import msgspec

from codex_proapi.simulator.answers.parts import (
    Answer,
    Call,
    Compaction,
    Message,
    Reasoning,
    Search,
)
from codex_proapi.simulator.backend.events import Envelope, Event, StreamEvent
from codex_proapi.simulator.state.seals import seal


def item_and_events(
    part: Answer, index: int, envelope: Envelope
) -> tuple[Event, list[StreamEvent]]:
    """The finished item of one part and the events that build it up."""
    token = envelope.response_id.removeprefix("resp_")[:24]
    match part:
        case Reasoning():
            return _reasoning(part, index, f"rs_{token}{index}", envelope)
        case Message():
            return _message(part, index, f"msg_{token}{index}")
        case Call():
            return _call(part, index, f"{token}{index}")
        case Search():
            return _search(part, index, f"ws_{token}{index}")
        case Compaction():
            item: Event = {
                "id": f"cmp_{token}{index}",
                "type": "compaction",
                "encrypted_content": seal(envelope.workspace, part.text),
            }
            return item, [StreamEvent(event=_done(item, index), is_delta=True)]


def _reasoning(
    part: Reasoning, index: int, item_id: str, envelope: Envelope
) -> tuple[Event, list[StreamEvent]]:
    begun = {"id": item_id, "type": "reasoning", "summary": []}
    item: Event = {
        "id": item_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in part.summary],
    }
    if "reasoning.encrypted_content" in envelope.request.get("include", []):
        item["encrypted_content"] = seal(envelope.workspace, "\n".join(part.summary) or "thoughts")
    lines = [StreamEvent(event=_added(begun, index))]
    for number, text in enumerate(part.summary):
        at = {"item_id": item_id, "output_index": index, "summary_index": number}
        kind = "response.reasoning_summary"
        empty, full = {"type": "summary_text", "text": ""}, {"type": "summary_text", "text": text}
        lines.append(StreamEvent(event={"type": f"{kind}_part.added", **at, "part": empty}))
        lines += [
            StreamEvent(event={"type": f"{kind}_text.delta", **at, "delta": piece}, is_delta=True)
            for piece in _pieces(text)
        ]
        lines.append(StreamEvent(event={"type": f"{kind}_text.done", **at, "text": text}))
        lines.append(StreamEvent(event={"type": f"{kind}_part.done", **at, "part": full}))
    return item, [*lines, StreamEvent(event=_done(item, index))]


def _message(part: Message, index: int, item_id: str) -> tuple[Event, list[StreamEvent]]:
    at = {"item_id": item_id, "output_index": index, "content_index": 0}
    annotations = _citations(part)
    if part.refusal:
        kind, field = "response.refusal", "refusal"
        empty: Event = {"type": "refusal", "refusal": ""}
        full: Event = {"type": "refusal", "refusal": part.text}
    else:
        kind, field = "response.output_text", "text"
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        full = {**empty, "text": part.text, "annotations": annotations}
    begun = {
        "id": item_id,
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "phase": part.phase,
        "content": [],
    }
    item = {**begun, "status": "completed", "content": [full]}
    extra: Event = {} if part.refusal else {"logprobs": []}
    lines = [
        StreamEvent(event=_added(begun, index)),
        StreamEvent(event={"type": "response.content_part.added", **at, "part": empty}),
    ]
    lines += [
        StreamEvent(
            event={"type": f"{kind}.delta", **at, "delta": piece, **extra, "obfuscation": "x8Kd"},
            is_delta=True,
        )
        for piece in _pieces(part.text)
    ]
    lines += [
        StreamEvent(
            event={
                "type": "response.output_text.annotation.added",
                **at,
                "annotation_index": number,
                "annotation": annotation,
            }
        )
        for number, annotation in enumerate(annotations)
    ]
    lines += [
        StreamEvent(event={"type": f"{kind}.done", **at, field: part.text, **extra}),
        StreamEvent(event={"type": "response.content_part.done", **at, "part": full}),
        StreamEvent(event=_done(item, index)),
    ]
    return item, lines


def _citations(part: Message) -> list[Event]:
    if not part.citation:
        return []
    return [
        {
            "type": "url_citation",
            "url": part.citation,
            "title": "Example Domain",
            "start_index": 0,
            "end_index": len(part.text),
        }
    ]


def _call(part: Call, index: int, token: str) -> tuple[Event, list[StreamEvent]]:
    if part.name == "tool_search":
        return _tool_search(part, index, token)
    prefix = "ctc" if part.custom else "fc"
    field = "input" if part.custom else "arguments"
    kind = "custom_tool_call" if part.custom else "function_call"
    delta = "response.custom_tool_call_input" if part.custom else "response.function_call_arguments"
    item: Event = {
        "id": f"{prefix}_{token}",
        "type": kind,
        "status": "completed",
        field: part.arguments,
        "call_id": f"call_{token}",
        "name": part.name,
    }
    if part.namespace:
        item["namespace"] = part.namespace
    at = {"item_id": item["id"], "output_index": index}
    begun = {**item, "status": "in_progress", field: ""}
    lines = [StreamEvent(event=_added(begun, index))]
    lines += [
        StreamEvent(
            event={"type": f"{delta}.delta", **at, "delta": piece, "obfuscation": "Qm2"},
            is_delta=True,
        )
        for piece in _pieces(part.arguments, size=12)
    ]
    lines.append(StreamEvent(event={"type": f"{delta}.done", **at, field: part.arguments}))
    return item, [*lines, StreamEvent(event=_done(item, index))]


def _tool_search(part: Call, index: int, token: str) -> tuple[Event, list[StreamEvent]]:
    item: Event = {
        "id": f"tsc_{token}",
        "type": "tool_search_call",
        "status": "completed",
        "execution": "client",
        "arguments": msgspec.json.decode(part.arguments),
        "call_id": f"call_{token}",
    }
    begun = {**item, "status": "in_progress", "arguments": {}}
    return item, [StreamEvent(event=_added(begun, index)), StreamEvent(event=_done(item, index))]


def _search(part: Search, index: int, item_id: str) -> tuple[Event, list[StreamEvent]]:
    at = {"output_index": index, "item_id": item_id}
    item = {
        "id": item_id,
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": part.query},
    }
    begun = {"id": item_id, "type": "web_search_call", "status": "in_progress"}
    steps = [
        StreamEvent(event={"type": f"response.web_search_call.{step}", **at})
        for step in ("in_progress", "searching", "completed")
    ]
    return item, [
        StreamEvent(event=_added(begun, index)),
        *steps,
        StreamEvent(event=_done(item, index)),
    ]


def _added(item: Event, index: int) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def _done(item: Event, index: int) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def _pieces(text: str, size: int = 0) -> list[str]:
    """Text in deltas: words with the space before them, or pieces of a size."""
    if size:
        return [text[at : at + size] for at in range(0, len(text), size)] or [""]
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]
