"""Applies the changes of a retry decision to a request before the next attempt on an account."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from codex_proapi.gateway.errors import BadRequest, GatewayError
from codex_proapi.gateway.formats.codex.public_errors import public_error
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import Item, Shape, UpstreamRequest
from codex_proapi.gateway.policy.retry import Change, parameter_of

LASTING: Final = frozenset(
    {
        *(Change.OTHER_SHAPE, Change.WITHOUT_PARAMETER, Change.WITHOUT_TIER),
        *(Change.WITHOUT_TOOL_SEARCH, Change.WITHOUT_IMAGES),
    }
)
"""Changes that are kept for all further accounts."""

NEEDED: Final = frozenset(
    {"type", "role", "content", "call_id", "output", "arguments", "name", "text", "image_url"}
)
"""Keys that an item or part cannot do without."""
_NOTE: Final[Item] = {"type": "input_text", "text": "[an image that could not be used]"}
_OF_SEARCH: Final = frozenset({"model", "tools", "tool_choice"})
"""Parameters that a refusal of the shape, or of its web search, may name."""
_IN_INPUT: Final = re.compile(
    r"input\[(?P<item>\d{1,6})\]\.((?P<parts>content|output|summary)\[\d{1,6}\]\.)?(?P<key>\w+)"
)


def changed(request: UpstreamRequest, change: Change, refusal: Refusal) -> UpstreamRequest:
    """The request with a change applied; the same object if nothing can be changed.

    Raises GatewayError, the client's error, for a forced web search, which the lite shape has not, and
    for an image of the last item.
    """
    match change:
        case Change.WITHOUT_ENCRYPTED:
            return request.without_encrypted()
        case Change.OTHER_SHAPE:
            if request.shape is Shape.CLASSIC and request.forces_search:
                raise _without_search(request, refusal)
            return request.in_shape(request.shape.other)
        case Change.WITHOUT_TIER:
            return msgspec.structs.replace(request, service_tier=None)
        case Change.WITHOUT_TOOL_SEARCH:
            return msgspec.structs.replace(request, tool_search=None)
        case Change.WITHOUT_IMAGES:
            return _without_images(request, refusal)
        case Change.WITHOUT_PARAMETER:
            return without_parameter(request, parameter_of(refusal))
        case Change.NOTHING | Change.CREDENTIAL | Change.NEW_CONNECTION:
            return request


def _without_images(request: UpstreamRequest, refusal: Refusal) -> UpstreamRequest:
    """The request with a note in the place of each image before its last item.

    An image that was refused stays in the client's history: without this it would end the session,
    whatever is asked next. Raises GatewayError where there is none: the last item's is refused.
    """
    earlier = tuple(map(_noted, request.input[:-1]))
    if earlier == request.input[:-1]:
        raise public_error(refusal)
    return msgspec.structs.replace(request, input=(*earlier, *request.input[-1:]))


def _noted(item: Item) -> Item:
    """An item with a note in the place of each image."""
    found = {
        name: [_NOTE if _is_image(part) else part for part in parts]
        for name in ("content", "output")
        if isinstance(parts := item.get(name), list) and any(map(_is_image, parts))
    }
    return {**item, **found} if found else item


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "input_image"


def _without_search(request: UpstreamRequest, refusal: Refusal) -> GatewayError:
    """The error for a forced web search; a refusal that names another parameter is given as it is."""
    if refusal.param and re.split(r"[.\[]", refusal.param)[0] not in _OF_SEARCH:
        return public_error(refusal)
    return BadRequest(
        f"The backend refuses a forced web search with the model '{request.model}'.",
        code="unsupported_value",
        param="tool_choice",
    )


def without_parameter(request: UpstreamRequest, name: str) -> UpstreamRequest:
    """The request without a parameter; the same object if it has none of that name."""
    root, _, part = name.partition(".")
    if found := _IN_INPUT.fullmatch(name):
        return _without_key(request, int(found["item"]), found["parts"], found["key"])
    if part and root in {"reasoning", "text"}:
        kept = {key: value for key, value in getattr(request, root).items() if key != part}
        return msgspec.structs.replace(request, **{root: kept})
    change = REMOVALS.get(root)
    return change(request) if change else request


def _without_key(
    request: UpstreamRequest, index: int, parts: str | None, key: str
) -> UpstreamRequest:
    """Remove a key from all items of one type, or from their parts, unless it is in NEEDED.

    `index` counts in the sent body, where the lite shape puts items of its own in front.
    """
    index -= len(request.body()["input"]) - len(request.input)
    if key in NEEDED or not 0 <= index < len(request.input):
        return request
    kind = request.input[index].get("type")
    kept = tuple(
        _bare(item, parts, key) if item.get("type") == kind else item for item in request.input
    )
    return request if kept == request.input else msgspec.structs.replace(request, input=kept)


def _bare(item: Item, parts: str | None, key: str) -> Item:
    """An item without a key, or with that key removed from its parts."""
    if parts is None:
        return {name: value for name, value in item.items() if name != key}
    found = item.get(parts)
    if not isinstance(found, list):
        return item
    bare = [
        {name: value for name, value in part.items() if name != key}
        if isinstance(part, dict)
        else part
        for part in found
    ]
    return {**item, parts: bare}


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
"""Top-level fields that can be removed, with the change that removes them."""
