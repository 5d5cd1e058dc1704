"""Options of a Messages answer, read from its request."""

from collections.abc import Mapping

import msgspec

from codex_proapi.gateway.translation.messages.answer.tool_arguments import ToolShape


class MessagesOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one answer."""

    input_tokens: int = 0
    """An estimate for `message_start`, in tokens."""
    tool_names: Mapping[str, str] = {}
    """Sent tool name to the client's, for those that differ."""
    tool_shapes: Mapping[str, ToolShape] = {}
    """Sent tool name to the shape of its schema."""
    thinking: bool = False
    """Whether thinking was requested; if not, no thinking block is written, nor its signature."""
    summaries: bool = True
    """Whether thinking blocks have text; if not, only their signature."""
    structured: bool = False
    """Whether the answer must be JSON, so that commentary must not stand in its text."""
    stop: tuple[str, ...] = ()
    """Stop sequences."""
    safeguards: tuple[str, ...] = ()
    """Types of the requested safeguards; each gets a result without a verdict."""
    claude_code: bool = False
    """Whether the client is Claude Code, whose tools refuse empty values of optional arguments."""
