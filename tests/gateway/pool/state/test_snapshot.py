"""One look before upstream: exact turns, kept conversations, honest cooldowns."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from redis.asyncio import Redis
from support.redis_clients import connect_patiently

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

IDS = ["acc_1", "acc_2", "acc_3"]


@pytest.fixture
def snapshots(redis_client: Redis) -> SnapshotReader:
    return SnapshotReader(redis_client)


@pytest.fixture
def cooldowns(redis_client: Redis) -> CooldownStore:
    return CooldownStore(redis_client)


def a_cooldown(seconds: float, reason: CooldownReason = CooldownReason.QUOTA) -> Cooldown:
    now = time.time()
    return Cooldown(until=now + seconds, reason=reason, since=now)


async def test_a_survey_brings_the_time_the_versions_and_the_next_turn(
    snapshots: SnapshotReader, redis_client: Redis
) -> None:
    await redis_client.set(keyspace.accounts_version(), 7)
    await redis_client.set(keyspace.keys_version(), 9)

    first = await snapshots.read(SnapshotRequest(account_ids=IDS, model="gpt-5.5"))
    second = await snapshots.read(SnapshotRequest(account_ids=IDS, model="gpt-5.5"))

    assert abs(first.now - time.time()) < 60
    assert (first.accounts_version, first.keys_version) == (7, 9)
    assert (first.cursor, second.cursor) == (1, 2)
    assert (first.affine, first.cooldowns) == (None, {})


async def test_the_versions_alone_cost_no_turn(
    snapshots: SnapshotReader, redis_client: Redis
) -> None:
    assert await snapshots.versions() == (0, 0)
    await redis_client.set(keyspace.accounts_version(), 7)
    await redis_client.set(keyspace.keys_version(), 9)

    assert await snapshots.versions() == (7, 9)
    assert (await snapshots.read(SnapshotRequest(account_ids=IDS, model="m"))).cursor == 1


async def test_an_empty_redis_answers_with_zeros(snapshots: SnapshotReader) -> None:
    snapshot = await snapshots.read(SnapshotRequest(account_ids=[], model=""))

    assert (snapshot.accounts_version, snapshot.keys_version, snapshot.cursor) == (0, 0, 1)


async def test_turns_are_exact_across_replicas(redis_url: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(contextlib.aclosing(connect_patiently(redis_url)))
            for _ in range(3)
        ]
        surveyors = [SnapshotReader(client) for client in clients]

        surveys = await asyncio.gather(
            *(
                each.read(SnapshotRequest(account_ids=IDS, model="m"))
                for each in surveyors
                for _ in range(100)
            )
        )

    assert sorted(each.cursor or 0 for each in surveys) == list(range(1, 301))


async def test_a_conversation_returns_to_its_account_and_takes_no_turn(
    snapshots: SnapshotReader, redis_client: Redis
) -> None:
    await AffinityWriter(snapshots._redis).tie({"f1": "acc_2", "f2": "acc_3"})
    key = keyspace.affinity("f1")
    await redis_client.expire(key, 5)

    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m", affinity="f1"))

    assert (snapshot.affine, snapshot.cursor) == ("acc_2", None)
    assert await redis_client.ttl(key) > 5, "a turn keeps the tie alive"
    assert await redis_client.get(keyspace.cursor()) is None


@pytest.mark.parametrize("fingerprint", ["f0", ""])
async def test_an_unknown_conversation_takes_the_next_turn(
    snapshots: SnapshotReader, fingerprint: str
) -> None:
    snapshot = await snapshots.read(
        SnapshotRequest(account_ids=IDS, model="m", affinity=fingerprint)
    )

    assert (snapshot.affine, snapshot.cursor) == (None, 1)


async def test_an_account_that_is_not_eligible_is_not_returned_to(
    snapshots: SnapshotReader,
) -> None:
    await AffinityWriter(snapshots._redis).tie({"f1": "acc_2"})

    for ids in (["acc_1"], ["acc_22"], []):
        snapshot = await snapshots.read(SnapshotRequest(account_ids=ids, model="m", affinity="f1"))
        assert snapshot.affine is None
        assert snapshot.cursor is not None


async def test_a_cooling_account_is_not_returned_to_but_keeps_the_conversation(
    snapshots: SnapshotReader, cooldowns: CooldownStore
) -> None:
    cooldown = a_cooldown(60)
    await AffinityWriter(snapshots._redis).tie({"f1": "acc_2"})
    await cooldowns.cool("acc_2", cooldown)

    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m", affinity="f1"))
    assert (snapshot.affine, snapshot.cursor, snapshot.cooldowns) == (None, 1, {"acc_2": cooldown})

    await cooldowns.clear("acc_2")
    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m", affinity="f1"))
    assert (snapshot.affine, snapshot.cursor) == ("acc_2", None)


async def test_a_models_cooldown_counts_for_that_model_only(
    snapshots: SnapshotReader, cooldowns: CooldownStore
) -> None:
    cooldown = a_cooldown(60, CooldownReason.ENTITLEMENT)
    await AffinityWriter(snapshots._redis).tie({"f1": "acc_2"})
    await cooldowns.cool("acc_2", cooldown, model="gpt-6")

    same = await snapshots.read(SnapshotRequest(account_ids=IDS, model="gpt-6", affinity="f1"))
    other = await snapshots.read(SnapshotRequest(account_ids=IDS, model="gpt-5.5", affinity="f1"))

    assert (same.affine, same.cooldowns) == (None, {"acc_2": cooldown})
    assert (other.affine, other.cooldowns) == ("acc_2", {})


async def test_of_two_cooldowns_the_later_end_counts(
    snapshots: SnapshotReader, cooldowns: CooldownStore
) -> None:
    short, long = a_cooldown(10, CooldownReason.RATE), a_cooldown(600)
    await cooldowns.cool("acc_1", short)
    await cooldowns.cool("acc_1", long, model="m")
    await cooldowns.cool("acc_2", long)
    await cooldowns.cool("acc_2", short, model="m")

    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m"))

    assert snapshot.cooldowns == {"acc_1": long, "acc_2": long}


async def test_a_cooldown_that_has_ended_is_gone_with_the_survey(
    snapshots: SnapshotReader, cooldowns: CooldownStore, redis_client: Redis
) -> None:
    await cooldowns.cool("acc_1", a_cooldown(-1))
    await cooldowns.cool("acc_2", a_cooldown(60))

    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m"))

    assert set(snapshot.cooldowns) == {"acc_2"}
    assert await redis_client.hkeys(keyspace.cooldowns()) == ["acc_2"]


async def test_cooldowns_are_sent_only_when_they_have_changed(
    snapshots: SnapshotReader, cooldowns: CooldownStore, redis_client: Redis
) -> None:
    request = SnapshotRequest(model="m")
    await cooldowns.cool("acc_1", a_cooldown(600))
    first = await snapshots.read(request)

    second = await snapshots.read(request)
    await cooldowns.cool("acc_2", a_cooldown(600))
    third = await snapshots.read(request)

    assert second.cooldowns is first.cooldowns
    assert [set(each.cooldowns) for each in (first, third)] == [{"acc_1"}, {"acc_1", "acc_2"}]
    await cooldowns.clear("acc_1")
    assert set((await snapshots.read(request)).cooldowns) == {"acc_2"}
    await redis_client.flushall()
    assert (await snapshots.read(request)).cooldowns == {}


async def test_what_is_asked_and_answered_does_not_grow_with_the_accounts(
    snapshots: SnapshotReader, cooldowns: CooldownStore, redis_client: Redis
) -> None:
    async def length() -> int:
        """Bytes that the next snapshot is asked and answered with."""
        told: list[int] = []
        run = snapshots._scripts.start

        async def counted(name: Any, keys: Any, args: Any) -> Any:
            reply = await run(name, keys, args)
            told.append(len(repr((keys, args, reply))))
            return reply

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snapshots._scripts, "start", counted)
            await snapshots.read(SnapshotRequest(model="m", affinity="f1"))
        return told[0]

    await snapshots.read(SnapshotRequest(model="m", affinity="f1"))
    before = await length()
    for n in range(100):
        await cooldowns.cool(f"acc_{n}", a_cooldown(600))
    await snapshots.read(SnapshotRequest(model="m", affinity="f1"))

    assert await length() <= before + 16


async def test_a_conversation_may_stay_with_any_but_some(
    snapshots: SnapshotReader, redis_client: Redis
) -> None:
    await AffinityWriter(redis_client).tie({"f1": "acc_2"})

    def asked(*excluded: str) -> SnapshotRequest:
        return SnapshotRequest(excluded=excluded, model="m", affinity="f1")

    assert (await snapshots.read(asked())).affine == "acc_2"
    assert (await snapshots.read(asked("acc_1", "acc_22"))).affine == "acc_2"
    assert (await snapshots.read(asked("acc_1", "acc_2"))).affine is None


async def test_without_redis_there_is_no_survey() -> None:
    client = connect("unix:///nowhere")
    snapshots = SnapshotReader(client)
    with pytest.raises(StoreUnavailable):
        await snapshots.read(SnapshotRequest(account_ids=IDS, model="m"))
    with pytest.raises(StoreUnavailable):
        await AffinityWriter(snapshots._redis).tie({"f1": "acc_1"})
    await client.aclose()
    assert repr(snapshots) == "<SnapshotReader>"


async def test_each_look_tells_how_long_it_took_and_whether_it_failed(redis_client: Redis) -> None:
    away = connect("unix:///nowhere")
    told: list[Any] = []

    def took(seconds: Any) -> None:
        told.append(0 < seconds < 5)

    def failed() -> None:
        told.append("failed")

    request = SnapshotRequest(account_ids=IDS, model="m")
    await SnapshotReader(redis_client, took=took, failed=failed).read(request)
    with pytest.raises(StoreUnavailable):
        await SnapshotReader(away, took=took, failed=failed).read(request)

    assert told == [True, "failed", True]
    await away.aclose()


async def test_a_conversation_follows_the_account_it_is_promised_to_until_one_answers(
    snapshots: SnapshotReader, redis_client: Redis
) -> None:
    await AffinityWriter(snapshots._redis).tie_tentatively({"f1": "acc_2"})
    await AffinityWriter(snapshots._redis).tie_tentatively({"f1": "acc_3"})

    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m", affinity="f1"))
    assert (snapshot.affine, snapshot.tentative, snapshot.cursor) == ("acc_2", True, None)

    await AffinityWriter(snapshots._redis).tie({"f1": "acc_1"})
    await AffinityWriter(snapshots._redis).tie_tentatively({"f1": "acc_3"})
    snapshot = await snapshots.read(SnapshotRequest(account_ids=IDS, model="m", affinity="f1"))
    assert (snapshot.affine, snapshot.tentative, snapshot.cursor) == ("acc_1", False, None)


async def test_a_promise_of_an_account_that_is_not_eligible_is_not_told(
    snapshots: SnapshotReader,
) -> None:
    await AffinityWriter(snapshots._redis).tie_tentatively({"f1": "acc_2"})

    snapshot = await snapshots.read(
        SnapshotRequest(account_ids=["acc_1"], model="m", affinity="f1")
    )

    assert (snapshot.affine, snapshot.tentative, snapshot.cursor) == (None, False, 1)
