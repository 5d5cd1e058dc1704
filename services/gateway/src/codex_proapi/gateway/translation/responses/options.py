"""Options of a Responses answer, read from its request."""

from collections.abc import Mapping
from typing import Any

import msgspec


class ResponseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one answer."""

    model: str = ""
    """The requested model, repeated in the answer; empty for upstream's."""
    reserve_of: str = ""
    """The model that RESERVE stands for in upstream's events; empty if it was not sent."""
    tool_names: Mapping[str, str] = {}
    """Sent tool name to the client's, for those that differ."""
    echo: Mapping[str, Any] = {}
    """Fields of the response object that repeat the request's: metadata, store, …"""
    own_quota: bool = False
    """Whether the key has budgets of its own, so that events about the account's quota are left out."""
    keep_response: bool = False
    """Whether the report keeps the response object."""
    compact: bool = False
    """Whether the answer is a compacted history instead of a response."""
