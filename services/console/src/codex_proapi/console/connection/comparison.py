"""What turns by POST and over WebSocket took, side by side, and what follows for UPSTREAM_TRANSPORT. Pure."""

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

LEAST_TURNS: Final = 5
"""Whole turns of each transport that a recommendation needs."""
MUCH_FASTER: Final = 0.8
"""Part of the other's first-event time from which on a transport is worth a setting."""


class Transport(enum.StrEnum):
    """How a turn is asked for."""

    HTTP = "http"
    WEBSOCKET = "websocket"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn; times are seconds from its beginning, connecting included."""

    transport: Transport
    connected: float = 0.0
    """Until the handshake was done; 0 where a POST does not tell."""
    first: float = 0.0
    """Until the first event with content."""
    total: float = 0.0
    """Until the answer was whole."""
    fault: str = ""
    """Why there was none: a code or a status; empty for a whole answer."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The turns of one transport."""

    transport: Transport
    turns: int
    failed: int
    faults: dict[str, int]
    """How often each fault came."""
    connected_p50: float
    first_p50: float
    first_p90: float
    total_p50: float
    total_p90: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both, and what to set."""

    model: str
    transports: list[Summary]
    recommended: str
    """For UPSTREAM_TRANSPORT; empty where too few turns were whole."""
    reason: str


def summary_of(transport: Transport, turns: Sequence[Turn]) -> Summary:
    """The figures of one transport's turns; times of whole answers only."""
    own = [turn for turn in turns if turn.transport is transport]
    whole = [turn for turn in own if not turn.fault]
    faults: dict[str, int] = {}
    for turn in own:
        if turn.fault:
            faults[turn.fault] = faults.get(turn.fault, 0) + 1
    return Summary(
        transport=transport,
        turns=len(own),
        failed=len(own) - len(whole),
        faults=faults,
        connected_p50=percentile([turn.connected for turn in whole], 50),
        first_p50=percentile([turn.first for turn in whole], 50),
        first_p90=percentile([turn.first for turn in whole], 90),
        total_p50=percentile([turn.total for turn in whole], 50),
        total_p90=percentile([turn.total for turn in whole], 90),
    )


def comparison_of(model: str, turns: Sequence[Turn]) -> Comparison:
    """Both transports' figures and what follows."""
    http, websocket = (summary_of(each, turns) for each in Transport)
    recommended, reason = _recommended(http, websocket)
    return Comparison(
        model=model, transports=[http, websocket], recommended=recommended, reason=reason
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below or at which so many percent are (nearest rank); 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def _recommended(http: Summary, websocket: Summary) -> tuple[str, str]:
    if http.turns - http.failed < LEAST_TURNS:
        return "", "too few turns by POST were whole to compare with"
    if websocket.turns - websocket.failed < LEAST_TURNS:
        return "http", "too few turns over WebSocket were whole"
    part = websocket.first_p50 / http.first_p50 if http.first_p50 else 1.0
    told = f"its first event came after {part:.0%} of the time a POST takes"
    if part > MUCH_FASTER:
        return "http", f"WebSocket is not much faster: {told}"
    if websocket.failed > http.failed:
        return "auto", f"WebSocket is faster but fails more often: {told}"
    return "websocket", f"WebSocket is faster: {told}"
