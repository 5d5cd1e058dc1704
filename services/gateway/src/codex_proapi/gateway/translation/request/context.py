"""The state that all readers of one body share: tool names and the parameters that were dropped."""

import msgspec

from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.tools.tool_names import ToolNames


class TranslationContext(msgspec.Struct, kw_only=True):
    """What is shared while one body's history is read."""

    names: ToolNames
    """Names of the tools; extended by tools that only the history mentions."""
    dropped: Dropped
    """Names of what was accepted and left out; extended while reading."""
    custom: frozenset[str] = frozenset()
    """Sent names of tools that are declared custom: their calls are custom calls."""
    audio: bool = False
    """Whether the model accepts audio."""
    text_only: bool = True
    """Whether all that was read so far is text; unset by the first picture, file or unknown item."""
