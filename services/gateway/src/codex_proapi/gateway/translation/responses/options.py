"""How one Responses client wants its answer, as its request has it."""

from collections.abc import Mapping
from typing import Any

import msgspec


class ResponseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this client wants its answer."""

    model: str = ""
    """The model to echo: the one asked for; empty shows upstream's."""
    tool_names: Mapping[str, str] = {}
    """Sent tool name to the client's own, where they differ."""
    echo: Mapping[str, Any] = {}
    """Fields of the response object that repeat what the client sent: metadata, store, …"""
    own_quota: bool = False
    """Whether its key has budgets of its own: then it is not told what its account has left."""
    keep_response: bool = False
    """Whether the report gets the response object."""
    compact: bool = False
    """Whether the answer is a compacted history instead of a response."""
