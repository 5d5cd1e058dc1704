"""Asking in the Messages dialect: a body in, what upstream is sent out."""

from typing import Any

import msgspec
from support.askings import CATALOGUE, CLASSIC, NOBODY, wire

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.translation.messages.request.read_request import read_messages_request
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)

SESSION = "c31942fe-df27-445f-b1be-9600de4a4726"


def asked(
    body: Any,
    *,
    client: ClientTraits = NOBODY,
    options: RequestOptions | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> TranslatedRequest:
    """The translation of a body, of a classic model and with a message unless it has its own."""
    if isinstance(body, dict):
        messages = [{"role": "user", "content": "hi"}]
        body = msgspec.json.encode({"model": CLASSIC, "messages": messages, **body})
    return read_messages_request(
        body,
        catalogue=catalogue,
        options=options or RequestOptions(key_id="key_1"),
        client=client,
    )


def sent(body: Any, **circumstances: Any) -> dict[str, Any]:
    """The body upstream is sent."""
    return wire(asked(body, **circumstances).request)


def items(*messages: Any, **rest: Any) -> Any:
    """The `input` upstream is sent for some messages."""
    return sent({"messages": list(messages), **rest})["input"]


def user(*parts: Any) -> dict[str, Any]:
    """A user's message; a single text may be bare."""
    return {"role": "user", "content": parts[0] if isinstance(parts[0], str) else list(parts)}


def assistant(*parts: Any) -> dict[str, Any]:
    """An assistant's message."""
    return {**user(*parts), "role": "assistant"}


def system(*parts: Any) -> dict[str, Any]:
    """A system message in the middle."""
    return {**user(*parts), "role": "system"}


def text(words: str, **rest: Any) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "text": words, **rest}


def use(id_: str, name: str, **arguments: Any) -> dict[str, Any]:
    """A call."""
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def result(id_: str, content: Any = None, **rest: Any) -> dict[str, Any]:
    """Its result."""
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **rest}


def tool(name: str, **rest: Any) -> dict[str, Any]:
    """A client's own tool."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    return {"name": name, "description": "d", "input_schema": schema, **rest}
