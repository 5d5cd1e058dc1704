"""Translates the tool choice into the flat form upstream accepts.

All forms are read: chat's nested, Responses' flat, Anthropic's, and the older `function_call`. Without
tools `auto` and `none` mean nothing and are accepted, as some clients always send one of them; a choice
that forces a call is refused, as OpenAI's and Anthropic's APIs do, for no answer could meet it.
"""

from typing import Any

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import Tool
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import WEB_SEARCH, ToolSet, is_web_search

Choice = str | dict[str, Any]

_WORDS = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
_NAMING = frozenset({"function", "custom", "tool"})


def read_choice(choice: Any, field: str, *, offered: ToolSet, names: ToolNames) -> Choice:
    """Return the choice to send. Raises BadRequest for one that cannot be met."""
    if choice is None or choice == "auto":
        return "auto"
    if isinstance(choice, dict):
        return _object(choice, field, offered, names)
    if isinstance(choice, str):
        if choice in _WORDS:
            return _word(choice, field, offered)
        if found := _named(choice, offered, names):
            return found
    raise BadRequest(
        f"'{field}' must be auto, none, required or name one of the tools",
        code="unsupported_value",
        param=field,
    )


def forces(choice: Choice) -> bool:
    """Whether the model must call a tool, or may call only some of them."""
    return choice not in ("auto", "none")


def _object(choice: dict[str, Any], field: str, offered: ToolSet, names: ToolNames) -> Choice:
    kind = choice.get("type")
    if kind is None and isinstance(choice.get("name"), str):
        kind = "function"
    if not isinstance(kind, str):
        raise BadRequest(f"'{field}.type' must be a string", param=f"{field}.type")
    if kind == "allowed_tools":
        return _allowed(choice, field, offered, names)
    if kind in _WORDS:
        return _word(kind, field, offered)
    if kind in _NAMING:
        return _by_name(choice, field, offered, names)
    return _hosted(kind, field, offered)


def _word(word: str, field: str, offered: ToolSet) -> Choice:
    choice = _WORDS[word]
    if offered.tools:
        return choice
    if choice == "required":
        raise _without_tools(field)
    return "auto"


def _by_name(choice: dict[str, Any], field: str, offered: ToolSet, names: ToolNames) -> Choice:
    inner = choice
    for nested in ("function", "custom"):
        if isinstance(choice.get(nested), dict):
            inner = choice[nested]
    name = inner.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"'{field}' must name a tool", param=f"{field}.name")
    if not offered.tools and not offered.hosted_out:
        raise _without_tools(field)
    if found := _named(name, offered, names):
        return found
    raise BadRequest(
        f"'{field}' names a tool that is not in 'tools'",
        code="unsupported_value",
        param=f"{field}.name",
    )


def _named(name: str, offered: ToolSet, names: ToolNames) -> dict[str, Any] | None:
    """The choice of one tool, by the kind it was declared as, whatever kind the choice has."""
    for tool in offered.tools:
        if tool.name and tool.type != "namespace" and tool.name == names.sent(name):
            return _naming(tool)
    return None


def _hosted(kind: str, field: str, offered: ToolSet) -> Choice:
    if is_web_search(kind) and any(tool.type == WEB_SEARCH for tool in offered.tools):
        return {"type": WEB_SEARCH}
    if not offered.tools and not offered.hosted_out:
        raise _without_tools(field)
    raise BadRequest(
        f"'{field}' asks for a tool that is not available here",
        code="unsupported_value",
        param=f"{field}.type",
    )


def _allowed(choice: dict[str, Any], field: str, offered: ToolSet, names: ToolNames) -> Choice:
    """Read chat's nested or Responses' flat list of allowed tools."""
    inner = choice.get("allowed_tools")
    found = inner if isinstance(inner, dict) else choice
    listed = found.get("tools")
    if not isinstance(listed, list) or not listed:
        raise BadRequest("'allowed_tools' needs a list of tools", param=f"{field}.tools")
    if not offered.tools and not offered.hosted_out:
        if found.get("mode") == "required":
            raise _without_tools(field)
        return "auto"
    tools = [
        _object(tool, f"{field}.tools[{index}]", offered, names) if isinstance(tool, dict) else None
        for index, tool in enumerate(listed)
    ]
    if not all(isinstance(tool, dict) and tool["type"] != "allowed_tools" for tool in tools):
        raise BadRequest("'allowed_tools' must name tools", param=f"{field}.tools")
    mode = "required" if found.get("mode") == "required" else "auto"
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


def _naming(tool: Tool) -> dict[str, Any]:
    return {"type": tool.type, "name": tool.name}


def _without_tools(field: str) -> BadRequest:
    return BadRequest(
        f"'{field}' forces a call, but there are no 'tools' that could be called",
        code="unsupported_value",
        param=field,
    )
