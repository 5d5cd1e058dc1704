"""The exchanges under way: how many there are, whose they are, and how they are ended from outside.

Over the limit a request is refused at once: a queue would only make everybody wait.
"""

import asyncio
import contextlib
from collections import Counter
from typing import Protocol

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.gateway.errors import GatewayError, Overloaded

RESTARTING = "This server is restarting. Please send the request again."


class Running(Protocol):
    """An exchange, as far as this registry is concerned."""

    @property
    def key(self) -> ApiKey | None:
        """The client's key; None in open mode."""

    @property
    def account(self) -> str:
        """Id of the account that answers; empty before one does."""

    def interrupt(self, reason: GatewayError | None) -> None:
        """End it; the reason is what the client gets."""


class InFlight:
    """The exchanges under way on this replica."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._exchanges: set[Running] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._ended = False
        self.arriving = 0
        """Requests whose key is being looked up: they count, or a slow lookup would let in any number."""
        self.draining = False
        """Whether the process is about to stop; told at `/readyz`."""

    def __repr__(self) -> str:
        return f"<InFlight {len(self._exchanges)} of {self._most}>"

    def __len__(self) -> int:
        return len(self._exchanges)

    def check(self) -> None:
        """Raise Overloaded if there is no room for one more, or if all were ended."""
        if self._ended:
            raise Overloaded(RESTARTING)
        if len(self._exchanges) + self.arriving >= self._most:
            raise Overloaded("Too many requests are under way here. Please try again.")

    def enter(self, exchange: Running) -> None:
        """Count one exchange in."""
        self._exchanges.add(exchange)
        self._empty.clear()

    def leave(self, exchange: Running) -> None:
        """Count it out."""
        self._exchanges.discard(exchange)
        if not self._exchanges:
            self._empty.set()

    def by_account(self) -> dict[str, int]:
        """How many are under way for each account."""
        return dict(Counter(each.account for each in self._exchanges if each.account))

    def key_ids(self) -> set[str]:
        """The keys in whose name something is under way."""
        return {each.key.id for each in self._exchanges if each.key is not None}

    def end(self, key_id: str, reason: GatewayError) -> None:
        """End every exchange of one key with an error."""
        for exchange in tuple(self._exchanges):
            if exchange.key is not None and exchange.key.id == key_id:
                exchange.interrupt(reason)

    def end_all(self) -> None:
        """End every exchange with an error that says why."""
        for exchange in tuple(self._exchanges):
            exchange.interrupt(Overloaded(RESTARTING))

    async def close(self, seconds: float) -> None:
        """End every exchange, begin none any more, and wait at most so long until none is left."""
        self._ended = True
        self.end_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
