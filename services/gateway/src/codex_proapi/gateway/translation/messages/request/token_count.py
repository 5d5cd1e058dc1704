"""Estimates the input tokens of a Messages body, for `count_tokens` and for `message_start`.

Text counts by bytes, four to a token, as the backend's own client estimates. Pictures count a fixed
number of tokens, as their bytes do not determine it; files count by their size.
"""

import itertools
from typing import Any, Final

from codex_proapi.gateway.formats.client_body import ClientBody, ToolFields
from codex_proapi.gateway.translation.history.token_estimate import BYTES_PER_TOKEN, PICTURE_TOKENS

OF_MESSAGE: Final = 4
"""Tokens added for each message."""
OF_TOOL: Final = 8
"""Tokens added for each tool."""
SIGNATURE_CHARACTERS: Final = 8
"""Characters of encrypted reasoning per token."""
FILE_CHARACTERS: Final = 30
"""Base64 characters of a file per token."""
_UNCOUNTED: Final = frozenset({"type", "id", "tool_use_id", "cache_control", "role", "media_type"})
_NAMELESS: Final = itertools.repeat("")
"""The names of what is in a list."""
_TOOL_FIELDS: Final = ("name", "description", "input_schema")
_NO_TEXT: Final = ("image", "base64", "thinking")
"""Types of parts of which not the text is counted; as a tuple, for a client's type may be anything."""


def count_tokens(body: ClientBody) -> int:
    """Return the estimated input tokens of a body; at least 1."""
    messages = body.values.get("messages")
    entries = messages if isinstance(messages, list) else []
    text = _bytes_of(body.tools) if body.tools else 0
    tokens = OF_MESSAGE * len(entries) + OF_TOOL * len(body.tools)
    waiting: list[Any] = [[body.values.get("system"), *entries]]
    while waiting:
        each = waiting.pop()
        is_object = isinstance(each, dict)
        if is_object and each.get("type") in _NO_TEXT and (other := _tokens_of(each)) is not None:
            tokens += other
            continue
        for name, value in each.items() if is_object else zip(_NAMELESS, each, strict=False):
            if name in _UNCOUNTED:
                continue
            if isinstance(value, str):
                text += len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
            elif isinstance(value, list | dict):
                waiting.append(value)
    return max(1, text // BYTES_PER_TOKEN + tokens)


def _tokens_of(part: dict[str, Any]) -> int | None:
    """The tokens of one of `_NO_TEXT`; None for base64 without data, whose text is counted."""
    if part["type"] == "image":
        return PICTURE_TOKENS
    if part["type"] == "thinking":
        # Only its signature is sent on.
        signature = part.get("signature")
        return len(signature) // SIGNATURE_CHARACTERS if isinstance(signature, str) else 0
    data = part.get("data")
    return len(data) // FILE_CHARACTERS if isinstance(data, str) else None


def _bytes_of(tools: tuple[ToolFields, ...]) -> int:
    """The bytes of the fields of tools that a model reads."""
    size = 0
    for fields in tools:
        for name in _TOOL_FIELDS:
            if name in fields:
                size += len(memoryview(fields[name]))
    return size
