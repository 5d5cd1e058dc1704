"""Remembers which request shape the backend answered after it had refused the other one.

Some requests go out in the classic shape although the catalogue says lite, because only the classic
shape has what the client wants: hosted web search, a forced choice, parallel calls. Whether a lite
model takes it is not documented. A refusal is remembered per kind of account and model for
REMEMBERED_SECONDS, in this replica's memory, so that not every such request costs an attempt more.
So is that of the native form of a tool search (`formats.codex.tool_search`).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import SHAPE_CAUSES

REMEMBERED_SECONDS: Final = 1800.0
"""Seconds until a refused shape is tried again."""
MOST_REMEMBERED: Final = 64
"""Most entries; beyond them the oldest is dropped."""

_REFUSED, _REMEMBERED = SHAPE_CAUSES
_Key = tuple[str, str, bool]


class AcceptedShapes:
    """The shapes that were answered in place of refused ones, as one replica knows them.

    Args:
        clock: seconds since the epoch.
        metrics: counts the requests whose shape was changed.
    """

    def __init__(self, clock: Callable[[], float], metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self.known = False
        """Whether anything was ever noted."""
        self._known: dict[_Key, tuple[Shape, float]] = {}
        self._refused_searches: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        return f"<AcceptedShapes with {len(self._known)} entries>"

    def note(self, kind: str, request: UpstreamRequest) -> None:
        """Note a request that was answered, after the same request in the other shape was refused.

        Args:
            kind: kind of the account that answered.
            request: the request in the shape that was answered.
        """
        key = _key(kind, request)
        self._known.pop(key, None)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[key] = request.shape, self._clock() + REMEMBERED_SECONDS
        self.known = True
        self._count(_REFUSED, request)

    def fitted(self, kind: str, request: UpstreamRequest) -> UpstreamRequest:
        """The request in the shape that accounts of this kind are known to answer for its model.

        The same object if nothing is known, if it has that shape already, or if it forces a web
        search, which only the classic shape has.
        """
        if not self._known:
            return request
        key = _key(kind, request)
        shape, until = self._known.get(key, (request.shape, 0.0))
        if shape is request.shape or (shape is Shape.LITE and request.forces_search):
            return request
        if self._clock() >= until:
            del self._known[key]
            return request
        fitted = request.in_shape(shape)
        self._count(_REMEMBERED, fitted)
        return fitted

    def note_search(self, kind: str, model: str) -> None:
        """Note a model that refused the native form of a tool search and answered the text form."""
        self._refused_searches.pop((kind, model), None)
        if len(self._refused_searches) >= MOST_REMEMBERED:
            self._refused_searches.pop(next(iter(self._refused_searches)))
        self._refused_searches[kind, model] = self._clock() + REMEMBERED_SECONDS
        self.known = True

    def without_refused_search(self, kind: str, request: UpstreamRequest) -> UpstreamRequest:
        """The request with its tool search as text, if its model is known to refuse the native form."""
        if request.tool_search is None:
            return request
        until = self._refused_searches.get((kind, request.model), 0.0)
        if self._clock() >= until:
            return request
        return msgspec.structs.replace(request, tool_search=None)

    def _count(self, cause: str, request: UpstreamRequest) -> None:
        searches = "yes" if request.searches else "no"
        self._metrics.shape_changes.labels(request.shape.value, cause, searches).inc()


def _key(kind: str, request: UpstreamRequest) -> _Key:
    """Requests with a hosted search are told apart: it may be the tool alone that is refused."""
    return kind, request.model, request.searches
