"""Estimates the input tokens of a Messages body, for `count_tokens` and for `message_start`.

Text counts by bytes, four to a token, as the backend's own client estimates. Pictures count a fixed
number of tokens, as their bytes do not determine it; files count by their size.
"""

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
_TOOL_FIELDS: Final = ("name", "description", "input_schema")
_NO_TEXT: Final = ("image", "base64", "thinking")
"""Types of parts of which not the text is counted; as a tuple, for a client's type may be anything."""


def count_tokens(body: ClientBody, *, tools_size: int | None = None) -> int:
    """Return the estimated input tokens of a body; at least 1.

    `tools_size` is the `size_of_tools` of the body's, if it is known.
    """
    messages = body.values.get("messages")
    entries = messages if isinstance(messages, list) else []
    texts, tokens = _texts_of([body.values.get("system"), *entries])
    tokens += OF_MESSAGE * len(entries) + OF_TOOL * len(body.tools)
    size = size_of_tools(body.tools) if tools_size is None else tools_size
    if all(map(str.isascii, texts)):
        size += sum(map(len, texts))
    else:
        size += sum([len(text.encode(errors="surrogatepass")) for text in texts])
    return max(1, size // BYTES_PER_TOKEN + tokens)


def size_of_tools(tools: tuple[ToolFields, ...]) -> int:
    """Return the bytes of the fields of tools that a model reads."""
    size = 0
    for fields in tools:
        for name in _TOOL_FIELDS:
            if name in fields:
                size += len(memoryview(fields[name]))
    return size


def _texts_of(waiting: list[Any]) -> tuple[list[str], int]:
    """Return the counted texts in some values, and the tokens of what has none.

    `waiting` grows while it is gone through. Types are compared: what was decoded has no subclasses.
    """
    texts: list[str] = []
    tokens = 0
    for each in waiting:
        kind = type(each)
        if kind is str:
            texts.append(each)
        elif kind is list:
            waiting += each
        elif kind is dict:
            if each.get("type") in _NO_TEXT and (other := _tokens_of(each)) is not None:
                tokens += other
                continue
            for name, value in each.items():
                if name in _UNCOUNTED:
                    continue
                kind = type(value)
                if kind is str:
                    texts.append(value)
                elif kind is list or kind is dict:
                    waiting.append(value)
    return texts, tokens


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
