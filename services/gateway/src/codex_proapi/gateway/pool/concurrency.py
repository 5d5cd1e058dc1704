"""The concurrency limit of accounts: slots, and the queue of requests that found none free.

All replicas share the queue. A slot that is given back goes in the same step to the key that holds
least for its weight, and among its requests to the oldest; that request's replica is woken at once.
A waiter looks again every few seconds all the same: a wake may be lost, accounts and limits may
change. Without a limit nothing here is asked of Redis.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import Scripts, mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.limits.redis_leases import RedisLeases, renew_regularly

LEASE_SECONDS: Final = 45.0
"""How long a slot is held without being renewed."""
CHECK_SECONDS: Final = 10.0
"""How long one waits at most before looking again whether other accounts have come free."""
TEND_SECONDS: Final = 1.0
"""How often somebody who waits looks for leases that have ended: their replicas are dead."""
MOST_WAITING: Final = 1000
"""Requests in the queue, of all replicas; one more is refused at once."""
RETRY_SECONDS: Final = 0.25

log = structlog.get_logger(__name__)


class Waiter(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a slot is asked for."""

    request_id: str = ""
    key_id: str = "open"
    weight: float = 1.0
    """The key's share where slots are scarce."""
    since: float = 0.0
    """When it came, seconds since the epoch by the shared clock: its place in the queue."""


class AccountQueue:
    """The slots that this replica's exchanges hold or wait for."""

    def __init__(
        self,
        redis: Redis,
        *,
        blocking_redis: Redis,
        replica: str,
        tasks: Tasks,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._leases = RedisLeases(
            redis, clock=clock, seconds=LEASE_SECONDS, kept=keyspace.SLOT_SECONDS
        )
        self._blocking_redis = blocking_redis
        self._wakes = keyspace.wakes(replica)
        self._replica = replica
        self._tasks = tasks
        self._scripts = Scripts(redis, __package__)
        self._held: dict[str, str] = {}
        """By request: its slot, or "" where it may have one or a place in the queue."""
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._listens = False
        self.most = 0
        """Answers one account may give at a time; 0 is no limit. May change while running."""

    def __repr__(self) -> str:
        return f"<AccountQueue {len(self._held)} held, {len(self._waiting)} waited for>"

    @property
    def waiting(self) -> int:
        """How many exchanges of this replica wait."""
        return len(self._waiting)

    def holds(self, request_id: str) -> bool:
        """Whether an exchange may have a slot, or a place in the queue, to give back."""
        return request_id in self._held

    async def take(self, account_id: str, waiter: Waiter) -> Sequence[str]:
        """Take a slot of an account, giving back any other; else the accounts that have none.

        Nobody is overtaken: an account that others wait for has none. Raises StoreUnavailable.
        """
        # Noted before it is known: who leaves meanwhile gives back what Redis may have given.
        self._held[waiter.request_id] = _slot(account_id, waiter)
        taken, *full = await self._do("take", waiter.request_id, account_id, waiter.key_id)
        if taken:
            return ()
        self._held[waiter.request_id] = ""
        return full

    async def wait(self, accounts: Sequence[str], waiter: Waiter, *, seconds: float) -> str | None:
        """Wait for a slot of one of these accounts; gives the account whose slot is handed over.

        "" is nothing yet: look again, the place in the queue goes by when one came. None is that
        the queue takes nobody more. What is handed over has to be taken. Raises StoreUnavailable.
        """
        woken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        seconds = min(seconds, CHECK_SECONDS)
        self._held.setdefault(waiter.request_id, "")
        self._waiting[waiter.request_id] = woken
        try:
            if not await self._queue(accounts, waiter, seconds=seconds):
                return None
            self._listen()
            async with asyncio.timeout(seconds):
                return await woken
        except TimeoutError:
            return ""
        finally:
            del self._waiting[waiter.request_id]

    async def free(self, request_id: str) -> None:
        """Give back an exchange's slot. While Redis is away it waits for its lease to end."""
        if request_id in self._held:
            await self._give_up(request_id)
            self._held.pop(request_id, None)

    async def close(self) -> None:
        """Give back what is left when the replica ends."""
        for request_id in tuple(self._held):
            await self.free(request_id)

    async def renew(self) -> None:
        """Renew the slots of all exchanges here. Raises StoreUnavailable."""
        if held := list(filter(None, self._held.values())):
            await self._leases.renew({keyspace.slots(): held})

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Renew until cancelled."""
        await renew_regularly(self.renew, event="slots.waited", sleep=sleep)

    async def _queue(self, accounts: Sequence[str], waiter: Waiter, *, seconds: float) -> bool:
        until = self._clock() + seconds
        whose = f"{waiter.weight} {waiter.key_id} {self._replica}"
        entry = f"{waiter.since} {until} {whose} {' '.join(accounts)} "
        [queued] = await self._do("wait", waiter.request_id, entry, MOST_WAITING)
        return bool(queued)

    def _listen(self) -> None:
        if not self._listens:
            self._listens = True
            self._tasks.start(self._wake(), name="wakes")

    async def _wake(self) -> None:
        """Wake whoever is handed a slot, as long as anybody waits."""
        deaf = False
        try:
            while self._waiting:
                try:
                    await self._hear()
                except StoreUnavailable as error:
                    log.debug("wakes.waited", error=str(error))
                    deaf = True
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    if deaf:
                        self._send_looking()
                    deaf = False
        finally:
            self._listens = False

    async def _hear(self) -> None:
        with mapped():
            told: Any = await self._blocking_redis.blpop([self._wakes], timeout=TEND_SECONDS)
        if told is None:
            await self._do("tend", "")
            return
        request_id, _, account_id = told[1].partition(" ")
        woken = self._waiting.get(request_id)
        if woken is not None and not woken.done():
            woken.set_result(account_id)
        elif request_id not in self._held:  # it has left in the very moment
            await self._give_up(request_id)

    def _send_looking(self) -> None:
        """Redis was away: the queue may be gone with it, and wakes with the connection."""
        for woken in self._waiting.values():
            if not woken.done():
                woken.set_result("")

    async def _give_up(self, request_id: str) -> None:
        try:
            await self._do("free", request_id)
        except StoreUnavailable as error:
            log.debug("slot.kept", error=str(error))

    async def _do(self, action: str, request_id: str, *args: Any) -> Sequence[Any]:
        keys = [keyspace.slots(), keyspace.queue()]
        provided = [action, self.most, LEASE_SECONDS, keyspace.wakes(""), request_id, *args]
        done: Sequence[Any] = await self._scripts.repeat("slots", keys, provided)
        return done


def _slot(account_id: str, waiter: Waiter) -> str:
    """A slot's member of the set."""
    return f"{account_id} {waiter.request_id} {waiter.key_id}"
