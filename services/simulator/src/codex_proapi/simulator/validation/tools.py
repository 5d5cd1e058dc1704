"""What the backend refuses about tools and JSON Schemas, with its messages."""

import re
from typing import Any, NoReturn

from codex_proapi.simulator.state.refusals import detail
from codex_proapi.simulator.validation.values import (
    Refused,
    check_name,
    refuse_missing,
    refuse_type,
    refuse_unknown_keys,
    refuse_value,
)

HOSTED_TOOLS = frozenset({"web_search", "image_generation", "tool_search", "local_shell"})
LITE_TOOLS = frozenset({"function", "custom", "namespace", "tool_search"})
_TOOL_KEYS = {
    "function": {"type", "name", "description", "strict", "parameters", "defer_loading"},
    "custom": {"type", "name", "description", "format", "defer_loading"},
    "namespace": {"type", "name", "description", "tools"},
    "web_search": {
        *("type", "external_web_access", "search_content_types", "filters"),
        *("user_location", "search_context_size"),
    },
    "image_generation": {
        *("type", "output_format", "model", "size", "quality", "background", "moderation"),
        *("output_compression", "partial_images", "input_fidelity", "input_image_mask"),
    },
    "tool_search": {"type", "execution", "description", "parameters"},
    "local_shell": {"type"},
}
_LOOKAROUND = re.compile(r"\(\?[=!<]|\\[1-9]|\\p\{")
_TOP_LEVEL_FORBIDDEN = ("oneOf", "anyOf", "allOf", "enum", "not")


def check_tools(tools: Any, *, where: str, lite: bool, reserved: bool) -> list[dict[str, Any]]:
    """Refuse a bad tool list; give the tools flat, with namespaces resolved."""
    if not isinstance(tools, list):
        refuse_type(where, "an array", tools)
    if not tools and (lite or reserved):
        refuse_value(f"Invalid '{where}': empty array.", where, "empty_array")
    flat: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        flat += _check_tool(tool, where=f"{where}[{index}]", lite=lite)
    return flat


def check_strict_schema(schema: Any, *, where: str, subject: str, code: str) -> None:
    """Refuse a schema that `strict` does not allow."""
    _walk_strict(schema, (), _Complaint(where=where, subject=subject, code=code))


class _Complaint:
    """Says what is wrong with the schema of one subject."""

    def __init__(self, *, where: str, subject: str, code: str) -> None:
        self._where, self._subject, self._code = where, subject, code

    def __call__(self, path: tuple[str, ...], what: str) -> NoReturn:
        refuse_value(
            f"Invalid schema for {self._subject}: In context={path!r}, {what}",
            self._where,
            self._code,
        )

    def plainly(self, what: str) -> NoReturn:
        refuse_value(
            f"Invalid schema for {self._subject}: {what}",
            self._where,
            self._code,
        )


def _check_tool(tool: Any, *, where: str, lite: bool) -> list[dict[str, Any]]:
    if not isinstance(tool, dict):
        refuse_type(where, "an object", tool)
    kind = tool.get("type")
    if kind is None:
        param = f"{where}.type"
        refuse_missing(param)
    if kind not in _TOOL_KEYS:
        raise Refused(detail(f"Unsupported tool type: {kind}"))
    if lite and kind not in LITE_TOOLS:
        refuse_value(
            f"Invalid value: '{kind}'. Hosted tools are not allowed in 'additional_tools'.",
            f"{where}.type",
        )
    if kind in ("function", "custom"):
        check_name(tool.get("name"), where=where)
    refuse_unknown_keys(tool, _TOOL_KEYS[kind], where=where)
    match kind:
        case "function":
            _check_function(tool, where=where)
            return [tool]
        case "custom":
            _check_custom(tool, where=where)
            return [tool]
        case "namespace":
            return _check_namespace(tool, where=where, lite=lite)
        case "tool_search" if tool.get("execution") == "client":
            return [{"name": "tool_search", "parameters": {"type": "object"}, **tool}]
        case _:
            return []


def _check_namespace(tool: dict[str, Any], *, where: str, lite: bool) -> list[dict[str, Any]]:
    check_name(tool.get("name"), where=where)
    inner = tool.get("tools")
    if not isinstance(inner, list):
        refuse_type(f"{where}.tools", "an array", inner)
    flat: list[dict[str, Any]] = []
    for index, part in enumerate(inner):
        if not isinstance(part, dict) or part.get("type") not in ("function", "custom"):
            refuse_value(
                "Namespaces hold function and custom tools only.", f"{where}.tools[{index}]"
            )
        found = _check_tool(part, where=f"{where}.tools[{index}]", lite=lite)
        flat += [{**one, "namespace": tool["name"]} for one in found]
    return flat


def _check_custom(tool: dict[str, Any], *, where: str) -> None:
    form = tool.get("format", {"type": "text"})
    if not isinstance(form, dict):
        refuse_type(f"{where}.format", "an object", form)
    if form.get("type") == "text":
        return
    if form.get("type") != "grammar":
        refuse_value(
            f"Invalid value: {form.get('type')!r}. Supported values are: 'text' and 'grammar'.",
            f"{where}.format.type",
        )
    if form.get("syntax") not in ("lark", "regex") or not isinstance(form.get("definition"), str):
        refuse_value("Invalid grammar.", f"{where}.format", "invalid_grammar")


def _check_function(tool: dict[str, Any], *, where: str) -> None:
    param = f"{where}.parameters"
    complain = _Complaint(
        where=param, subject=f"function '{tool['name']}'", code="invalid_function_parameters"
    )
    if "parameters" not in tool:
        refuse_missing(param)
    schema = tool["parameters"]
    for key in ("description", "strict"):
        expected = str if key == "description" else bool
        if tool.get(key) is not None and not isinstance(tool[key], expected):
            refuse_type(f"{where}.{key}", f"a {expected.__name__}", tool[key])
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind != "object":
        got = "None" if kind is None else kind
        complain.plainly(
            f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
        )
    if "properties" not in schema:
        complain((), "object schema missing properties.")
    if any(word in schema for word in _TOP_LEVEL_FORBIDDEN):
        complain.plainly(
            "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' "
            "at the top level."
        )
    _walk_schema(schema, (), complain)
    if tool.get("strict"):
        _walk_strict(schema, (), complain)


def _walk_schema(schema: Any, path: tuple[str, ...], complain: _Complaint) -> None:
    """What is refused in any schema: arrays of nothing, foreign regular expressions."""
    if not isinstance(schema, dict):
        if not isinstance(schema, bool):
            complain(path, f"{schema!r} is not of type 'object', 'boolean'.")
        return
    types = schema.get("type")
    if types == "array" and "items" not in schema and "prefixItems" not in schema:
        complain(path, "array schema missing items.")
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _is_plain_regex(pattern):
        complain(path, f"'{pattern}' is not a 'regex'.")
    for step, inner in _parts(schema):
        _walk_schema(inner, (*path, *step), complain)


def _walk_strict(schema: Any, path: tuple[str, ...], complain: _Complaint) -> None:
    """What only `strict` refuses: open objects, optional properties."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            complain(path, "'additionalProperties' is required to be supplied and to be false.")
        missing = [
            key for key in schema.get("properties", {}) if key not in schema.get("required", [])
        ]
        if missing:
            complain(
                path,
                "'required' is required to be supplied and to be an array including every key "
                f"in properties. Missing '{missing[0]}'.",
            )
    for step, inner in _parts(schema):
        _walk_strict(inner, (*path, *step), complain)


def _parts(schema: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """The schemas inside a schema, each with the steps to it."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for word in ("properties", "$defs", "definitions"):
        inner = schema.get(word)
        if isinstance(inner, dict):
            found += [((word, key), value) for key, value in inner.items()]
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inner = schema.get(word)
        if isinstance(inner, list):
            found += [((word, str(index)), value) for index, value in enumerate(inner)]
    if isinstance(schema.get("items"), dict):
        found.append((("items",), schema["items"]))
    return found


def _is_plain_regex(pattern: str) -> bool:
    if _LOOKAROUND.search(pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
