"""Estimates the input tokens of a Messages body, for `count_tokens` and for `message_start`.

Text counts by bytes, four to a token, as the backend's own client estimates. Pictures count a fixed
number of tokens, as their bytes do not determine it; files count by their size.
"""

from typing import Any, Final

from codex_proapi.gateway.formats.client_body import ClientBody
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


def count_tokens(body: ClientBody) -> int:
    """Return the estimated input tokens of a body; at least 1."""
    messages = body.get("messages")
    entries = messages if isinstance(messages, list) else []
    tools = sum(_tool_bytes(fields) for fields in body.tools)
    counted = _Count()
    counted.add(body.get("system"))
    counted.add(entries)
    around = OF_MESSAGE * len(entries) + OF_TOOL * len(body.tools)
    return max(1, (counted.bytes + tools) // BYTES_PER_TOKEN + counted.tokens + around)


class _Count:
    """Counts bytes of text and tokens of other content."""

    def __init__(self) -> None:
        self.bytes = 0
        self.tokens = 0

    def add(self, value: Any) -> None:
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str):
                self.bytes += _size(each)
            elif isinstance(each, list):
                waiting += each
            elif isinstance(each, dict):
                waiting += self._fields(each)

    def _fields(self, part: dict[str, Any]) -> list[Any]:
        """Count the tokens of a part's other content; return the values with text."""
        kind = part.get("type")
        if kind == "image":
            self.tokens += PICTURE_TOKENS
            return []
        data = part.get("data")
        if kind == "base64" and isinstance(data, str):
            self.tokens += len(data) // FILE_CHARACTERS
            return []
        if kind == "thinking":
            # Only its signature is sent on.
            signature = part.get("signature")
            held = len(signature) if isinstance(signature, str) else 0
            self.tokens += held // SIGNATURE_CHARACTERS
            return []
        return [value for name, value in part.items() if name not in _UNCOUNTED]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _tool_bytes(fields: dict[str, Any]) -> int:
    return sum(
        len(memoryview(fields[name]))
        for name in ("name", "description", "input_schema")
        if name in fields
    )
