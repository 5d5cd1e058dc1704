"""Asking the translation as a client would: a body in, what upstream is sent out."""

from typing import Any

import msgspec

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.formats.codex.requests import UpstreamRequest
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)

READERS: dict[str, Any] = {dialect.name: dialect.read for dialect in DIALECTS}
CATALOGUE = Catalogue.built_in()
CLASSIC = "gpt-5.5"
"""A model of the classic shape."""
LITE = "gpt-6.1-sol"
"""A model of the lite shape."""
HI = {"role": "user", "content": "hi"}
"""The shortest message of a chat."""
NOBODY = ClientTraits()
CODEX = ClientTraits(is_codex=True)
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


def asked(
    body: Any,
    *,
    endpoint: str = "chat",
    client: ClientTraits = NOBODY,
    options: RequestOptions | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> TranslatedRequest:
    """The translation of a body, of a classic model unless it names one."""
    if isinstance(body, dict):
        body = msgspec.json.encode({"model": CLASSIC, **body})
    translated: TranslatedRequest = READERS[endpoint](
        body,
        catalogue=catalogue,
        options=options or RequestOptions(key_id="key_1"),
        client=client,
    )
    return translated


def sent(body: Any, **circumstances: Any) -> dict[str, Any]:
    """The body upstream is sent."""
    return wire(asked(body, **circumstances).request)


def wire(request: UpstreamRequest) -> dict[str, Any]:
    """A request as upstream reads it."""
    found: dict[str, Any] = msgspec.json.decode(request.encode())
    return found


def items(*messages: Any, **rest: Any) -> Any:
    """The `input` upstream is sent for some chat messages."""
    return sent({"messages": list(messages), **rest})["input"]


def user(text: str) -> dict[str, Any]:
    """A user's message as upstream takes it."""
    return {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }


def developer(text: str) -> dict[str, Any]:
    """A developer's message as upstream takes it."""
    return {**user(text), "role": "developer"}


def assistant(text: str) -> dict[str, Any]:
    """An assistant's message as upstream takes it."""
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
    }


def call(call_id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    """A function call as upstream takes it."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def result(call_id: str, output: Any) -> dict[str, Any]:
    """Its result."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def chat_call(call_id: str | None, name: str, arguments: Any = "{}") -> dict[str, Any]:
    """A function call as chat has it."""
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def chat_tool(name: str, **rest: Any) -> dict[str, Any]:
    """A function as chat declares it."""
    parameters = {"type": "object", "properties": {"path": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters, **rest}}


def tool(name: str, **rest: Any) -> dict[str, Any]:
    """The same function as upstream takes it."""
    parameters = {"type": "object", "properties": {"path": {"type": "string"}}}
    return {"type": "function", "name": name, "strict": False, "parameters": parameters, **rest}
