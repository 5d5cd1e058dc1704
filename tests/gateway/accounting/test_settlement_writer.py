"""What `settle_once.lua` cannot write is lost alone; what the server refuses is written later, once."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from support.exchanges import AT, a_record

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

DAY = "2026-11-18"
RECORDS = [a_record(number) for number in (1, 2, 4, 5, 7)]  # none of them refused, five keys
SUM = sum(record.tokens.input for record in RECORDS)


class Scene:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.lost = 0
        self.writer = SettlementWriter(redis, lost=self._lose)
        self.usage = UsageStore(redis)

    def _lose(self, count: int) -> None:
        self.lost += count

    async def tokens(self, kind: Any) -> int:
        counted = (await self.usage.read(kind, [DAY]))[DAY]
        return sum(each.input for each in counted.values())

    async def logged(self) -> int:
        return int(await self.redis.xlen(keyspace.logs()))


@pytest.fixture
def scene(redis_client: Redis) -> Scene:
    return Scene(redis_client)


async def test_a_counter_of_another_type_loses_only_its_own_sums(scene: Scene) -> None:
    await scene.redis.set(keyspace.usage(DAY, "account", "acc_1"), "no hash")

    assert await scene.writer.add(RECORDS) == 5

    assert await scene.tokens("key") == await scene.tokens("model") == SUM
    assert (scene.lost, await scene.logged()) == (3, 5)
    assert await scene.writer.add(RECORDS) == 0
    assert await scene.tokens("key") == SUM


async def test_a_counter_that_is_no_number_loses_only_itself(scene: Scene) -> None:
    await scene.redis.hset(keyspace.usage(DAY, "model", "gpt-5.5"), "input", "many")

    assert await scene.writer.add(RECORDS) == 5

    assert await scene.tokens("key") == await scene.tokens("account") == SUM
    output = await scene.redis.hget(keyspace.usage(DAY, "model", "gpt-5.5"), "output")
    assert int(str(output)) == 2 * SUM


async def test_a_counter_of_many_digits_is_added_to_exactly(scene: Scene) -> None:
    many = 2**53 + 1
    await scene.redis.hset(keyspace.usage(DAY, "model", "gpt-5.5"), "input", many)

    await scene.writer.add(RECORDS)

    counted = await scene.redis.hget(keyspace.usage(DAY, "model", "gpt-5.5"), "input")
    assert int(str(counted)) == many + SUM


@pytest.mark.parametrize("count", [10**15, 10**20, 10**400])
async def test_a_count_that_nobody_can_have_used_is_lost_alone(scene: Scene, count: int) -> None:
    tokens = msgspec.structs.replace(RECORDS[0].tokens, output=count)
    odd = msgspec.structs.replace(RECORDS[0], tokens=tokens)

    assert await scene.writer.add([odd, *RECORDS[1:]]) == 5

    assert (await scene.tokens("key"), scene.lost, await scene.logged()) == (SUM, 1, 5)
    counted = await scene.redis.hget(keyspace.usage(DAY, "model", "gpt-5.5"), "output")
    assert int(str(counted)) == 2 * (SUM - RECORDS[0].tokens.input)


@pytest.mark.parametrize(("drawn_at", "left"), [(0, 950), (-500, 1050)])
async def test_charges_of_a_batch_are_corrected_by_the_second(
    scene: Scene, drawn_at: int, left: int
) -> None:
    """One used less than was charged, one more: of a second that is over only the latter counts."""
    now = int((await scene.redis.time())[0])
    less, more = (
        msgspec.structs.replace(
            RECORDS[0],
            request_id=f"req_{number}",
            drawn_at=now + drawn_at,
            drawn_tokens=RECORDS[0].tokens.input + RECORDS[0].tokens.output + beyond,
        )
        for number, beyond in enumerate((100, -50))
    )
    minute = keyspace.minute_tokens("key_1")
    await scene.redis.hset(minute, str(now), 1000)
    await scene.redis.hset(keyspace.key("key_1"), "limits", '{"tpm": 5}')

    assert await scene.writer.add([less, more]) == 2

    counts = {
        int(name): int(n)
        for name, n in (await scene.redis.hgetall(minute)).items()
        if "+" not in name
    }
    assert (sum(counts.values()), scene.lost) == (left, 0)


@pytest.mark.parametrize(
    ("key", "counted", "logged"),
    [
        (lambda: keyspace.usage_subjects(DAY, "key"), 5, 5),
        (lambda: keyspace.usage_models(DAY, "key_1"), 5, 5),
        (lambda: keyspace.usage_series(DAY), 5, 5),
        (lambda: keyspace.account("acc_1"), 5, 5),
        (keyspace.logs, 5, 0),
        (lambda: keyspace.settled("2026-11-18T11"), 0, 0),
    ],
)
async def test_no_key_of_another_type_stops_the_batch(
    scene: Scene, key: Callable[[], str], counted: int, logged: int
) -> None:
    await scene.redis.set(key(), "of another type")

    assert await scene.writer.add(RECORDS) == counted

    assert scene.lost > 0
    if logged:
        assert await scene.logged() == logged
    assert await scene.tokens("account") == (SUM if counted else 0)


@pytest.mark.parametrize("limits", ["no JSON", "[]", '{"tpm": "x"}', '"7"'])
async def test_limits_that_cannot_be_read_stop_nothing(scene: Scene, limits: str) -> None:
    drawn = msgspec.structs.replace(RECORDS[0], drawn_at=int(AT) - 500, drawn_tokens=0)
    await scene.redis.hset(keyspace.key("key_1"), "limits", limits)

    assert await scene.writer.add([drawn, *RECORDS[1:]]) == 5

    assert (await scene.tokens("key"), scene.lost) == (SUM, 0)


@pytest.mark.parametrize("key", [keyspace.streams("key_1"), keyspace.minute_tokens("key_1")])
async def test_odd_limits_of_one_key_lose_only_their_correction(scene: Scene, key: str) -> None:
    drawn = msgspec.structs.replace(RECORDS[0], drawn_at=int(AT), drawn_tokens=0)
    await scene.redis.hset(keyspace.key("key_1"), "limits", '{"tpm": 5}')
    await scene.redis.set(key, "of another type")

    assert await scene.writer.add([drawn, *RECORDS[1:]]) == 5

    assert (await scene.tokens("key"), scene.lost, await scene.logged()) == (SUM, 1, 5)


@pytest.mark.parametrize("share", ["", "much", "x 1 y", "1"])
async def test_a_fair_share_that_cannot_be_read_stops_nothing(scene: Scene, share: str) -> None:
    shared = msgspec.structs.replace(RECORDS[0], fair_share_weight=1.0, fair_share_charge=1)
    await scene.redis.hset(keyspace.fair_shares(), "key_1", share)

    assert await scene.writer.add([shared, *RECORDS[1:]]) == 5

    assert (await scene.tokens("key"), scene.lost) == (SUM, 0)


async def test_fair_shares_of_another_type_lose_only_their_correction(scene: Scene) -> None:
    shared = msgspec.structs.replace(RECORDS[0], fair_share_weight=1.0, fair_share_charge=1)
    await scene.redis.set(keyspace.fair_shares(), "of another type")

    assert await scene.writer.add([shared, *RECORDS[1:]]) == 5

    assert (await scene.tokens("key"), scene.lost, await scene.logged()) == (SUM, 1, 5)


async def test_a_record_that_cannot_be_encoded_is_lost_alone(scene: Scene) -> None:
    odd: ExchangeRecord = msgspec.structs.replace(a_record(8), at=1e300)

    assert await scene.writer.add([odd, *RECORDS]) == 5

    assert (await scene.tokens("key"), scene.lost) == (SUM, 1)


async def test_without_memory_nothing_is_done_and_all_is_written_later(scene: Scene) -> None:
    await scene.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match="OutOfMemoryError"):
            await scene.writer.add(RECORDS)
    finally:
        await scene.redis.config_set("maxmemory", "0")
    assert await scene.tokens("key") == 0

    assert await scene.writer.add(RECORDS) == 5
    assert (await scene.tokens("key"), scene.lost, await scene.logged()) == (SUM, 0, 5)
