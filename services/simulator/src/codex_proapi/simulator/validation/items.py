"""What the backend refuses about input items, with its messages."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from codex_proapi.simulator.state.refusals import REFUSALS, Circumstance, detail, invalid
from codex_proapi.simulator.state.seals import is_sealed_by
from codex_proapi.simulator.validation.values import (
    Refused,
    check_length,
    check_name,
    refuse_missing,
    refuse_type,
    refuse_unknown_keys,
    refuse_value,
)

ANYBODY = ""
"""Instead of a workspace: whose seal it is does not matter."""
ID_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctc",
    "tool_search_call": "tsc",
    "tool_search_output": "tso",
    "web_search_call": "ws",
    "image_generation_call": "ig",
    "compaction": "cmp",
    "additional_tools": "at",
}
CALLS = {
    "function_call": "function call",
    "custom_tool_call": "custom tool call",
    "tool_search_call": "tool search call",
}
OUTPUTS = {
    "function_call_output": "function_call",
    "custom_tool_call_output": "custom_tool_call",
    "tool_search_output": "tool_search_call",
}
_PASSING = frozenset(
    {
        *("web_search_call", "image_generation_call", "local_shell_call"),
        *("local_shell_call_output", "agent_message"),
        *("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"),
    }
)
_ITEM_KEYS = {
    "message": {"type", "role", "content", "id", "status", "phase"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status"},
    "function_call_output": {"type", "id", "call_id", "output", "status"},
    "custom_tool_call": {"type", "id", "call_id", "name", "input", "status"},
    "custom_tool_call_output": {"type", "id", "call_id", "output", "status"},
    "tool_search_call": {"type", "id", "call_id", "execution", "arguments", "status"},
    "tool_search_output": {"type", "id", "call_id", "execution", "tools", "status"},
    "compaction": {"type", "id", "encrypted_content"},
    "compaction_trigger": {"type"},
    "additional_tools": {"type", "id", "role", "tools"},
}
_EVERYWHERE = {"internal_chat_message_metadata_passthrough"}
_INPUT_PARTS = {
    "input_text": {"type", "text"},
    "input_image": {"type", "image_url", "detail", "file_id"},
    "input_file": {"type", "file_id", "file_data", "filename", "file_url"},
}
_OUTPUT_PARTS = {
    "output_text": {"type", "text", "annotations", "logprobs"},
    "refusal": {"type", "refusal"},
}
_DETAILS = ("low", "high", "auto", "original")
_IMAGES = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,")
_ID_CHARACTERS = re.compile(r"[A-Za-z0-9_-]+")
_MAX_ID = 64


def check_items(items: list[Any], *, workspace: str, lite: bool) -> None:
    """Refuse the first bad item, then calls without outputs and outputs without calls."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        where = f"input[{index}]"
        if not isinstance(item, dict):
            refuse_type(where, "an object", item)
        kind = _kind_of(item, where=where)
        _check_position(kind, index=index, last=index == len(items) - 1, lite=lite)
        _check_id(item, kind, where=where, seen=seen)
        known = _ITEM_KEYS.get(kind)
        if known is not None:
            extra = {"namespace"} if lite and kind in CALLS else set()
            refuse_unknown_keys(item, known | extra | _EVERYWHERE, where=where)
        _check_item(item, kind, where=where, workspace=workspace, lite=lite)
    _check_pairs(items)


def _kind_of(item: dict[str, Any], *, where: str) -> str:
    kind = item.get("type")
    if kind is None:
        if "role" in item:
            return "message"
        param = f"{where}.type"
        refuse_missing(param)
    if kind == "item_reference":
        raise Refused(
            invalid(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` "
                "is set to false. Try again with `store` set to true, or remove this item from "
                "your input.",
                param="input",
                status=404,
            )
        )
    if kind not in _ITEM_KEYS and kind not in _PASSING:
        supported = ", ".join(f"'{name}'" for name in sorted({*_ITEM_KEYS, *_PASSING}))
        refuse_value(
            f"Invalid value: {kind!r}. Supported values are: {supported}.", f"{where}.type"
        )
    return str(kind)


def _check_position(kind: str, *, index: int, last: bool, lite: bool) -> None:
    if kind == "compaction_trigger" and not last:
        refuse_value("'compaction_trigger' must be the last item.", f"input[{index}]")
    if kind == "additional_tools" and (index != 0 or not lite):
        refuse_value(
            "Invalid value: 'additional_tools' is only supported as the first item of a "
            "Responses-Lite request.",
            f"input[{index}].type",
        )


def _check_id(item: dict[str, Any], kind: str, *, where: str, seen: set[str]) -> None:
    if "id" not in item:
        return
    identity, param = item["id"], f"{where}.id"
    if not isinstance(identity, str):
        refuse_type(param, "a string", identity)
    check_length(identity, param=param, limit=_MAX_ID)
    prefix = ID_PREFIXES.get(kind, "")
    if not identity.startswith(prefix):
        refuse_value(
            f"Invalid '{param}': '{identity}'. Expected an ID that begins with '{prefix}'.", param
        )
    if not _ID_CHARACTERS.fullmatch(identity):
        refuse_value(
            f"Invalid '{param}': '{identity}'. Expected an ID that contains letters, numbers, "
            "underscores, or dashes, but this value contained additional characters.",
            param,
        )
    if identity in seen:
        raise Refused(
            invalid(
                f"Duplicate item found with id {identity}. Remove duplicate items from your input "
                "and try again.",
                param="input",
            )
        )
    seen.add(identity)


def _check_item(item: dict[str, Any], kind: str, *, where: str, workspace: str, lite: bool) -> None:
    match kind:
        case "message":
            _check_message(item, where=where, lite=lite)
        case "reasoning":
            _check_reasoning(item, where=where)
            _check_sealed(item, workspace=workspace)
        case "compaction":
            _require_text(item, "encrypted_content", where=where)
            _check_sealed(item, workspace=workspace)
        case "function_call":
            _check_call_id(item, where=where)
            check_name(item.get("name"), where=where)
            _require_text(item, "arguments", where=where)
        case "custom_tool_call":
            _check_call_id(item, where=where)
            check_name(item.get("name"), where=where)
            _require_text(item, "input", where=where)
        case "tool_search_call" | "tool_search_output":
            _check_tool_search(item, kind, where=where)
        case "function_call_output" | "custom_tool_call_output":
            _check_call_id(item, where=where)
            _check_output(item, where=where, lite=lite)
        case _:
            pass


def _check_tool_search(item: dict[str, Any], kind: str, *, where: str) -> None:
    _check_call_id(item, where=where)
    if kind == "tool_search_call" and not isinstance(item.get("arguments"), dict):
        refuse_type(f"{where}.arguments", "an object", item.get("arguments"))
    if kind == "tool_search_output" and not isinstance(item.get("tools"), list):
        refuse_type(f"{where}.tools", "an array", item.get("tools"))


def _check_message(item: dict[str, Any], *, where: str, lite: bool) -> None:
    role = item.get("role")
    if role == "system":
        raise Refused(detail("System messages are not allowed"))
    if role not in ("user", "developer", "assistant"):
        refuse_value(
            f"Invalid value: {role!r}. Supported values are: 'assistant', 'developer', and 'user'.",
            f"{where}.role",
        )
    if item.get("phase") is not None and (
        role != "assistant" or item["phase"] not in ("commentary", "final_answer")
    ):
        refuse_value(f"Invalid value: {item['phase']!r}.", f"{where}.phase")
    content = item.get("content")
    if isinstance(content, str):
        return
    if content is None:
        param = f"{where}.content"
        refuse_missing(param)
    if not isinstance(content, list):
        refuse_type(f"{where}.content", "one of an array or string", content)
    allowed = _OUTPUT_PARTS if role == "assistant" else _INPUT_PARTS
    _check_parts(content, allowed, where=f"{where}.content", lite=lite)


def _check_parts(parts: list[Any], allowed: dict[str, set[str]], *, where: str, lite: bool) -> None:
    for index, part in enumerate(parts):
        here = f"{where}[{index}]"
        if not isinstance(part, dict):
            refuse_type(here, "an object", part)
        kind = part.get("type")
        if kind not in allowed:
            names = _in_words(allowed)
            refuse_value(f"Invalid value: {kind!r}. Supported values are: {names}.", here)
        if "prompt_cache_breakpoint" in part:
            raise Refused(invalid("prompt_cache_breakpoint is not supported on this model"))
        refuse_unknown_keys(part, allowed[kind], where=here)
        match kind:
            case "input_text" | "output_text":
                _require_text(part, "text", where=here)
            case "refusal":
                _require_text(part, "refusal", where=here)
            case "input_image":
                _check_image(part, where=here, lite=lite)
            case "input_file":
                _check_file(part, where=here)
            case _:
                pass


def _check_image(part: dict[str, Any], *, where: str, lite: bool) -> None:
    if "detail" in part:
        if lite:
            refuse_value(f"Unknown parameter: '{where}.detail'.", where, "unknown_parameter")
        if part["detail"] not in _DETAILS:
            refuse_value(f"Invalid value: {part['detail']!r}.", f"{where}.detail")
    if isinstance(part.get("file_id"), str):
        return
    url = part.get("image_url")
    if not isinstance(url, str):
        refuse_type(f"{where}.image_url", "a string", url)
    if url.startswith("https://"):
        return
    if not url.startswith("data:"):
        refuse_value(
            f"Invalid '{where}.image_url'. Expected a valid URL, but got a value with an invalid "
            "format.",
            f"{where}.image_url",
        )
    lead = _IMAGES.match(url)
    if lead is None or not _is_base64(url[lead.end() :]):
        raise Refused(REFUSALS["invalid_image"](Circumstance()))


def _check_file(part: dict[str, Any], *, where: str) -> None:
    if isinstance(part.get("file_id"), str):
        return
    if not isinstance(part.get("file_data"), str) or not isinstance(part.get("filename"), str):
        refuse_missing(f"{where}.file_id")


def _check_reasoning(item: dict[str, Any], *, where: str) -> None:
    summary = item.get("summary")
    if summary is None:
        param = f"{where}.summary"
        refuse_missing(param)
    if not isinstance(summary, list):
        refuse_type(f"{where}.summary", "an array", summary)
    for index, part in enumerate(summary):
        if not isinstance(part, dict) or part.get("type") != "summary_text":
            refuse_value(
                "Invalid value. Supported values are: 'summary_text'.", f"{where}.summary[{index}]"
            )
    if item.get("encrypted_content") is None and isinstance(item.get("id"), str):
        raise Refused(
            invalid(
                f"Item with id '{item['id']}' not found. Items are not persisted when `store` is "
                "set to false. Try again with `store` set to true, or remove this item from your "
                "input.",
                param="input",
                status=404,
            )
        )


def _check_sealed(item: dict[str, Any], *, workspace: str) -> None:
    sealed = item.get("encrypted_content")
    if sealed is None or workspace == ANYBODY:
        return
    if not isinstance(sealed, str) or not is_sealed_by(workspace, sealed):
        raise Refused(REFUSALS["invalid_encrypted_content"](Circumstance()))


def _check_call_id(item: dict[str, Any], *, where: str) -> None:
    _require_text(item, "call_id", where=where)
    check_length(item["call_id"], param=f"{where}.call_id", limit=_MAX_ID)
    if not item["call_id"]:
        refuse_value(
            f"Invalid '{where}.call_id': empty string.", f"{where}.call_id", "empty_string"
        )


def _check_output(item: dict[str, Any], *, where: str, lite: bool) -> None:
    output, param = item.get("output"), f"{where}.output"
    if "output" not in item:
        refuse_missing(param)
    if isinstance(output, list):
        _check_parts(output, _INPUT_PARTS, where=param, lite=lite)
    elif not isinstance(output, str):
        refuse_type(param, "one of an array or string", output)


def _check_pairs(items: list[dict[str, Any]]) -> None:
    open_calls: dict[tuple[str, str], None] = {}
    known: set[tuple[str, str]] = set()
    for item in items:
        kind = item.get("type", "")
        if kind in CALLS:
            mark = (kind, item["call_id"])
            if mark in known:
                raise Refused(
                    invalid(f"Duplicate call_id {item['call_id']} in input.", param="input")
                )
            known.add(mark)
            open_calls[mark] = None
        elif kind in OUTPUTS:
            mark = (OUTPUTS[kind], item["call_id"])
            if mark not in known:
                name = CALLS[OUTPUTS[kind]]
                raise Refused(
                    invalid(
                        f"No tool call found for {name} output with call_id {item['call_id']}.",
                        param="input",
                    )
                )
            open_calls.pop(mark, None)
    if open_calls:
        kind, call_id = next(iter(open_calls))
        raise Refused(invalid(f"No tool output found for {CALLS[kind]} {call_id}.", param="input"))


def _require_text(value: dict[str, Any], key: str, *, where: str) -> None:
    param = f"{where}.{key}"
    if key not in value:
        refuse_missing(param)
    if not isinstance(value[key], str):
        refuse_type(param, "a string", value[key])


def _in_words(names: Iterable[str]) -> str:
    *most, last = (f"'{name}'" for name in names)
    return f"{', '.join(most)} and {last}" if most else last


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
