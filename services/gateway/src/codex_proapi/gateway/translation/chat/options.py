"""How one chat client wants its answer, as its request has it."""

from collections.abc import Mapping

import msgspec


class ChatOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this client wants its answer."""

    include_usage: bool = False
    """Whether a stream ends with a usage chunk."""
    tool_names: Mapping[str, str] = {}
    """Sent tool name to the client's own, where they differ."""
    custom_tools: frozenset[str] = frozenset()
    """Sent names of the tools the client declared as custom: their calls come back as `custom`."""
    custom_as_function: bool = False
    """Answer those too as functions with the raw input as arguments (Cursor)."""
    legacy_functions: bool = False
    """Answer with `function_call`, as `functions` was asked with."""
    structured: bool = False
    """The answer must be JSON: what is said on the way to it must not stand in the content."""
    refusal_as_refusal: bool = False
    """Put a refusal into `refusal` instead of the text."""
    stop: tuple[str, ...] = ()
    """Strings to cut the text at."""
