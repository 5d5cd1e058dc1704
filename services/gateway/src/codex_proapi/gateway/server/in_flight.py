"""The registry of exchanges in flight: counts and limits them, and interrupts them on demand.

A request beyond the limit is refused at once, not queued.
"""

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.gateway.errors import GatewayError, Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

RESTARTING = "This server is restarting. Please send the request again."


class Running(Protocol):
    """The part of an exchange that the registry uses."""

    @property
    def key(self) -> ApiKey | None:
        """The client's key; None in open mode."""

    @property
    def account(self) -> str:
        """Id of the account that answers; empty before one does."""

    def interrupt(self, reason: GatewayError | None) -> None:
        """Interrupt it; `reason` is the client's error."""


class InFlight:
    """The exchanges in flight on this replica."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._exchanges: set[Running] = set()
        self.enter: Callable[[Running], None] = self._exchanges.add
        """Adds an exchange."""
        self.leave: Callable[[Running], None] = self._exchanges.discard
        """Removes an exchange."""
        self._empty: asyncio.Event | None = None
        """Set once the last exchange has left; there is one while that is waited for."""
        self._ended = False
        self.arriving = 0
        """Requests being authenticated; they count, else slow lookups would admit any number."""
        self.draining = False
        """Whether the process is draining; `/readyz` fails then."""

    def __repr__(self) -> str:
        return f"<InFlight {len(self._exchanges)} of {self._most}>"

    def __len__(self) -> int:
        return len(self._exchanges)

    def check(self) -> None:
        """Raise Overloaded if the limit is reached, or the registry was closed."""
        if self._ended:
            raise Overloaded(RESTARTING)
        if len(self._exchanges) + self.arriving >= self._most:
            raise Overloaded("Too many requests are under way here. Please try again.")

    def by_account(self) -> dict[str, int]:
        """Number of exchanges in flight by account id."""
        return dict(Counter(each.account for each in self._exchanges if each.account))

    def key_ids(self) -> set[str]:
        """Ids of the keys with exchanges in flight."""
        return {each.key.id for each in self._exchanges if each.key is not None}

    def end(self, key_id: str, reason: GatewayError) -> None:
        """Interrupt every exchange of one key with an error."""
        for exchange in tuple(self._exchanges):
            if exchange.key is not None and exchange.key.id == key_id:
                exchange.interrupt(reason)

    def end_all(self) -> None:
        """End every exchange with an error that says why."""
        for exchange in tuple(self._exchanges):
            exchange.interrupt(Overloaded(RESTARTING))

    async def close(self, seconds: float) -> None:
        """Interrupt every exchange, refuse new ones, and wait at most `seconds` until none is left."""
        self._ended = True
        self.end_all()
        if not self._exchanges:
            return
        empty = self._empty = self._empty or asyncio.Event()
        self.leave = self._leave_last
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await empty.wait()

    def _leave_last(self, exchange: Running) -> None:
        """Remove an exchange while the last one's end is waited for."""
        self._exchanges.discard(exchange)
        if self._empty is not None and not self._exchanges:
            self._empty.set()
