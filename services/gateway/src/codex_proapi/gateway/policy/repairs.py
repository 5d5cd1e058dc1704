"""What a retry decision changes about a request before the same account is asked again."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import UpstreamRequest
from codex_proapi.gateway.policy.retry import Change, parameter_of

LASTING: Final = frozenset({Change.OTHER_SHAPE, Change.WITHOUT_PARAMETER, Change.WITHOUT_TIER})
"""Changes that hold for every account asked after it, too."""


def changed(request: UpstreamRequest, change: Change, refusal: Refusal) -> UpstreamRequest:
    """The request after one change; itself where nothing can be changed."""
    match change:
        case Change.WITHOUT_ENCRYPTED:
            return request.without_encrypted()
        case Change.OTHER_SHAPE:
            return request.in_shape(request.shape.other)
        case Change.WITHOUT_TIER:
            return msgspec.structs.replace(request, service_tier=None)
        case Change.WITHOUT_PARAMETER:
            return without_parameter(request, parameter_of(refusal))
        case Change.NOTHING | Change.CREDENTIAL | Change.NEW_CONNECTION:
            return request


def without_parameter(request: UpstreamRequest, name: str) -> UpstreamRequest:
    """The request without a parameter upstream does not know; itself if it has no such one."""
    root, _, part = name.partition(".")
    if root.startswith("input["):
        return _without_key(request, part)
    if part and root in {"reasoning", "text"}:
        kept = {key: value for key, value in getattr(request, root).items() if key != part}
        return msgspec.structs.replace(request, **{root: kept})
    change = REMOVALS.get(root)
    return change(request) if change else request


def _without_key(request: UpstreamRequest, key: str) -> UpstreamRequest:
    """Without a key of input items; those that make an item what it is stay."""
    if not key or key in {"type", "role", "content", "call_id", "output", "arguments", "name"}:
        return request
    kept = tuple({k: v for k, v in item.items() if k != key} for item in request.input)
    return msgspec.structs.replace(request, input=kept)


def _removal(**values: Any) -> Callable[[UpstreamRequest], UpstreamRequest]:
    return lambda request: msgspec.structs.replace(request, **values)


REMOVALS: Final[Mapping[str, Callable[[UpstreamRequest], UpstreamRequest]]] = {
    "service_tier": _removal(service_tier=None),
    "prompt_cache_key": _removal(prompt_cache_key=""),
    "client_metadata": _removal(client_metadata=None),
    "instructions": _removal(instructions=None),
    "parallel_tool_calls": _removal(parallel_tool_calls=None),
    "tool_choice": _removal(tool_choice="auto"),
    "text": _removal(text={}),
    "reasoning": _removal(reasoning={}),
    "tools": _removal(tools=()),
}
"""Top-level fields that a request can do without."""
