"""Concurrency slots of accounts (`ACCOUNT_STREAMS`), and the queue of requests waiting for one.

All replicas share the queue. Freeing a slot assigns it atomically to the waiting key that holds
fewest slots for its weight, and among that key's requests to the oldest; its replica is notified
through a Redis list. A waiter polls every few seconds as well, because a notification may be lost
and accounts and limits may change. Without a limit nothing here uses Redis.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import REDIS_ERRORS, mapped
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.limits.expiring_members import ExpiringMembers, renew_regularly

HOLD_SECONDS: Final = 45.0
"""Seconds a slot is held without being renewed."""
CHECK_SECONDS: Final = 10.0
"""Most seconds of one wait, after which all accounts are checked again."""
TEND_SECONDS: Final = 1.0
"""Seconds between two removals of expired slots, whose replicas have died, while anyone waits."""
MOST_WAITING: Final = 1000
"""Most requests in the queue, of all replicas; a further one is refused at once."""
RETRY_SECONDS: Final = 0.25
MOST_KEPT: Final = 2000
"""Most slots that are to be released once Redis answers; others expire after HOLD_SECONDS."""
FORMS: Final = {
    keyspace.slots(): Form.SORTED_SET,
    keyspace.queue(): Form.HASH,
    operator_keys.slot_counts(): Form.SORTED_SET,
    operator_keys.slot_holders(): Form.HASH,
}
"""The keys of the script in their order, and their forms: a value of another Redis type is replaced, lest it refuses all."""

KEYS: Final = tuple(FORMS)
WAKES: Final = keyspace.wakes("")

log = structlog.get_logger(__name__)


class Waiter(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a slot: its id, its key, and its position in the queue."""

    request_id: str = ""
    key_id: str = "open"
    weight: float = 1.0
    """The key's share where slots are scarce."""
    since: float = 0.0
    """Arrival, seconds since the epoch by the shared clock: its position in the queue."""


class AccountQueue:
    """The slots that this replica's exchanges hold or wait for.

    Args:
        redis: for slots and queue.
        connection: a multiplexed connection for their scripts.
        blocking_redis: a client whose connection may block in BLPOP.
        replica: this replica's id, which names its list of notifications.
        tasks: runs the task that receives notifications.
        clock: seconds since the epoch, by the shared clock.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        blocking_redis: Redis,
        connection: MultiplexedConnection | None = None,
        replica: str,
        tasks: Tasks,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._members = ExpiringMembers(
            redis,
            connection=connection,
            clock=clock,
            seconds=HOLD_SECONDS,
            kept=keyspace.SLOT_SECONDS,
        )
        self._blocking_redis = blocking_redis
        self._wakes = keyspace.wakes(replica)
        self._replica = replica
        self._tasks = tasks
        self._scripts = Scripts(redis, __package__, connection=connection)
        self._repair = TypeRepair(redis)
        self._held: dict[str, str] = {}
        """Slot by request id, as a member of the set of slots; "" while it may hold one or be queued."""
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._listens = False
        self._kept: deque[str] = deque(maxlen=MOST_KEPT)
        """Requests whose slot could not be released, as Redis did not answer."""
        self.most = 0
        """Concurrent answers per account; 0 for no limit. May change while running."""

    def __repr__(self) -> str:
        return f"<AccountQueue {len(self._held)} held, {len(self._waiting)} waited for>"

    @property
    def waiting(self) -> int:
        """Number of exchanges of this replica that wait."""
        return len(self._waiting)

    def holds(self, request_id: str) -> bool:
        """Whether an exchange may hold a slot, or be queued, so that `free` is needed."""
        return request_id in self._held

    async def take(self, account_id: str, waiter: Waiter) -> Sequence[str]:
        """Acquire a slot of an account, releasing any other slot of the request.

        Returns an empty sequence on success, else the ids of the accounts without a free slot. An
        account that other requests wait for has none. Raises StoreUnavailable.
        """
        # Set before the call: a request cancelled meanwhile frees a slot Redis may have assigned.
        request_id, key_id = waiter.request_id, waiter.key_id
        self._held[request_id] = f"{account_id} {request_id} {key_id}"
        args = ("take", self.most, HOLD_SECONDS, WAKES, request_id, account_id, key_id)
        try:
            done: Sequence[Any] = await self._scripts.start("slots", KEYS, args)
        except REDIS_ERRORS as error:
            done = await self._recovered(error, args)
        if done[0]:
            return ()
        self._held[request_id] = ""
        return done[1:]

    async def wait(self, accounts: Sequence[str], waiter: Waiter, *, seconds: float) -> str | None:
        """Wait for a slot of one of these accounts.

        Returns the id of the account whose slot was assigned, which must be acquired with `take`;
        "" if none was assigned yet and the accounts should be checked again (the position in the
        queue depends on `waiter.since`); None if the queue is full. Raises StoreUnavailable.
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
        """Release an exchange's slot; while Redis is away, as soon as it is back (`free_kept`)."""
        if request_id in self._held:
            await self._give_up(request_id)
            self._held.pop(request_id, None)

    def release(self, request_id: str) -> None:
        """Release the slot of an exchange, if it may hold one, in the background."""
        if request_id in self._held:
            args = ("free", self.most, HOLD_SECONDS, WAKES, request_id)
            reply = self._scripts.start_kept("slots", KEYS, args)
            reply.add_done_callback(partial(self._released, request_id))

    def _released(self, request_id: str, reply: asyncio.Future[Any]) -> None:
        if not reply.cancelled() and reply.exception() is None:
            self._held.pop(request_id, None)
        elif request_id in self._held:  # unless the queue was closed meanwhile
            self._tasks.start(self.free(request_id), name="free slot")

    async def free_kept(self) -> None:
        """Release the slots that could not be released while Redis was away; else they expire."""
        while self._kept:
            try:
                await self._do("free", self._kept[0])
            except StoreUnavailable as error:
                log.debug("slot.kept", error=str(error))
                return
            self._kept.popleft()

    async def close(self) -> None:
        """Release all slots of this replica, when it shuts down."""
        for request_id in tuple(self._held):
            await self.free(request_id)

    async def renew(self) -> None:
        """Renew the slots of all exchanges of this replica. Raises StoreUnavailable."""
        if held := list(filter(None, self._held.values())):
            await self._members.renew({keyspace.slots(): held})

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
        """Receive notifications of assigned slots as long as any exchange waits."""
        was_away = False
        try:
            while self._waiting:
                try:
                    await self._receive()
                except StoreUnavailable as error:
                    log.debug("wakes.waited", error=str(error))
                    was_away = True
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    if was_away:
                        self._recheck_all()
                    was_away = False
        finally:
            self._listens = False

    async def _receive(self) -> None:
        with mapped():
            reply: Any = await self._blocking_redis.blpop([self._wakes], timeout=TEND_SECONDS)
        if reply is None:
            await self._do("tend", "")
            return
        request_id, _, account_id = reply[1].partition(" ")
        woken = self._waiting.get(request_id)
        if woken is not None and not woken.done():
            woken.set_result(account_id)
        elif request_id not in self._held:  # it was cancelled when the slot was assigned
            await self._give_up(request_id)

    def _recheck_all(self) -> None:
        """Have all waiters check again: queue and notifications may be lost after an outage."""
        for woken in self._waiting.values():
            if not woken.done():
                woken.set_result("")

    async def _give_up(self, request_id: str) -> None:
        try:
            await self._do("free", request_id)
        except StoreUnavailable as error:
            self._kept.append(request_id)
            log.debug("slot.kept", error=str(error))

    async def _do(self, action: str, request_id: str, *args: Any) -> Sequence[Any]:
        provided = (action, self.most, HOLD_SECONDS, WAKES, request_id, *args)
        try:
            done: Sequence[Any] = await self._scripts.start("slots", KEYS, provided)
        except REDIS_ERRORS as error:
            done = await self._recovered(error, provided)
        return done

    async def _recovered(self, error: Exception, args: Sequence[Any]) -> Sequence[Any]:
        """Run the script again after an error, if it may help: also where a value had another type."""
        try:
            done: Sequence[Any] = await self._scripts.recover(error, "slots", KEYS, args)
        except StoreUnavailable as refused:
            if not await self._repair.repair(refused, FORMS):
                raise
            done = await self._scripts.repeat("slots", KEYS, args)
        return done
