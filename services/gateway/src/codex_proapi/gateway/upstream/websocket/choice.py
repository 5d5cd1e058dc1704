"""Which transport carries the next request: the setting, what was refused, what was measured.

Faults of WebSocket are no faults of an account: they only have this replica use POST for a while.
"""

import collections
import statistics
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from codex_proapi.gateway.metrics.histograms import HotHistogram
from codex_proapi.gateway.settings import TransportSetting

AWAY_SECONDS: Final = 600.0
"""How long POST is used after WebSocket was refused or has failed; then it is tried again."""
MOST_FAULTS: Final = 2
"""Faults in a row after which POST is used for AWAY_SECONDS; one silence suffices, it costs 30 seconds."""
SAMPLES: Final = 20
"""First-event times that are remembered of each transport."""
LEAST_SAMPLES: Final = 8
"""Times of each transport that a comparison needs."""
SLOWER: Final = 1.1
"""How many times longer WebSocket may take than POST before `auto` prefers POST."""
EXPLORED: Final = 20
"""One request in so many takes the other transport, so that the comparison stays true."""
ACCOUNT_STATUSES: Final = frozenset({401, 403, 429})
"""Statuses of a handshake that concern its account only; the POST that follows shows whether they do."""

_SERVER_FAULTS: Final = 500

log = structlog.get_logger(__name__)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether WebSocket carries a request, and why (or why not), for the log."""

    by_socket: bool
    why: str


_POST_AS_SET: Final = Decision(by_socket=False, why="")
_SOCKET_AS_SET: Final = Decision(by_socket=True, why="as set")


def _post(why: str) -> Decision:
    return Decision(by_socket=False, why=why)


def _socket(why: str) -> Decision:
    return Decision(by_socket=True, why=why)


class TransportChoice:
    """The state of one replica.

    Args:
        setting: what the operator wants.
        clock: monotonic seconds.
        first_event: counts first-event times.
    """

    def __init__(
        self, setting: TransportSetting, *, clock: Callable[[], float], first_event: HotHistogram
    ) -> None:
        self._first_event = first_event
        self._setting = setting
        self.looks_at_models = setting is TransportSetting.AUTO
        """Whether it matters which transport the catalogue prefers for a model."""
        self._clock = clock
        self._away_until = 0.0
        self._faults = 0
        self._away: dict[str, float] = {}
        self._proven: set[str] = set()
        self._posted: set[str] = set()
        self._trying: set[str] = set()
        self._count = 0
        self._times: dict[str, collections.deque[float]] = {
            each: collections.deque(maxlen=SAMPLES) for each in ("http", "websocket")
        }

    def __repr__(self) -> str:
        return f"<TransportChoice {self._setting.value}>"

    def decide(self, account: str, *, preferred: bool) -> Decision:
        """Decide about the next request; if WebSocket carries it `ended` or `failed` must be called.

        Args:
            account: the account that is asked.
            preferred: whether the catalogue prefers WebSocket for the model.
        """
        if self._setting is TransportSetting.HTTP:
            return _POST_AS_SET
        now = self._clock()
        if now < self._away_until:
            return _post("left after faults")
        if self._away.get(account, 0.0) > now:
            return _post("refused to this account")
        if self._setting is TransportSetting.WEBSOCKET:
            return _SOCKET_AS_SET
        return self._auto(account) if preferred else _post("not preferred for the model")

    def _auto(self, account: str) -> Decision:
        """POST first, then one turn at a time until one was whole, then whatever is faster."""
        if account not in self._posted:
            return _post("begins by POST")
        if account not in self._proven:
            if account in self._trying:
                return _post("tried by another request")
            self._trying.add(account)
            return _socket("first try")
        self._count += 1
        compares = self._count % EXPLORED == 0
        slower = self._is_slower()
        why = "to compare" if compares else "POST is faster" if slower else "not slower"
        return _socket(why) if slower == compares else _post(why)

    def _is_slower(self) -> bool:
        posts, sockets = self._times["http"], self._times["websocket"]
        if min(len(posts), len(sockets)) < LEAST_SAMPLES:
            return False
        return statistics.median(sockets) > SLOWER * statistics.median(posts)

    def medians(self) -> dict[str, float]:
        """The median of the last first-event times of each transport, seconds; only what was measured."""
        return {name: statistics.median(times) for name, times in self._times.items() if times}

    def posted(self, account: str, seconds: float) -> None:
        """Note how long a POST took to its first event with content."""
        self._first_event.of("http").note(seconds)
        self._times["http"].append(seconds)
        self._posted.add(account)

    def carried(self, seconds: float) -> None:
        """Note how long a request over WebSocket took to its first event with content."""
        self._first_event.of("websocket").note(seconds)
        self._times["websocket"].append(seconds)

    def ended(self, account: str, *, whole: bool) -> None:
        """Note the end of a request that WebSocket carried."""
        self._trying.discard(account)
        if whole:
            self._proven.add(account)
            self._faults = 0

    def failed(self, account: str, kind: str, *, status: int = 0) -> None:
        """Note a fault of WebSocket.

        Args:
            account: the account that was asked.
            kind: what it was, for the log.
            status: the handshake's status, if it was refused.
        """
        self._trying.discard(account)
        until = self._clock() + AWAY_SECONDS
        if status in ACCOUNT_STATUSES:
            self._away[account] = until
        else:
            self._faults += 1
            refused = status and status < _SERVER_FAULTS
            if not refused and kind != "silent" and self._faults < MOST_FAULTS:
                return
            self._faults, self._away_until = 0, until
        log.warning("upstream.socket_left", kind=kind, status=status, seconds=AWAY_SECONDS)
