"""Options of a chat answer, read from its request."""

from collections.abc import Mapping

import msgspec


class ChatOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one answer."""

    include_usage: bool = False
    """Whether a stream ends with a usage chunk."""
    tool_names: Mapping[str, str] = {}
    """Sent tool name to the client's, for those that differ."""
    custom_tools: frozenset[str] = frozenset()
    """Sent names of the tools the client declared as custom: their calls come back as `custom`."""
    custom_as_function: bool = False
    """Whether those come back as functions with the raw input as arguments (Cursor)."""
    legacy_functions: bool = False
    """Whether calls come back as `function_call`, because the request has `functions`."""
    structured: bool = False
    """Whether the answer must be JSON, so that commentary must not stand in the content."""
    refusal_as_refusal: bool = False
    """Whether a refusal is written into `refusal` instead of the content."""
    stop: tuple[str, ...] = ()
    """Stop sequences."""
