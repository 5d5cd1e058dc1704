"""What the backend says, event by event, as JSON objects: for transcripts written by hand."""

from typing import Any

Body = dict[str, Any]

USAGE: Body = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 8},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


def created(**fields: Any) -> Body:
    response = {"id": "resp_1", "object": "response", "created_at": 7, "model": "gpt-5.5"}
    return {"type": "response.created", "response": {**response, "status": "in_progress", **fields}}


def text(delta: str, *, item: str = "msg_1", at: int = 0, part: int = 0) -> Body:
    return {
        "type": "response.output_text.delta",
        "item_id": item,
        "output_index": at,
        "content_index": part,
        "delta": delta,
        "logprobs": [],
    }


def text_done(whole: str, *, item: str = "msg_1", at: int = 0, part: int = 0) -> Body:
    return {
        "type": "response.output_text.done",
        "item_id": item,
        "output_index": at,
        "content_index": part,
        "text": whole,
        "logprobs": [],
    }


def thought(delta: str, *, item: str = "rs_1", at: int = 0, part: int = 0) -> Body:
    return {
        "type": "response.reasoning_summary_text.delta",
        "item_id": item,
        "output_index": at,
        "summary_index": part,
        "delta": delta,
    }


def refusal(delta: str, *, item: str = "msg_1", at: int = 0) -> Body:
    return {
        "type": "response.refusal.delta",
        "item_id": item,
        "output_index": at,
        "content_index": 0,
        "delta": delta,
    }


def message(*texts: str, id_: str = "msg_1", annotations: tuple[Body, ...] = ()) -> Body:
    parts = [{"type": "output_text", "text": t, "annotations": list(annotations)} for t in texts]
    return {
        "id": id_,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": parts,
    }


def reasoning(*summaries: str, id_: str = "rs_1") -> Body:
    parts = [{"type": "summary_text", "text": summary} for summary in summaries]
    return {"id": id_, "type": "reasoning", "summary": parts, "encrypted_content": "gAAAA"}


def call(name: str, arguments: str = "", *, id_: str = "fc_1", call_id: str = "call_1") -> Body:
    return {
        "id": id_,
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def custom(name: str, input_: str = "", *, id_: str = "ctc_1", call_id: str = "call_1") -> Body:
    return {
        "id": id_,
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "input": input_,
    }


def added(item: Body, *, at: int = 0) -> Body:
    return {"type": "response.output_item.added", "output_index": at, "item": item}


def done(item: Body, *, at: int = 0) -> Body:
    return {"type": "response.output_item.done", "output_index": at, "item": item}


def arguments(delta: str, *, item: str = "fc_1", at: int = 0) -> Body:
    return {
        "type": "response.function_call_arguments.delta",
        "item_id": item,
        "output_index": at,
        "delta": delta,
    }


def arguments_done(whole: str, *, item: str = "fc_1", at: int = 0) -> Body:
    return {
        "type": "response.function_call_arguments.done",
        "item_id": item,
        "output_index": at,
        "arguments": whole,
    }


def input_(delta: str, *, item: str = "ctc_1", at: int = 0) -> Body:
    return {
        "type": "response.custom_tool_call_input.delta",
        "item_id": item,
        "output_index": at,
        "delta": delta,
    }


def completed(*output: Body, **fields: Any) -> Body:
    response = {"id": "resp_1", "status": "completed", "model": "gpt-5.5", "output": list(output)}
    return {"type": "response.completed", "response": {**response, "usage": USAGE, **fields}}


def incomplete(reason: str = "max_output_tokens", **fields: Any) -> Body:
    response = {
        "id": "resp_1",
        "status": "incomplete",
        "incomplete_details": {"reason": reason},
        "output": [],
        "usage": USAGE,
    }
    return {"type": "response.incomplete", "response": {**response, **fields}}


def failed(code: str = "server_error", message: str = "Something broke.", **fields: Any) -> Body:
    error = {"code": code, "message": message}
    response = {"id": "resp_1", "status": "failed", "error": error, **fields}
    return {"type": "response.failed", "response": response}


def rate_limits(used: int = 42) -> Body:
    window = {"used_percent": used, "window_minutes": 300, "reset_at": 1_700_000_000}
    return {
        "type": "codex.rate_limits",
        "plan_type": "plus",
        "rate_limits": {"allowed": True, "primary": window, "secondary": None},
    }
