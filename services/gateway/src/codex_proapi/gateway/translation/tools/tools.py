"""Translates tools of every known shape into upstream's flat form; hosted tools are left out.

Schemas are kept as the client's bytes unless something in them must be corrected: upstream's prompt
cache and its checks of reserved tools compare bytes. The tool choice is read in `tool_choice`; the
place of tools in the body depends on the request shape.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ToolFields, tool_value
from codex_proapi.gateway.formats.codex.requests import LITE_NAMESPACE, Tool
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.tools.schemas import Patterns, is_object, sound_parameters
from codex_proapi.gateway.translation.tools.tool_names import ToolNames

WEB_SEARCH = "web_search"
"""The only hosted tool that upstream accepts from all clients."""
_WEB_SEARCH_FIELDS = (
    "external_web_access",
    "search_content_types",
    "search_context_size",
    "user_location",
    "filters",
)


class ToolSet(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of one request."""

    tools: tuple[Tool, ...] = ()
    """The tools to send."""
    hosted_out: frozenset[str] = frozenset()
    """Types of hosted tools that were left out."""
    chat_custom: frozenset[str] = frozenset()
    """Sent names of tools declared in the chat form of `custom`."""
    custom: frozenset[str] = frozenset()
    """Sent names of custom tools."""
    searches: bool = False
    """Whether web search is among the tools."""


NO_TOOLS = ToolSet()


def kind_of_tool(fields: ToolFields) -> str:
    """Return a tool's kind, by its shape: a type alone does not identify the API it is written for."""
    declared = tool_value(fields, "type")
    kind = declared if isinstance(declared, str) else ""
    if "function" in fields:
        return "chat_function"
    if "custom" in fields:
        return "chat_custom"
    if "input_schema" in fields:
        return "anthropic"
    if not kind and "name" in fields:
        return "function"
    return WEB_SEARCH if is_web_search(kind) else kind


def is_web_search(kind: str) -> bool:
    """Whether a type is web search, under any of its names (previews, dated versions)."""
    return kind.startswith(WEB_SEARCH)


def declared_names(tools: Iterable[ToolFields]) -> Iterator[str]:
    """Yield the client's names of the declared tools."""
    for fields in tools:
        name = tool_value(_inner(fields), "name")
        if isinstance(name, str):
            yield name


def read_tools(
    tools: Iterable[ToolFields], field: str, *, names: ToolNames, dropped: Dropped
) -> ToolSet:
    """Return the tools to send. Raises BadRequest for one that cannot be read."""
    found: dict[tuple[bool, str], Tool] = {}
    hosted_out: set[str] = set()
    chat_custom: set[str] = set()
    patterns = Patterns()
    for index, fields in enumerate(tools):
        kind = kind_of_tool(fields)
        reader = _READERS.get(kind)
        if reader is None:
            hosted_out.add(kind)
            dropped.add(f"tools.{kind}")
            continue
        tool = reader(fields, f"{field}[{index}]", names, patterns)
        slot = (bool(tool.name), tool.name or tool.type)
        if slot not in found or (tool.type == "function" and found[slot].type == "custom"):
            found[slot] = tool
            (chat_custom.add if kind == "chat_custom" else chat_custom.discard)(tool.name)
    return ToolSet(
        tools=tuple(found.values()),
        hosted_out=frozenset(hosted_out),
        chat_custom=frozenset(chat_custom),
        custom=frozenset(tool.name for tool in found.values() if tool.type == "custom"),
        searches=any(tool.type == WEB_SEARCH for tool in found.values()),
    )


def search_of_options(options: Any) -> tuple[ToolFields, ...]:
    """Return the web search that chat's `web_search_options` ask for; none without them."""
    if not isinstance(options, dict):
        return ()
    search: dict[str, Any] = {"type": WEB_SEARCH}
    if isinstance(options.get("search_context_size"), str):
        search["search_context_size"] = options["search_context_size"]
    location = options.get("user_location")
    approximate = location.get("approximate") if isinstance(location, dict) else None
    if isinstance(approximate, dict):
        search["user_location"] = {"type": "approximate", **approximate}
    return (msgspec.json.decode(msgspec.json.encode(search), type=ToolFields),)


def tools_inside(entries: Any) -> tuple[ToolFields, ...]:
    """Return the tools in `additional_tools` entries, without the namespace of plain ones."""
    found: list[Any] = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("type") != "additional_tools":
            continue
        for tool in entry["tools"] if isinstance(entry.get("tools"), list) else ():
            wrapped = isinstance(tool, dict) and tool.get("name") == LITE_NAMESPACE
            inner = tool.get("tools") if wrapped else None
            found.extend(inner if isinstance(inner, list) else [tool])
    if not found:
        return ()
    try:
        return tuple(
            msgspec.json.decode(msgspec.json.encode(tool), type=ToolFields) for tool in found
        )
    except msgspec.ValidationError:
        raise BadRequest("A tool must be an object", param="input.tools") from None


def _inner(fields: ToolFields) -> ToolFields:
    """Return the object with the name: chat nests it, the others do not."""
    for field in ("function", "custom"):
        nested = fields.get(field)
        if nested is not None and is_object(nested):
            return msgspec.json.decode(nested, type=ToolFields)
    return fields


def _name(fields: ToolFields, where: str, names: ToolNames) -> str:
    name = tool_value(fields, "name")
    if not isinstance(name, str) or not name:
        raise BadRequest("A tool needs a name", param=f"{where}.name")
    return names.sent(name)


def _nested(fields: ToolFields, field: str, where: str) -> ToolFields:
    inner = _inner(fields)
    if inner is fields:
        raise BadRequest(f"'{field}' must be an object", param=f"{where}.{field}")
    return inner


def _chat_function(fields: ToolFields, where: str, names: ToolNames, patterns: Patterns) -> Tool:
    """Flatten a chat function; without `strict` it is not strict, while Responses would try to be."""
    where_inner = f"{where}.function"
    inner = _nested(fields, "function", where)
    return _function(inner, where_inner, names, patterns, strict=False)


def _flat_function(fields: ToolFields, where: str, names: ToolNames, patterns: Patterns) -> Tool:
    return _function(fields, where, names, patterns, strict=None)


def _anthropic(fields: ToolFields, where: str, names: ToolNames, patterns: Patterns) -> Tool:
    renamed = {"parameters" if name == "input_schema" else name: fields[name] for name in fields}
    return _function(renamed, where, names, patterns, strict=False, schema_field="input_schema")


def _function(
    fields: ToolFields,
    where: str,
    names: ToolNames,
    patterns: Patterns,
    *,
    strict: bool | None,
    schema_field: str = "parameters",
) -> Tool:
    name = _name(fields, where, names)
    definition: dict[str, Any] = {"type": "function", "name": name}
    description = tool_value(fields, "description")
    if isinstance(description, str):
        definition["description"] = fields["description"]
    declared = tool_value(fields, "strict")
    if isinstance(declared, bool):
        definition["strict"] = declared
    elif strict is not None:
        definition["strict"] = strict
    definition["parameters"] = sound_parameters(
        fields.get("parameters"), f"{where}.{schema_field}", patterns
    )
    return Tool(type="function", name=name, definition=definition)


def _chat_custom(fields: ToolFields, where: str, names: ToolNames, _: Patterns) -> Tool:
    inner = _nested(fields, "custom", where)
    return _custom(inner, f"{where}.custom", names, _)


def _custom(fields: ToolFields, where: str, names: ToolNames, _: Patterns) -> Tool:
    """Read a custom tool; chat nests a grammar one level deeper than Responses does."""
    name = _name(fields, where, names)
    definition: dict[str, Any] = {"type": "custom", "name": name}
    if isinstance(tool_value(fields, "description"), str):
        definition["description"] = fields["description"]
    form = tool_value(fields, "format")
    if isinstance(form, dict):
        grammar = form.get("grammar")
        flat = {"type": "grammar", **grammar} if isinstance(grammar, dict) else form
        definition["format"] = flat
    return Tool(type="custom", name=name, definition=definition)


def _namespace(fields: ToolFields, where: str, _: ToolNames, __: Patterns) -> Tool:
    """Pass a namespace unchanged: only Codex clients send one."""
    name = tool_value(fields, "name")
    inside = tool_value(fields, "tools")
    if not isinstance(name, str) or not name:
        raise BadRequest("A namespace needs a name", param=f"{where}.name")
    named = isinstance(inside, list) and all(
        isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in inside
    )
    if not named:
        raise BadRequest("A namespace needs a list of tools", param=f"{where}.tools")
    return Tool(type="namespace", name=name, definition=fields)


def _web_search(fields: ToolFields, _: str, __: ToolNames, ___: Patterns) -> Tool:
    """Read any version of web search; Anthropic's allowed and blocked domains become a filter."""
    definition: dict[str, Any] = {"type": WEB_SEARCH}
    definition.update(
        (name, fields[name]) for name in _WEB_SEARCH_FIELDS if tool_value(fields, name) is not None
    )
    filters = {
        name: domains
        for name in ("allowed_domains", "blocked_domains")
        if isinstance(domains := tool_value(fields, name), list) and domains
    }
    if filters:
        definition.setdefault("filters", filters)
    return Tool(type=WEB_SEARCH, definition=definition)


_Reader = Callable[[ToolFields, str, ToolNames, Patterns], Tool]
_READERS: dict[str, _Reader] = {
    "chat_function": _chat_function,
    "chat_custom": _chat_custom,
    "anthropic": _anthropic,
    "function": _flat_function,
    "custom": _custom,
    "namespace": _namespace,
    WEB_SEARCH: _web_search,
}
