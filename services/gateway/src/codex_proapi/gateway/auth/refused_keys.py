"""Tells the console's log of refused API keys: somebody's mistake is seen, guessing fills nothing.

Of an address the 1st, 10th, 100th … refusal of an hour is told, and of all addresses together each
of the first NEWS, then the 100th, 1000th …. Standard output has a line for each. A key that is
refused is nowhere written down, as it may be one of another service.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from codex_proapi.commons.api_keys.store import SECRET_PREFIX
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel
from codex_proapi.gateway.errors import BadKey
from codex_proapi.gateway.server import request_context

NEWS: Final = 20
"""Refusals per hour of all addresses that are told one by one."""
MOST_ADDRESSES: Final = 1000
"""Most addresses that are counted by themselves."""
_HOUR: Final = 3600


class RefusedKeys:
    """Counts the refusals of one replica.

    Args:
        tell: takes an entry of the log.
        clock: seconds since the epoch.
    """

    def __init__(self, tell: Callable[[LogEntry], None], *, clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._hour = 0
        self._told: Counter[str] = Counter()
        self._all = 0

    def __repr__(self) -> str:
        return f"<RefusedKeys {self._all} this hour>"

    def note(self, error: BadKey, *, secret: str, key_id: str = "") -> None:
        """Note the refusal of the request that is being served.

        Args:
            error: what its client is told.
            secret: the key as it was sent; empty for none.
            key_id: the key that it is, if it is one that has ended.
        """
        now, client = self._clock(), request_context.client()
        tries = self._count(client, int(now // _HOUR))
        if not tries:
            return
        detail: dict[str, str | int | float | bool] = {
            "ip": client,
            "reason": "ended" if key_id else _reason(secret),
        }
        if tries > 1:
            detail["tries"] = tries
        self._tell(
            LogEntry(
                at=now,
                level=LogLevel.WARNING,
                kind=LogKind.REQUEST,
                event="key.refused",
                key_id=key_id,
                request_id=request_context.request_id(),
                status=error.status,
                code=error.label,
                detail=detail,
            )
        )

    def _count(self, client: str, hour: int) -> int:
        """Count a refusal; gives how many it was of this hour, or 0 if it is no news."""
        if hour != self._hour:
            self._hour, self._all = hour, 0
            self._told.clear()
        self._all += 1
        if client in self._told or len(self._told) < MOST_ADDRESSES:
            self._told[client] += 1
        of_address = self._told[client]
        if self._all <= NEWS:
            return of_address if _is_power_of_ten(of_address) else 0
        return self._all if _is_power_of_ten(self._all) else 0


def _reason(secret: str) -> str:
    """What kind of key was sent."""
    if not secret:
        return "missing"
    return "unknown" if secret.startswith(SECRET_PREFIX) else "foreign"


def _is_power_of_ten(count: int) -> bool:
    return str(count).strip("0") == "1"
