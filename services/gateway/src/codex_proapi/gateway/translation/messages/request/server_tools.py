"""Reads the calls that Anthropic's servers ran, and their results, in an assistant's message.

A conversation that began with Claude holds them: tools of an MCP server, code execution, fetched
pages, found tools. They become a call and its result like any other, so the model reads what was
called and what came of it. Web searches become text, the pages that were found.
"""

from typing import Any, Final

from codex_proapi.gateway.formats.codex.input_items import Part
from codex_proapi.gateway.formats.codex.requests import Item
from codex_proapi.gateway.translation.messages.request.tool_search import changed_name
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.message_items import call_item, result_item

CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
SEARCH: Final = "web_search"
"""Name of the tool whose calls and results are told as text: they are pages, read or to be read."""
_RESULT_ENDING: Final = "_tool_result"
_UNREADABLE: Final = ("encrypted_content", "encrypted_stdout", "encrypted_index")
"""Fields that only Claude can read."""
_UNKNOWN_TOOL: Final = "server_tool"


def is_result(kind: str) -> bool:
    """Whether a part is the result of a server's tool."""
    return kind.endswith(_RESULT_ENDING)


def server_call(part: Part, where: str, reading: TranslationContext) -> Item:
    """Return the call as an item."""
    name = part.get("name")
    name = name if isinstance(name, str) and name else _UNKNOWN_TOOL
    server = part.get("server_name")
    if isinstance(server, str) and server:
        name = f"mcp__{server}__{name}"
    return call_item(name, part.get("input"), call_id=part.get("id"), where=where, reading=reading)


def server_result(part: Part, reading: TranslationContext) -> Item:
    """Return the result as an item; its output is text, or parts where it has files or images."""
    content, failed = _readable(part.get("content"))
    if failed or part.get("is_error") is True:
        content = [{"type": "text", "text": "[tool error]"}, *_as_list(content)]
    return result_item(content, call_id=part.get("tool_use_id"), reading=reading)


def query_of(part: Part) -> str:
    """Return what a web search asks for."""
    provided = part.get("input")
    query = provided.get("query") if isinstance(provided, dict) else None
    return query if isinstance(query, str) else ""


def search_text(query: str, part: Part) -> str:
    """An earlier search as text: its query, and the pages found or the code of its failure."""
    content = part.get("content")
    if isinstance(content, dict):
        code = content.get("error_code")
        return f"[web search: {query}]\n[failed: {code if isinstance(code, str) else 'unknown'}]"
    pages = [
        f"- {page.get('title') or page['url']}: {page['url']}"
        for page in (content if isinstance(content, list) else ())
        if isinstance(page, dict) and isinstance(page.get("url"), str)
    ]
    return "\n".join([f"[web search: {query}]", *pages])


def _readable(content: Any) -> tuple[Any, bool]:
    """The content as text or parts, and whether it is an error."""
    if not isinstance(content, dict):
        return content, False
    code = content.get("error_code")
    if isinstance(code, str):
        return code, True
    if isinstance(content.get("return_code"), int):
        return _of_process(content), False
    if isinstance(content.get("tool_references"), list):
        found = [
            changed_name(each) for each in content["tool_references"] if isinstance(each, dict)
        ]
        return f"Tools found: {', '.join(filter(None, found)) or 'none'}", False
    document = content.get("content")
    if isinstance(document, dict):
        head = [content[field] for field in ("title", "url") if isinstance(content.get(field), str)]
        return [{"type": "text", "text": "\n".join(head)}, document], False
    if isinstance(document, str):
        return document, False
    return {name: value for name, value in content.items() if name not in _UNREADABLE}, False


def _of_process(content: dict[str, Any]) -> str:
    """The output of a program, its exit code, and the ids of the files it made."""
    lines = [content["stdout"]] if isinstance(content.get("stdout"), str) else []
    if isinstance(content.get("stderr"), str) and content["stderr"]:
        lines.append(f"[stderr]\n{content['stderr']}")
    if content["return_code"]:
        lines.append(f"[exit code {content['return_code']}]")
    files = content.get("content")
    lines += [
        f"[file {each['file_id']}]"
        for each in (files if isinstance(files, list) else ())
        if isinstance(each, dict) and isinstance(each.get("file_id"), str)
    ]
    return "\n".join(filter(None, lines))


def _as_list(content: Any) -> list[Any]:
    if content is None:
        return []
    return content if isinstance(content, list) else [content]
