"""Translates the tools of a Messages request and its tool choice."""

import functools
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import (
    REMEMBERED_LISTS,
    ClientBody,
    ToolFields,
    remembered_tools,
    tool_value,
)
from codex_proapi.gateway.formats.codex.requests import Tool
from codex_proapi.gateway.formats.codex.tool_search import NAME
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.messages.answer.tool_arguments import (
    ToolShape,
    shape_of,
)
from codex_proapi.gateway.translation.messages.request.client_tools import defined_fields
from codex_proapi.gateway.translation.messages.request.token_count import size_of_tools
from codex_proapi.gateway.translation.messages.request.tool_search import PLACEHOLDER, ToolChanges
from codex_proapi.gateway.translation.tools.tool_choice import Choice, read_choice
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import (
    WEB_SEARCH,
    ToolSet,
    declared_names,
    is_web_search,
    read_tools,
)

ADVISOR: Final = "advisor_"
"""Prefix of a server tool that is refused by name; Claude Code then repeats without it."""
_KEPT: Final = ("name", "description", "input_schema")
"""Fields of a tool that upstream knows; it refuses others."""


class OfferedTools(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of a request, their names and the tool choice."""

    tools: ToolSet
    names: ToolNames
    """Names of the tools; extended by tools that only the history mentions."""
    shapes: dict[str, ToolShape]
    """Sent name of each function to the shape of its parameters."""
    declared: frozenset[str]
    """The client's names of the declared tools."""
    loads_tools: bool
    """Whether the client's tool search is among them."""
    choice: Choice
    size: int
    """The `size_of_tools` of the body's."""


class _ReadTools(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of tools was read as; nothing of it may be changed."""

    declared: list[ToolFields]
    declared_names: frozenset[str]
    """The client's names of all of them, of those that are left out, too."""
    names: ToolNames
    tools: ToolSet
    shapes: dict[str, ToolShape]
    dropped: tuple[str, ...]
    loads_tools: bool
    size: int
    """Their `size_of_tools`."""


def read_offered(
    body: ClientBody, changes: ToolChanges, dropped: Dropped, *, silent: bool
) -> OfferedTools:
    """Read tools and choice; with `silent` no call is allowed. Raises BadRequest.

    What a list alone is read as is remembered: agents send the same one with every request.
    """
    if not (body.tools or changes.added):
        read, size = _NO_TOOLS, 0
    elif body.tools_json and not changes.added and not changes.removed:
        read = _read_again(body.tools_json)
        size = read.size
    else:
        read = _read((*body.tools, *changes.added), changes.removed)
        size = size_of_tools(body.tools)
    for name in read.dropped:
        dropped.add(name)
    tools = read.tools
    names = ToolNames() if read is _NO_TOOLS else read.names.copy()
    choice: Choice = "none" if silent else "auto"
    if not silent and (asked := body.values.get("tool_choice")) is not None:
        choice = _choice(asked, read.declared, tools, names)
    return OfferedTools(
        tools=tools,
        names=names,
        shapes=read.shapes,
        declared=read.declared_names,
        loads_tools=read.loads_tools,
        choice=choice,
        size=size,
    )


def _read(found: tuple[ToolFields, ...], removed: frozenset[str]) -> _ReadTools:
    declared = [_fields(fields, f"tools.{number}") for number, fields in enumerate(found)]
    unique = list(_unique(declared, removed))
    names, dropped = ToolNames.of(declared_names(unique)), Dropped()
    tools = read_tools(unique, "tools", names=names, dropped=dropped)
    tools = msgspec.structs.replace(tools, tools=tuple(map(_search_as_upstream_has, tools.tools)))
    shapes = {
        tool.name: shape_of(tool.definition.get("parameters"))
        for tool in tools.tools
        if isinstance(tool.definition, dict) and tool.name
    }
    named = (tool_value(fields, "name") for fields in found)
    return _ReadTools(
        declared=unique,
        declared_names=frozenset(name for name in named if isinstance(name, str)),
        names=names,
        tools=tools,
        shapes=shapes,
        dropped=dropped.names,
        loads_tools=any(tool.type == "function" and tool.name == NAME for tool in tools.tools),
        size=size_of_tools(found),
    )


@functools.lru_cache(maxsize=REMEMBERED_LISTS)
def _read_again(tools_json: bytes) -> _ReadTools:
    return _read(remembered_tools(tools_json), frozenset())


def _unique(tools: Iterable[ToolFields], removed: frozenset[str]) -> Iterable[ToolFields]:
    """Yield each tool once, without placeholders and removed tools."""
    seen = {PLACEHOLDER, *removed}
    for fields in tools:
        name = tool_value(fields, "name")
        if isinstance(name, str):
            if name in seen:
                continue
            seen.add(name)
        yield fields


def _fields(fields: ToolFields, where: str) -> ToolFields:
    """Keep the fields of a tool that upstream knows, or give it those its type means.

    Raises BadRequest for the advisor.
    """
    kind = tool_value(fields, "type")
    if isinstance(kind, str) and kind.startswith(ADVISOR):
        raise BadRequest(
            f"Input tag '{kind}' found using 'type' does not match any of the expected tags",
            code="unsupported_value",
            param=where,
        )
    if "input_schema" in fields or kind in (None, "custom"):
        nothing: ToolFields = {"input_schema": msgspec.Raw(b"null")}
        return nothing | {name: fields[name] for name in _KEPT if name in fields}
    defined = defined_fields(kind)
    if defined is not None and "name" in fields:
        return {"name": fields["name"], **defined}
    return fields


def _search_as_upstream_has(tool: Tool) -> Tool:
    """Add the defaults of a web search: external access, text results."""
    if tool.type != WEB_SEARCH:
        return tool
    search = {"external_web_access": True, "search_content_types": ["text"], **tool.definition}
    return msgspec.structs.replace(tool, definition=search)


_NO_TOOLS: Final = _read((), frozenset())


def _choice(choice: Any, declared: list[ToolFields], tools: ToolSet, names: ToolNames) -> Choice:
    """Read `tool_choice`; a search is chosen by its declared name, which upstream does not have."""
    if isinstance(choice, dict) and choice.get("type") == "tool":
        searches = any(
            is_web_search(str(tool_value(fields, "type") or ""))
            and tool_value(fields, "name") == choice.get("name")
            for fields in declared
        )
        if searches:
            return {"type": WEB_SEARCH}
    return read_choice(choice, "tool_choice", offered=tools, names=names)
