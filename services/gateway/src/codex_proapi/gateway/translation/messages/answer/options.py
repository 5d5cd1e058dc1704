"""What an answer must know of the request that asked for it."""

from collections.abc import Mapping

import msgspec

from codex_proapi.gateway.translation.messages.answer.tool_arguments import ToolShape


class MessagesOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this client wants its answer."""

    input_tokens: int = 0
    """An estimate for `message_start`, in tokens."""
    tool_names: Mapping[str, str] = {}
    """Sent tool name to the client's own, where they differ."""
    tool_shapes: Mapping[str, ToolShape] = {}
    """Sent tool name to what must be known of its schema."""
    thinking: bool = False
    """Whether thinking was asked for: else no thinking block is written, not even a signature."""
    summaries: bool = True
    """Whether the text of thinking is wanted; without it a block holds its signature only."""
    stop: tuple[str, ...] = ()
    """Strings to cut the text at."""
    safeguards: tuple[str, ...] = ()
    """Types of safeguards asked for; each is answered with nothing judged."""
    claude_code: bool = False
    """Whether Claude Code asked, whose own tools refuse arguments filled with nothing."""
