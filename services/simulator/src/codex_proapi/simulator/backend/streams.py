"""An answer as the backend streams it: events in order, numbered, and their bytes.

Pure. Faults that change the order or leave events out are applied here; cutting and waiting are not.
"""

from typing import Any

import msgspec

from codex_proapi.simulator.backend.answer_parts import (
    Answer,
    Call,
    Compaction,
    Reasoning,
    Search,
    Words,
)
from codex_proapi.simulator.backend.seals import seal
from codex_proapi.simulator.faults import Fault
from codex_proapi.simulator.refusals import FAILURE_MESSAGES

Event = dict[str, Any]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one response that all its events share."""

    response_id: str
    """`resp_…`."""
    created_at: int
    """Seconds since the epoch."""
    request: dict[str, Any]
    """The body asked."""
    workspace: str
    """Whose seal the encrypted items get."""
    model: str
    """The answering model."""
    usage: dict[str, Any]
    """Tokens."""
    rate_limits: Event | None = None
    """The vendor event with the quota."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One event with what delivery must know about it."""

    event: Event
    speaks: bool = False
    """Whether it is a delta: faults count these."""


def compose(answer: list[Answer], envelope: Envelope, fault: Fault) -> list[Line]:
    """All events of a stream, numbered."""
    lines = [_opening(envelope, "response.created")]
    if fault.vendor_events and envelope.rate_limits is not None:
        lines.append(Line(event=envelope.rate_limits))
    lines.append(_opening(envelope, "response.in_progress"))
    if fault.vendor_events:
        lines.append(Line(event={"type": "keepalive"}))
    said = [] if fault.empty else answer
    blocks, items = [], []
    for index, part in enumerate(said):
        item, block = _block(part, index, envelope)
        items.append(item)
        blocks.append(_without(block, fault))
    lines += _ordered(blocks, fault.order)
    lines += _closing(envelope, items, fault, answer)
    if fault.failure:
        lines = _failing(lines, envelope, fault)
    return _numbered(lines)


def encode_line(line: Line, framing: str) -> bytes:
    """The bytes of one event."""
    data = msgspec.json.encode(line.event)
    name = str(line.event["type"]).encode()
    match framing:
        case "crlf":
            return b"event: " + name + b"\r\ndata: " + data + b"\r\n\r\n"
        case "cr":
            return b"event: " + name + b"\rdata: " + data + b"\r\r"
        case "data_only":
            return b"data: " + data + b"\n\n"
        case "multi_line":
            head, _, tail = data.partition(b",")
            return b"event: " + name + b"\ndata: " + head + b",\ndata: " + tail + b"\n\n"
        case _:
            return b"event: " + name + b"\ndata: " + data + b"\n\n"


def _response(envelope: Envelope, status: str) -> dict[str, Any]:
    asked = envelope.request
    return {
        "id": envelope.response_id,
        "object": "response",
        "created_at": envelope.created_at,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions", ""),
        "max_output_tokens": None,
        "model": envelope.model,
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls", False),
        "previous_response_id": None,
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None, **asked.get("reasoning", {})},
        "safety_identifier": None,
        "service_tier": asked.get("service_tier", "default"),
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "low", **asked.get("text", {})},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def _opening(envelope: Envelope, kind: str) -> Line:
    return Line(event={"type": kind, "response": _response(envelope, "in_progress")})


def _closing(
    envelope: Envelope, items: list[Event], fault: Fault, answer: list[Answer]
) -> list[Line]:
    calls = any(isinstance(part, Call) for part in answer)
    response = {**_response(envelope, "completed"), "end_turn": not calls}
    response["output"] = {"full": items, "null": None}.get(fault.output, [])
    response["usage"] = envelope.usage if fault.usage else None
    kind = "response.completed"
    if fault.terminal in ("length", "content_filter"):
        reason = "max_output_tokens" if fault.terminal == "length" else "content_filter"
        kind = "response.incomplete"
        response |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
    closing = Line(event={"type": kind, "response": response})
    match fault.terminal:
        case "none":
            return []
        case "twice":
            return [closing, closing]
        case _:
            return [closing]


def _failing(lines: list[Line], envelope: Envelope, fault: Fault) -> list[Line]:
    """The stream up to so many deltas, then the failure and nothing more."""
    kept: list[Line] = []
    spoken = 0
    for line in lines:
        if line.event["type"] in _TERMINALS or (line.speaks and spoken >= fault.words):
            break
        if fault.words == 0 and line.event["type"] not in _HARMLESS:
            break
        spoken += line.speaks
        kept.append(line)
    code = fault.failure
    message = fault.message or FAILURE_MESSAGES.get(code, "Something went wrong.")
    error = {"code": code, "message": message}
    response = {**_response(envelope, "failed"), "error": error}
    failed = Line(event={"type": "response.failed", "response": response})
    nested = {"type": "error", "error": {"type": _family(code), **error, "param": None}}
    match fault.form:
        case "error":
            return [*kept, Line(event=nested)]
        case "error_flat":
            return [*kept, Line(event={"type": "error", **error, "param": None})]
        case "both":
            return [*kept, Line(event=nested), failed]
        case _:
            return [*kept, failed]


def _family(code: str) -> str:
    if code in ("context_length_exceeded", "invalid_prompt", "cyber_policy"):
        return "invalid_request_error"
    return code if code == "usage_limit_reached" else "server_error"


_TERMINALS = ("response.completed", "response.incomplete")
_HARMLESS = ("response.created", "response.in_progress", "codex.rate_limits", "keepalive")


def _numbered(lines: list[Line]) -> list[Line]:
    """Sequence numbers for all but the vendor's events; the type stays first."""
    numbered, number = [], 0
    for line in lines:
        kind = line.event["type"]
        if kind == "codex.rate_limits":
            numbered.append(line)
            continue
        rest = {key: value for key, value in line.event.items() if key != "type"}
        event = {"type": kind, "sequence_number": number, **rest}
        numbered.append(Line(event=event, speaks=line.speaks))
        number += 1
    return numbered


def _without(block: list[Line], fault: Fault) -> list[Line]:
    if not fault.item_done:
        block = [line for line in block if line.event["type"] != "response.output_item.done"]
    if not fault.deltas:
        block = [line for line in block if line.event["type"].startswith("response.output_item.")]
        # Without deltas the finished item is what speaks.
        block = [
            Line(event=line.event, speaks=line.event["type"].endswith(".done")) for line in block
        ]
    return block


def _ordered(blocks: list[list[Line]], order: str) -> list[Line]:
    if order == "interleaved":
        turns = max((len(block) for block in blocks), default=0)
        return [block[turn] for turn in range(turns) for block in blocks if turn < len(block)]
    if order == "done_first":
        heads = [line for block in blocks for line in block[:-1]]
        return heads + [block[-1] for block in reversed(blocks) if block]
    return [line for block in blocks for line in block]


def _block(part: Answer, index: int, envelope: Envelope) -> tuple[Event, list[Line]]:
    """The finished item of one part and the events that tell it."""
    token = envelope.response_id.removeprefix("resp_")[:24]
    match part:
        case Reasoning():
            return _reasoning(part, index, f"rs_{token}{index}", envelope)
        case Words():
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
            return item, [Line(event=_done(item, index), speaks=True)]


def _reasoning(
    part: Reasoning, index: int, item_id: str, envelope: Envelope
) -> tuple[Event, list[Line]]:
    begun = {"id": item_id, "type": "reasoning", "summary": []}
    item: Event = {
        "id": item_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in part.summary],
    }
    if "reasoning.encrypted_content" in envelope.request.get("include", []):
        item["encrypted_content"] = seal(envelope.workspace, "\n".join(part.summary) or "thoughts")
    lines = [Line(event=_added(begun, index))]
    for number, text in enumerate(part.summary):
        at = {"item_id": item_id, "output_index": index, "summary_index": number}
        kind = "response.reasoning_summary"
        empty, full = {"type": "summary_text", "text": ""}, {"type": "summary_text", "text": text}
        lines.append(Line(event={"type": f"{kind}_part.added", **at, "part": empty}))
        lines += [
            Line(event={"type": f"{kind}_text.delta", **at, "delta": piece}, speaks=True)
            for piece in _pieces(text)
        ]
        lines.append(Line(event={"type": f"{kind}_text.done", **at, "text": text}))
        lines.append(Line(event={"type": f"{kind}_part.done", **at, "part": full}))
    return item, [*lines, Line(event=_done(item, index))]


def _message(part: Words, index: int, item_id: str) -> tuple[Event, list[Line]]:
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
        Line(event=_added(begun, index)),
        Line(event={"type": "response.content_part.added", **at, "part": empty}),
    ]
    lines += [
        Line(
            event={"type": f"{kind}.delta", **at, "delta": piece, **extra, "obfuscation": "x8Kd"},
            speaks=True,
        )
        for piece in _pieces(part.text)
    ]
    lines += [
        Line(
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
        Line(event={"type": f"{kind}.done", **at, field: part.text, **extra}),
        Line(event={"type": "response.content_part.done", **at, "part": full}),
        Line(event=_done(item, index)),
    ]
    return item, lines


def _citations(part: Words) -> list[Event]:
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


def _call(part: Call, index: int, token: str) -> tuple[Event, list[Line]]:
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
    lines = [Line(event=_added(begun, index))]
    lines += [
        Line(
            event={"type": f"{delta}.delta", **at, "delta": piece, "obfuscation": "Qm2"},
            speaks=True,
        )
        for piece in _pieces(part.arguments, size=12)
    ]
    lines.append(Line(event={"type": f"{delta}.done", **at, field: part.arguments}))
    return item, [*lines, Line(event=_done(item, index))]


def _search(part: Search, index: int, item_id: str) -> tuple[Event, list[Line]]:
    at = {"output_index": index, "item_id": item_id}
    item = {
        "id": item_id,
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": part.query},
    }
    begun = {"id": item_id, "type": "web_search_call", "status": "in_progress"}
    steps = [
        Line(event={"type": f"response.web_search_call.{step}", **at})
        for step in ("in_progress", "searching", "completed")
    ]
    return item, [Line(event=_added(begun, index)), *steps, Line(event=_done(item, index))]


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
