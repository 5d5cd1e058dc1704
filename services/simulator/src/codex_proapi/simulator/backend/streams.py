"""The numbered events of one response, with the changes of a fault. Pure.

Faults that change the order, leave events out or add some are applied here; waiting and cutting
the connection are the work of `delivery`.
"""

from typing import Any

from codex_proapi.simulator.answers.parts import Answer, Call
from codex_proapi.simulator.backend.events import Envelope, Event, StreamEvent
from codex_proapi.simulator.backend.item_events import item_and_events
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.refusals import FAILURE_MESSAGES


def compose(answer: list[Answer], envelope: Envelope, fault: Fault) -> list[StreamEvent]:
    """All events of a stream, numbered."""
    lines = [_opening(envelope, "response.created")]
    if fault.quota in ("both", "event"):
        lines += _quota(envelope, fault)
    lines.append(_opening(envelope, "response.in_progress"))
    if fault.vendor_events:
        lines.append(StreamEvent(event={"type": "keepalive"}))
    said = [] if fault.empty else answer
    blocks, items = [], []
    for index, part in enumerate(said):
        item, block = item_and_events(part, index, envelope)
        items.append(item)
        blocks.append(_without(block, fault))
    lines += _ordered(blocks, fault.order)
    if fault.quota == "late":
        lines += _quota(envelope, fault)
    lines += _closing(envelope, items, fault, answer)
    if fault.failure:
        lines = _failing(lines, envelope, fault)
    if fault.unknown_events:
        lines = [each for line in lines for each in (line, StreamEvent(event=_UNKNOWN))][:-1]
    if fault.done_ids == "other":
        lines = [_with_other_id(line) for line in lines]
    return _numbered(lines)


_UNKNOWN: Event = {
    "type": "response.future_thing.delta",
    "item_id": "ft_1",
    "output_index": 0,
    "delta": "of a type that nobody knows",
}


def _quota(envelope: Envelope, fault: Fault) -> list[StreamEvent]:
    """The vendor's event with the quota, if such events are sent at all."""
    if not fault.vendor_events or envelope.rate_limits is None:
        return []
    return [StreamEvent(event=envelope.rate_limits)]


def _with_other_id(line: StreamEvent) -> StreamEvent:
    """A finished item under another id than it was added under, as the backend was seen to send."""
    if line.event["type"] != "response.output_item.done":
        return line
    item = {**line.event["item"], "id": f"{line.event['item']['id']}_done"}
    return StreamEvent(event={**line.event, "item": item}, is_delta=line.is_delta)


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


def _opening(envelope: Envelope, kind: str) -> StreamEvent:
    return StreamEvent(event={"type": kind, "response": _response(envelope, "in_progress")})


def _closing(
    envelope: Envelope, items: list[Event], fault: Fault, answer: list[Answer]
) -> list[StreamEvent]:
    calls = any(isinstance(part, Call) for part in answer)
    response = {**_response(envelope, "completed"), "end_turn": not calls}
    response["output"] = {"full": items, "null": None}.get(fault.output, [])
    response["usage"] = envelope.usage if fault.usage else None
    kind = "response.completed"
    if fault.terminal in ("length", "content_filter"):
        reason = "max_output_tokens" if fault.terminal == "length" else "content_filter"
        kind = "response.incomplete"
        response |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
    closing = StreamEvent(event={"type": kind, "response": response})
    match fault.terminal:
        case "none":
            return []
        case "twice":
            return [closing, closing]
        case _:
            return [closing]


def _failing(lines: list[StreamEvent], envelope: Envelope, fault: Fault) -> list[StreamEvent]:
    """The stream up to a number of deltas, then a failure as its last event."""
    kept: list[StreamEvent] = []
    deltas = 0
    for line in lines:
        if line.event["type"] in _TERMINALS or (line.is_delta and deltas >= fault.words):
            break
        if fault.words == 0 and line.event["type"] not in _HARMLESS:
            break
        deltas += line.is_delta
        kept.append(line)
    code = fault.failure
    message = fault.message or FAILURE_MESSAGES.get(code, "Something went wrong.")
    error = {"code": code, "message": message}
    response = {**_response(envelope, "failed"), "error": error}
    failed = StreamEvent(event={"type": "response.failed", "response": response})
    nested = {"type": "error", "error": {"type": _family(code), **error, "param": None}}
    match fault.form:
        case "error":
            return [*kept, StreamEvent(event=nested)]
        case "error_flat":
            return [*kept, StreamEvent(event={"type": "error", **error, "param": None})]
        case "both":
            return [*kept, StreamEvent(event=nested), failed]
        case _:
            return [*kept, failed]


def _family(code: str) -> str:
    if code in ("context_length_exceeded", "invalid_prompt", "cyber_policy"):
        return "invalid_request_error"
    return code if code == "usage_limit_reached" else "server_error"


_TERMINALS = ("response.completed", "response.incomplete")
_HARMLESS = ("response.created", "response.in_progress", "codex.rate_limits", "keepalive")


def _numbered(lines: list[StreamEvent]) -> list[StreamEvent]:
    """Sequence numbers for all but the vendor's events; the type stays first."""
    numbered, number = [], 0
    for line in lines:
        kind = line.event["type"]
        if kind == "codex.rate_limits":
            numbered.append(line)
            continue
        rest = {key: value for key, value in line.event.items() if key != "type"}
        event = {"type": kind, "sequence_number": number, **rest}
        numbered.append(StreamEvent(event=event, is_delta=line.is_delta))
        number += 1
    return numbered


def _without(block: list[StreamEvent], fault: Fault) -> list[StreamEvent]:
    if not fault.item_done:
        block = [line for line in block if line.event["type"] != "response.output_item.done"]
    if not fault.deltas:
        block = [line for line in block if line.event["type"].startswith("response.output_item.")]
        # Without deltas the finished item counts as one.
        block = [
            StreamEvent(event=line.event, is_delta=line.event["type"].endswith(".done"))
            for line in block
        ]
    return block


def _ordered(blocks: list[list[StreamEvent]], order: str) -> list[StreamEvent]:
    if order == "interleaved":
        turns = max((len(block) for block in blocks), default=0)
        return [block[turn] for turn in range(turns) for block in blocks if turn < len(block)]
    if order == "done_first":
        heads = [line for block in blocks for line in block[:-1]]
        return heads + [block[-1] for block in reversed(blocks) if block]
    return [line for block in blocks for line in block]
