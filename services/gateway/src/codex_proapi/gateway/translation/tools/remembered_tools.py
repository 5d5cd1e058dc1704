"""Lists of tools that were read before: agents send the same ones with every request.

`tools.read_tools` reads a list; what it has made is kept by the client's bytes, and is the same for
every request: names in the history are read after it, into a copy of the names.
"""

import functools

import msgspec

from codex_proapi.gateway.formats.client_body import REMEMBERED_LISTS, remembered_tools
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import ToolSet, declared_names, read_tools


class ReadTools(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of tools was read as; nothing of it may be changed."""

    names: ToolNames
    tools: ToolSet
    dropped: tuple[str, ...]
    """Names of what was left out."""


@functools.lru_cache(maxsize=REMEMBERED_LISTS)
def read_again(tools_json: bytes) -> ReadTools:
    """The tools in the JSON of a list (`ClientBody.tools_json`).

    Raises:
        BadRequest: one of them cannot be read.
    """
    declared = remembered_tools(tools_json)
    names, dropped = ToolNames.of(declared_names(declared)), Dropped()
    tools = read_tools(declared, "tools", names=names, dropped=dropped)
    return ReadTools(names=names, tools=tools, dropped=dropped.names)
