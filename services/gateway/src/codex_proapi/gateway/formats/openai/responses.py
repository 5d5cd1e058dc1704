"""Answers of the Responses dialect: the public events and the required fields of a response.

Clients generated from the public schema fail for missing or unknown values: the Node SDK's helper
throws for an unknown event, Zed for an `output` that is null.
"""

from collections.abc import Mapping
from typing import Any, Final

from codex_proapi.commons.runtime.lenient_json import write

PUBLIC_EVENTS: Final = frozenset(
    (
        "error",
        "response.audio.delta",
        "response.audio.done",
        "response.audio.transcript.delta",
        "response.audio.transcript.done",
        "response.code_interpreter_call.completed",
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call.interpreting",
        "response.code_interpreter_call_code.delta",
        "response.code_interpreter_call_code.done",
        "response.completed",
        "response.content_part.added",
        "response.content_part.done",
        "response.created",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.failed",
        "response.file_search_call.completed",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.image_generation_call.completed",
        "response.image_generation_call.generating",
        "response.image_generation_call.in_progress",
        "response.image_generation_call.partial_image",
        "response.in_progress",
        "response.incomplete",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "response.mcp_call.in_progress",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_list_tools.completed",
        "response.mcp_list_tools.failed",
        "response.mcp_list_tools.in_progress",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.annotation.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.queued",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.refusal.delta",
        "response.refusal.done",
        "response.web_search_call.completed",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
    )
)
"""The events of the public API, as the SDKs of November 2026 know them."""

VENDOR_EVENTS: Final = frozenset(
    ("keepalive", "responsesapi.websocket_timing", "response.done", "[DONE]")
)
"""Other events of the backend, except those with a Struct of their own."""

ID_PREFIXES: Final = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "web_search_call": "ws",
    "image_generation_call": "ig",
    "compaction": "cmp",
}
"""Prefix of an item's id by its type; `item` for others."""

REQUIRED: Final[dict[str, Any]] = {
    "object": "response",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
"""Defaults of fields that must not be missing or null, beside id, model, created_at and status."""

OPTIONAL: Final[dict[str, Any]] = {
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "temperature": None,
    "top_p": None,
    "usage": None,
}
"""Fields that clients require, possibly null."""


def complete_response(
    response: Mapping[str, Any], *, known: Mapping[str, Any], status: str
) -> dict[str, Any]:
    """A response object with every field clients need.

    Missing and null fields are taken from `known` (id, model, created_at and fields of earlier
    events), else from the defaults. Its own status takes precedence over `status`.
    """
    whole: dict[str, Any] = {"id": "", "object": "response", **OPTIONAL, **known}
    whole["status"] = status
    if response:
        whole |= {name: value for name, value in response.items() if value is not None}
    for name, value in REQUIRED.items():
        if whole.get(name) is None:
            whole[name] = value
    return whole


def whole_usage(usage: object) -> dict[str, Any]:
    """A usage object with every count; upstream's other fields are kept."""
    provided: dict[str, Any] = usage if isinstance(usage, dict) else {}
    match provided:
        case {
            "input_tokens": int(),
            "input_tokens_details": {"cached_tokens": int()},
            "output_tokens": int(),
            "output_tokens_details": {"reasoning_tokens": int()},
            "total_tokens": int(),
        }:
            return dict(provided)  # as nearly all are
        case _:
            pass
    into = _counts(provided.get("input_tokens_details"), "cached_tokens")
    out = _counts(provided.get("output_tokens_details"), "reasoning_tokens")
    whole = _counts(provided, "input_tokens", "output_tokens")
    whole["input_tokens_details"] = into
    whole["output_tokens_details"] = out
    if not isinstance(whole.get("total_tokens"), int):
        whole["total_tokens"] = whole["input_tokens"] + whole["output_tokens"]
    return whole


def encode_response_event(body: Mapping[str, Any]) -> bytes:
    """Encode one event of a Responses stream; its `type` is its name."""
    return b"event: %b\ndata: %b\n\n" % (str(body["type"]).encode(), write(body))


def _counts(provided: object, *names: str) -> dict[str, Any]:
    whole = dict(provided) if isinstance(provided, dict) else {}
    for name in names:
        if not isinstance(whole.get(name), int):
            whole[name] = 0
    return whole
