"""Scripts that meet a key of another type or a value they cannot read, and scripts that run twice."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from support.exchanges import a_record
from support.logins import a_login
from support.redis_dump import dump
from support.slots import slots_in_use
from support.stored_forms import CIPHER
from support.stored_nodes import NOW, response_of

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenQuota
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.limits import Limit, Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.type_repair import TypeRepair
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.counters import day_of
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.limits.limit_charge import charge_for
from codex_proapi.gateway.pool.slot_queue import FORMS, AccountQueue, Waiter
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

FAR = 4_000_000_000
COOLDOWN = Cooldown(until=FAR, reason=CooldownReason.QUOTA, since=1.0)
SECRET_DIGEST = "0" * 64


class Scene:
    """An account that cools, two API keys with limits, and a pool whose slots are all held."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.accounts, self.keys = AccountStore(redis, CIPHER), KeyStore(redis, CIPHER)
        self.cooldowns, self.quotas = CooldownStore(redis), QuotaStore(redis)
        self.snapshots, self.settlements = SnapshotReader(redis), SettlementWriter(redis)
        self.responses = ResponseStore(redis, CIPHER)
        self.pool = Scripts(redis, "codex_proapi.gateway.pool")
        self.account_id = self.key_id = ""
        self.version = 0

    async def set(self) -> None:
        self.account_id = (await self.accounts.add(a_login(exp=FAR))).id
        self.key_id = (await self.keys.create("laptop"))[0].id
        self.version = await self.keys.version()
        await self.cooldowns.cool(self.account_id, COOLDOWN)
        await AffinityWriter(self.redis).tie({"f1": "acc_1"})
        await self.look(1)
        await self.slots("take", "k-1", "a", "k")
        await self.slots("take", "k-4", "b", "k")
        await self.slots("wait", "k-2", self.place("a"), 100)
        await self.keep(1)

    async def look(self, number: int, key_id: str = "key_1") -> Any:
        """A snapshot with a charge to the limits of a key, and a claim to its fair share."""
        limits = Limits(rpm=9, tpm=999, concurrent=9, tokens_day=999)
        request_id = f"req_{number}"
        charge = charge_for(key_id, limits, request_id=request_id, version=self.version, tokens=9)
        share = FairShare(key_id=key_id, weight=1.0, request_id=request_id, tokens=90)
        request = SnapshotRequest(model="m", affinity="f1", charge=charge, fair_share=share)
        return await self.snapshots.read(request)

    async def slots(self, operation: str, request: str, *args: Any) -> Sequence[Any]:
        keys = [*FORMS]
        given = [operation, 1, 45, keyspace.wakes(""), request, *args]
        done: Sequence[Any] = await self.pool.repeat("slots", keys, given)
        return done

    def place(self, account: str) -> str:
        return f"1.0 {FAR} 1.0 k two {account} "

    async def keep(self, number: int) -> Any:
        history = [b'{"id":"msg_%d"}' % n for n in range(number)]
        return await self.responses.keep(
            "key_1", f"resp_{number}", history, response=response_of(), now=NOW
        )

    async def adopt(self) -> None:
        digests = str(await self.redis.hget(keyspace.key(self.key_id), "digests")).split()
        await self.keys._adopt(self.key_id, digests[0], SECRET_DIGEST)


@pytest.fixture
async def scene(redis_client: Redis) -> Scene:
    scene = Scene(redis_client)
    await scene.set()
    return scene


async def poison(redis: Redis, *names: str) -> dict[str, Any]:
    """Make these keys lists; everything that Redis then holds."""
    for name in names:
        await redis.delete(name)
        await redis.rpush(name, "of another type")
    return await dump(redis)


COUNTERS = [keyspace.accounts_version, keyspace.cursor]
VERSIONS = [keyspace.accounts_version, keyspace.keys_version]
SHARED = [*COUNTERS, keyspace.keys_version, keyspace.cooldowns, keyspace.fair_shares]


@pytest.fixture
def unrepaired(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts alone, before what they met is replaced."""

    async def none_replaced(*_: Any) -> bool:
        return False

    monkeypatch.setattr(TypeRepair, "repair", none_replaced)


@pytest.mark.parametrize("name", SHARED)
async def test_shared_keys_of_another_type_are_replaced_and_the_snapshot_is_read(
    scene: Scene, name: Callable[[], str]
) -> None:
    await poison(scene.redis, name())
    version = await scene.snapshots.read(SnapshotRequest(model="m"))

    allowance = (await scene.look(2)).allowance

    assert await scene.redis.type(name()) != "list"
    if name in VERSIONS:  # each process reads anew what it counts
        assert int(str(await scene.redis.get(name()))) > 1_700_000_000_000
    if name is keyspace.keys_version:
        assert allowance is None, "the charge was made from keys of another version"
        assert version.keys_version == await scene.keys.version()
    if name is keyspace.accounts_version:
        assert version.accounts_version == await scene.accounts.version()


@pytest.mark.parametrize("value", ["", "many", "1.5", "9" * 30])
@pytest.mark.parametrize("name", VERSIONS)
async def test_versions_that_are_no_numbers_are_replaced(
    scene: Scene, name: Callable[[], str], value: str
) -> None:
    await scene.redis.set(name(), value)

    versions = await scene.snapshots.versions()

    assert versions == (await scene.accounts.version(), await scene.keys.version())
    assert int(str(await scene.redis.get(name()))) > 1_700_000_000_000


@pytest.mark.usefixtures("unrepaired")
@pytest.mark.parametrize("name", [*COUNTERS, keyspace.cooldowns, keyspace.fair_shares])
async def test_a_snapshot_of_shared_keys_of_another_type_charges_nothing(
    scene: Scene, name: Callable[[], str]
) -> None:
    before = await poison(scene.redis, name())

    with pytest.raises(StoreUnavailable):
        await scene.look(2)

    assert await dump(scene.redis) == before


@pytest.mark.usefixtures("unrepaired")
@pytest.mark.parametrize("name", COUNTERS)
async def test_a_snapshot_of_a_counter_that_is_no_number_charges_nothing(
    scene: Scene, name: Callable[[], str]
) -> None:
    await scene.redis.set(name(), "many")
    before = await dump(scene.redis)

    with pytest.raises(StoreUnavailable):
        await scene.look(2)

    assert await dump(scene.redis) == before


@pytest.mark.usefixtures("unrepaired")
@pytest.mark.parametrize("value", ["", "many"])
async def test_without_the_version_of_the_keys_there_is_no_snapshot(
    scene: Scene, value: str
) -> None:
    await poison(scene.redis, keyspace.keys_version())
    if value:
        await scene.redis.set(keyspace.keys_version(), value)
    before = await dump(scene.redis)

    with pytest.raises(StoreUnavailable):
        await scene.snapshots.read(SnapshotRequest(model="m"))

    assert await dump(scene.redis) == before


async def test_a_tie_of_another_type_is_none_and_the_version_of_the_cooldowns_is_not_needed(
    scene: Scene,
) -> None:
    await poison(scene.redis, keyspace.affinity("f1"), keyspace.cooldowns_version())

    snapshot = await scene.look(2)

    assert (snapshot.affine, set(snapshot.cooldowns)) == (None, {scene.account_id})
    await AffinityWriter(scene.redis).tie({"f1": "acc_1"})
    assert (await scene.look(3)).affine == "acc_1"


def usage(key_id: str) -> list[str]:
    """The usage of a key, of today and tomorrow: midnight may come."""
    return [keyspace.usage(day_of(time.time() + n * keyspace.DAY), "key", key_id) for n in range(2)]


@pytest.mark.parametrize(
    "names",
    [
        lambda key_id: [keyspace.minute_requests(key_id)],
        lambda key_id: [keyspace.minute_tokens(key_id)],
        lambda key_id: [keyspace.streams(key_id)],
        usage,
    ],
    ids=["requests", "tokens", "streams", "usage"],
)
async def test_limits_of_another_type_refuse_their_own_key_only_and_charge_nothing(
    scene: Scene, names: Callable[[str], list[str]], unrepaired: None
) -> None:
    before = await poison(scene.redis, *names("key_1"))

    with pytest.raises(StoreUnavailable):
        await scene.look(2)

    assert await dump(scene.redis) == before
    allowance = (await scene.look(3, "key_2")).allowance
    assert allowance is None or allowance.refused is Limit.NONE  # None: midnight came


@pytest.mark.parametrize(
    "name", [keyspace.minute_requests, keyspace.minute_tokens, keyspace.streams]
)
async def test_what_a_minute_counts_is_replaced(scene: Scene, name: Callable[[str], str]) -> None:
    await poison(scene.redis, name("key_1"))

    allowance = (await scene.look(2)).allowance

    assert allowance is None or allowance.refused is Limit.NONE  # None: midnight came
    assert await scene.redis.type(name("key_1")) != "list"


async def test_tokens_of_a_minute_that_are_no_number_charge_nothing(scene: Scene) -> None:
    now = int(time.time())
    odd: dict[Any, Any] = dict.fromkeys(range(now, now + 900), "many")
    await scene.redis.hset(keyspace.minute_tokens("key_1"), mapping=odd)
    before = await dump(scene.redis)

    with pytest.raises(StoreUnavailable):
        await scene.look(2)

    assert await dump(scene.redis) == before


OPERATIONS: dict[str, tuple[Any, ...]] = {
    "take": ("k-1", "b", "k"),
    "wait": ("k-3", f"2.0 {FAR} 1.0 k one a ", 100),
    "free": ("k-1",),
    "tend": ("",),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_slots_or_a_queue_of_another_type_are_an_error_and_nothing_has_changed(
    scene: Scene, operation: str, name: str
) -> None:
    before = await poison(scene.redis, name)

    with pytest.raises(StoreUnavailable):
        await scene.slots(operation, *OPERATIONS[operation])

    assert await dump(scene.redis) == before


@pytest.mark.parametrize("name", FORMS)
async def test_slots_or_a_queue_of_another_type_are_replaced(scene: Scene, name: str) -> None:
    slots = AccountQueue(
        scene.redis, blocking_redis=scene.redis, replica="two", tasks=Tasks(), clock=time.time
    )
    slots.most = 1
    await poison(scene.redis, name)

    assert not await slots.take("c", Waiter(request_id="k-9", key_id="k"))

    assert await scene.redis.type(name) in ("none", "zset", "hash")


async def test_another_replicas_wakes_of_another_type_stop_nobody(scene: Scene) -> None:
    await scene.redis.set(keyspace.wakes("two"), "no list")

    assert await scene.slots("free", "k-1") == [1]

    assert sorted(await slots_in_use(scene.redis)) == ["a k-2 k", "b k-4 k"]
    assert await scene.redis.lrange(keyspace.wakes("two"), 0, -1) == ["k-2 a"]


async def test_a_digest_is_not_adopted_for_a_key_of_another_type(scene: Scene) -> None:
    found = keyspace.key_digest("found")
    await scene.redis.set(found, scene.key_id)
    for name in (keyspace.key(scene.key_id), found):
        before = await poison(scene.redis, name)

        with pytest.raises(StoreUnavailable):
            await scene.keys._adopt(scene.key_id, "found", SECRET_DIGEST)

        assert await dump(scene.redis) == before
        await scene.redis.delete(name)
        await scene.redis.hset(name, "digests", "found")


Run = Callable[[Scene], Awaitable[Any]]
TWICE: dict[str, Run] = {
    "add_account": lambda s: s.accounts.add(a_login(exp=FAR, refresh_token="rt_new")),
    "change_account": lambda s: s.accounts.pause(s.account_id),
    "remove_account": lambda s: s.accounts.remove(s.account_id),
    "reseal": lambda s: s.accounts.reseal(),
    "set_cooldown": lambda s: s.cooldowns.cool("acc_1", COOLDOWN),
    "clear_cooldowns": lambda s: s.cooldowns.clear(s.account_id),
    "save_quotas": lambda s: s.quotas.keep({"acc_1": lambda _: SeenQuota(seen_at=1.0)}),
    "save_key": lambda s: s.keys.create("desk"),
    "rotate": lambda s: s.keys.rotate(s.key_id, overlap=600),
    "change_key": lambda s: s.keys.revoke(s.key_id),
    "remove_key": lambda s: s.keys.remove(s.key_id),
    "adopt_digest": lambda s: s.adopt(),
    "snapshot": lambda s: s.look(2),
    "take": lambda s: s.slots("take", "k-3", "c", "k"),
    "wait": lambda s: s.slots("wait", "k-3", s.place("a"), 100),
    "free": lambda s: s.slots("free", "k-4"),
    "settle_once": lambda s: s.settlements.add([a_record(1), a_record(2)]),
    "keep_response": lambda s: s.keep(2),
    "delete_response": lambda s: s.responses.delete("key_1", "resp_1"),
}


async def held(redis: Redis) -> dict[str, Any]:
    """Everything in Redis but counters of changes, and times by the server's clock."""
    found = await dump(redis)
    for name in (keyspace.accounts_version, keyspace.keys_version, keyspace.cooldowns_version):
        found.pop(name(), None)
    found.pop(keyspace.cursor(), None)
    found[keyspace.slots()] = [member for member, _ in found[keyspace.slots()][1]]
    return found


@pytest.mark.parametrize("script", TWICE)
async def test_a_script_that_is_repeated_has_changed_the_same_as_once(
    scene: Scene, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    async def twice(
        self: Scripts, name: str, keys: Any, args: Any = (), *, durably: bool = False
    ) -> Any:
        reply = await self.run(name, keys, args, durably=durably)
        once = await held(scene.redis)
        await self.run(name, keys, args, durably=durably)
        assert await held(scene.redis) == once
        ran.append(name)
        return reply

    for way in ("repeat", "start", "start_kept"):
        monkeypatch.setattr(Scripts, way, twice)
    before = await held(scene.redis)
    await TWICE[script](scene)

    assert ran
    assert await held(scene.redis) != before
