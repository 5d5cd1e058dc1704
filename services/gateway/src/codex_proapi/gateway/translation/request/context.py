"""What all readers of one body share: its tools' names, and where to note what is left out."""

import msgspec

from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.tools.tool_names import ToolNames


class TranslationContext(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances under which one body's history is read."""

    names: ToolNames
    """Grows as history mentions tools."""
    dropped: Dropped
    """Grows as parts are left out."""
    custom: frozenset[str] = frozenset()
    """Sent names of tools that are declared custom: their calls are custom calls."""
    audio: bool = False
    """Whether the model takes audio."""
