"""A share that any replica has seen reached is known to every other one from its next snapshot on."""

from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.gateways import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenQuota
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.codex.quota_parser import Quota, QuotaFamily, QuotaWindow
from codex_proapi.commons.owner_terms.terms import OwnerTerms, ReservedPercent
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest
from codex_proapi.gateway.quota.newest_readings import NewestReadings
from codex_proapi.gateway.quota.tracker import READING_SECONDS, QuotaTracker

HALF = OwnerTerms(reserved_percent=ReservedPercent(weekly=50))
MODEL = "gpt-5.5"


class Poll:
    interval = 300

    def plan(self, seen_at: Any) -> None:
        pass


class Figures:
    def show(self, *args: Any, **named: Any) -> None:
        pass


class Replica:
    """What one gateway knows of quotas, read by snapshots."""

    def __init__(self, redis: Any, store: AccountStore, clock: Clock) -> None:
        self.store, self.view = store, AccountView(store)
        parts: dict[str, Any] = {"poll": Poll(), "figures": Figures(), "clock": clock}
        self.quotas = QuotaTracker(redis, view=self.view, **parts)
        self.newest = NewestReadings(self.view, self.quotas.learn)
        self.snapshots, self.all = SnapshotReader(redis), QuotaStore(redis)

    async def ask(self) -> None:
        """The reads of one request's admission."""
        for _ in range(2):
            request = SnapshotRequest(model=MODEL, newest=self.newest)
            snapshot = await self.snapshots.read(request)
            if not await self.view.refresh_if(snapshot.accounts_version):
                return

    async def answered(self, account_id: str, used: float) -> None:
        """An answer has said how much of the week is used; its reading is written as it is served."""
        windows = (QuotaWindow(minutes=10_080, used_percent=used),)
        quota = Quota(families=(QuotaFamily(id="codex", windows=windows),))
        self.quotas.observe_quota(account_id, quota)
        assert self.quotas._shared.is_set()  # wakes `keep_shared`
        await self.quotas.write_shared()
        assert self.stored(await self.all.all([account_id])) == [used]

    @staticmethod
    def stored(quotas: dict[str, SeenQuota]) -> list[float]:
        return [window.used_percent for quota in quotas.values() for window in quota.windows]

    def used(self, account_id: str) -> list[float]:
        return [window.used for window in self.quotas.windows(account_id, MODEL)]


class Scene:
    def __init__(self, redis: Any) -> None:
        self.redis, self.clock = redis, Clock()
        self.store = AccountStore(redis, CredentialCipher((KEY,)))
        self.replicas = [Replica(redis, self.store, self.clock) for _ in range(5)]

    async def add(self, name: str, terms: OwnerTerms | None = HALF) -> str:
        account = await self.store.add(a_login(exp=int(self.clock()) + 9000, workspace=name))
        if terms:
            await self.store.set_terms(account.id, terms)
        return account.id

    async def ask_all(self) -> None:
        for replica in self.replicas:
            await replica.ask()


@pytest.fixture
def scene(redis_client: Redis) -> Scene:
    return Scene(redis_client)


async def test_what_one_replica_reads_all_know_at_their_next_snapshot(scene: Scene) -> None:
    account = await scene.add("ws-1")
    await scene.ask_all()
    first, *others = scene.replicas

    for used in (48.0, 49.0, 51.0):
        await first.answered(account, used)
        assert [other.used(account) for other in others] != [[used]] * 4
        await scene.ask_all()
        assert [each.used(account) for each in scene.replicas] == [[used]] * 5


async def test_a_snapshot_brings_only_what_has_changed(scene: Scene) -> None:
    accounts = [await scene.add(f"ws-{number}") for number in range(9)]
    await scene.ask_all()
    first, second, *_ = scene.replicas
    taken: list[int] = []
    take = second.newest.take
    second.newest.take = lambda reply: (taken.append(len(reply) // 2), take(reply))[1]  # type: ignore[method-assign,func-returns-value]

    await second.ask()
    await first.answered(accounts[3], 10)
    await first.answered(accounts[3], 11)
    await first.answered(accounts[5], 12)
    await second.ask()
    await second.ask()

    assert taken == [2]
    assert second.used(accounts[3]) == [11]


async def test_quotas_without_a_share_are_not_sent(scene: Scene) -> None:
    account = await scene.add("ws-1", terms=None)
    await scene.ask_all()
    first, second, *_ = scene.replicas

    assert second.newest.wanted() == ""
    first.quotas.observe_quota(account, Quota(reached=True))
    await first.quotas.keep()
    assert await scene.redis.zcard(operator_keys.quota_changes()) == 0


async def test_a_share_that_is_new_brings_what_is_stored_already(scene: Scene) -> None:
    account = await scene.add("ws-1", terms=None)
    await scene.ask_all()
    first, second, *_ = scene.replicas
    windows = (QuotaWindow(minutes=10_080, used_percent=80),)
    first.quotas.observe_quota(account, Quota(families=(QuotaFamily(id="codex", windows=windows),)))
    await first.quotas.keep()
    assert second.used(account) == []

    await scene.store.set_terms(account, HALF)
    await second.ask()

    assert second.used(account) == [80]


async def test_a_replica_that_does_not_know_of_the_share_notes_its_readings_too(
    scene: Scene,
) -> None:
    account = await scene.add("ws-1", terms=None)
    await scene.ask_all()
    first, second, *_ = scene.replicas
    await scene.store.set_terms(account, HALF)
    await second.ask()

    windows = (QuotaWindow(minutes=10_080, used_percent=70),)
    first.quotas.observe_quota(account, Quota(families=(QuotaFamily(id="codex", windows=windows),)))
    await first.quotas.keep()
    await second.ask()

    assert second.used(account) == [70]


async def test_changes_that_are_lost_are_followed_by_ones_that_are_seen(scene: Scene) -> None:
    account = await scene.add("ws-1")
    await scene.ask_all()
    first, second, *_ = scene.replicas
    await first.answered(account, 10)
    await second.ask()

    await scene.redis.delete(operator_keys.quota_changes())
    await first.answered(account, 20)
    await second.ask()
    assert second.used(account) == [20]

    await scene.redis.set(operator_keys.quota_changes(), "no set")
    await first.answered(account, 30)
    await second.ask()
    await first.answered(account, 40)
    await second.ask()
    assert second.used(account) == [40]


async def test_a_stored_quota_that_cannot_be_read_is_none(scene: Scene) -> None:
    account = await scene.add("ws-1")
    first, *_ = scene.replicas
    await scene.redis.lpush(keyspace.quota(account), "no quota")

    await first.ask()

    assert first.used(account) == []
    assert not first.quotas.is_read(account, MODEL)


async def test_a_removed_account_is_forgotten(scene: Scene) -> None:
    account = await scene.add("ws-1")
    await scene.ask_all()
    await scene.replicas[0].answered(account, 10)
    assert await scene.redis.zcard(operator_keys.quota_changes()) == 1

    await scene.store.remove(account)
    await scene.ask_all()

    assert await scene.redis.zcard(operator_keys.quota_changes()) == 0
    assert scene.replicas[1].newest.wanted() == ""


async def test_a_reading_grows_too_old_for_a_share(scene: Scene) -> None:
    account = await scene.add("ws-1")
    await scene.ask_all()
    first, *_ = scene.replicas
    await first.answered(account, 10)
    assert first.quotas.is_read(account, MODEL)

    scene.clock.pass_(READING_SECONDS + 1)
    assert not first.quotas.is_read(account, MODEL)
    first.quotas._poll.interval = 1200
    assert first.quotas.is_read(account, MODEL)


async def test_a_reading_is_known_while_it_is_written(scene: Scene) -> None:
    """Between the taking of what was collected and the answer of Redis nothing older is told."""
    account = await scene.add("ws-1")
    await scene.ask_all()
    first, *_ = scene.replicas
    await first.answered(account, 10)
    told: list[list[float]] = []
    keep = first.quotas._store.keep

    async def slow(changes: Any) -> Any:
        told.append(first.used(account))
        return await keep(changes)

    first.quotas._store.keep = slow  # type: ignore[method-assign]
    await first.answered(account, 55)

    assert told == [[55]]
    assert first.used(account) == [55]


async def test_a_reading_that_is_written_at_once_makes_no_list_anew(scene: Scene) -> None:
    """A list of all accounts for each answer would cost a large pool more than the answer."""
    account = await scene.add("ws-1")
    await scene.ask_all()
    first, second, *_ = scene.replicas
    await first.answered(account, 10)
    await second.ask()
    before = first.quotas.changes.material, second.quotas.changes.material

    for used in (10.5, 11.0, 11.5):
        await first.answered(account, used)
        await second.ask()

    assert (first.quotas.changes.material, second.quotas.changes.material) == before
    assert first.used(account) == second.used(account) == [11.5]


async def test_only_readings_with_a_share_are_written_at_once(scene: Scene) -> None:
    shared, other = await scene.add("ws-1"), await scene.add("ws-2", terms=None)
    await scene.ask_all()
    first, *_ = scene.replicas
    windows = (QuotaWindow(minutes=10_080, used_percent=70),)
    first.quotas.observe_quota(other, Quota(families=(QuotaFamily(id="codex", windows=windows),)))

    await first.answered(shared, 10)

    assert set(await first.all.all([shared, other])) == {shared}
    assert first.used(other) == [70]
    await first.quotas.keep()
    assert set(await first.all.all([shared, other])) == {shared, other}


async def test_an_older_list_of_all_quotas_takes_back_nothing(scene: Scene) -> None:
    account = await scene.add("ws-1")
    await scene.ask_all()
    first, second, *_ = scene.replicas
    await first.answered(account, 10)
    older = await second.all.all([account])
    scene.clock.pass_(1)
    await first.answered(account, 60)
    await second.ask()

    async def late(_: Any) -> Any:
        return older

    second.quotas._store.all = late  # type: ignore[method-assign,assignment]
    await second.quotas.check()

    assert second.used(account) == [60]
