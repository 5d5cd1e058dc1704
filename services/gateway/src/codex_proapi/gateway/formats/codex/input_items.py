"""Messages of a request to the backend: the items of its `input` and their parts of text."""

from typing import Any

from codex_proapi.gateway.formats.codex.requests import Item

Part = dict[str, Any]
"""One content part of a message."""


def text_part(text: str) -> Part:
    """Return the part of a user's or developer's text."""
    return {"type": "input_text", "text": text}


def output_part(text: str) -> Part:
    """Return the part of an assistant's text."""
    return {"type": "output_text", "text": text}


def message(role: str, parts: list[Part]) -> Item:
    """Return a message item."""
    return {"type": "message", "role": role, "content": parts}
