"""Old days are packed and summed up by month: nothing is lost, nothing counted twice."""

import asyncio
import datetime as dt

import msgspec
import pytest
from redis.asyncio import Redis
from support.exchanges import AT, a_record
from support.usage import WrittenUsage

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.commons.usage.counters import KINDS, MODELS_OF_KEYS, Counters, UsageStore
from codex_proapi.commons.usage.packing import DETAIL_DAYS, Retention, UsagePacker
from codex_proapi.commons.usage.sums import days_of_month, unpack

NOW = AT
AGES = (0, 1, DETAIL_DAYS - 1, DETAIL_DAYS, 60, 61, 90, 399)
"""Days back on which there was usage: two of them on days that stay, five on old ones."""


def day(age: int) -> str:
    return UTC.day_of(NOW - age * keyspace.DAY)


EVERY = [day(age) for age in range(401)]


@pytest.fixture
async def usage(redis_client: Redis) -> WrittenUsage:
    """Forty exchanges on each of these days, of five keys."""
    usage = WrittenUsage(redis_client)
    for age in AGES:
        records = [
            msgspec.structs.replace(
                a_record(number),
                request_id=f"{age}-{number}",
                at=NOW - age * keyspace.DAY,
                sent_model=f"gpt {number % 2}",
            )
            for number in range(40)
        ]
        await usage.add(records)
    return usage


@pytest.fixture
def packer(redis_client: Redis) -> UsagePacker:
    return UsagePacker(redis_client)


async def told(usage: UsageStore) -> dict[str, object]:
    """All that is told of these days, in every way it is read."""
    found: dict[str, object] = {kind: await usage.read(kind, EVERY) for kind in KINDS}
    found["models"] = await usage.read_models(None, EVERY)
    found["one"] = await usage.read("key", EVERY[35:70], subjects=["key_1"])
    found["split"] = await usage.read_models(["key_1"], EVERY[35:70])
    for kind in (*KINDS, MODELS_OF_KEYS):
        found[f"total {kind}"] = await usage.total(kind, EVERY)
    return found


async def left(redis: Redis, kind: str, of: str = "") -> set[str]:
    """The days that still have hashes as the gateways write them, of subjects that begin like this."""
    names = await redis.keys(f"{keyspace.TAG}:{kind}:*{of}*")
    return {str(name).split(":")[2] for name in names}


async def test_what_is_told_is_the_same_before_and_after(
    usage: WrittenUsage, packer: UsagePacker, redis_client: Redis
) -> None:
    before = await told(usage)

    assert await packer.pack(Retention(), now=NOW, calendar=UTC) > 0

    assert await told(usage) == before
    recent = {day(age) for age in AGES if age < DETAIL_DAYS}
    assert await left(redis_client, "usage") == recent
    # Those of accounts are not packed: they end by themselves after 40 days.
    assert await left(redis_client, "usage-models", ":key_") == recent
    assert await left(redis_client, "usage-subjects") == recent
    assert await packer.pack(Retention(), now=NOW, calendar=UTC) == 0


async def test_a_month_is_the_sum_of_its_days_and_outlives_them(
    usage: WrittenUsage, packer: UsagePacker, redis_client: Redis
) -> None:
    days = days_of_month(day(60)[:7])
    before = await usage.total("key", days)
    await packer.pack(Retention(), now=NOW, calendar=UTC)

    for name in await redis_client.keys(f"{keyspace.TAG}:usage-packed:????-??-??:*"):
        await redis_client.delete(name)  # their time is over

    assert await usage.total("key", days) == before
    assert await usage.read("key", days) == {each: {} for each in days}


async def test_a_budget_counts_the_days_it_counted(
    usage: WrittenUsage, packer: UsagePacker
) -> None:
    month = UTC.days_back(NOW, 31)
    before = await usage.tokens("key_1", month)
    assert sum(before)

    await packer.pack(Retention(days=32), now=NOW, calendar=UTC)

    assert await usage.tokens("key_1", month) == before


@pytest.mark.parametrize("stop", range(1, 8))
async def test_who_is_killed_in_the_middle_is_continued_by_the_next(
    usage: WrittenUsage, redis_client: Redis, stop: int
) -> None:
    before = await told(usage)
    killed = UsagePacker(redis_client)
    run, calls = killed._scripts.repeat, 0

    async def few(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls > stop:
            raise StoreUnavailable("killed")
        return await run(*args)  # type: ignore[arg-type]

    killed._scripts.repeat = few  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreUnavailable):
        await killed.pack(Retention(), now=NOW, calendar=UTC)
    assert await told(usage) == before

    await UsagePacker(redis_client).pack(Retention(), now=NOW, calendar=UTC)
    assert await told(usage) == before


async def test_several_at_once_move_each_hash_once(
    usage: WrittenUsage, redis_client: Redis
) -> None:
    before = await told(usage)
    packers = [UsagePacker(redis_client) for _ in range(3)]

    await asyncio.gather(*(each.pack(Retention(), now=NOW, calendar=UTC) for each in packers))

    assert await told(usage) == before


async def test_what_comes_late_for_a_packed_day_is_added(
    usage: WrittenUsage, packer: UsagePacker
) -> None:
    """By a gateway of an earlier version, or whose clock is wrong."""
    await packer.pack(Retention(), now=NOW, calendar=UTC)
    before = (await usage.read("key", [day(60)]))[day(60)]["key_2"].requests
    late = msgspec.structs.replace(
        a_record(2), request_id="late", at=NOW - 60 * keyspace.DAY, sent_model="gpt 0"
    )
    await usage.add([late])
    assert (await usage.read("key", [day(60)]))[day(60)]["key_2"].requests == before + 1

    await packer.pack(Retention(), now=NOW, calendar=UTC)

    assert (await usage.read("key", [day(60)]))[day(60)]["key_2"].requests == before + 1
    models = (await usage.read_models(["key_2"], [day(60)]))[day(60)]
    assert sum(each.requests for each in models.values()) == before + 1


async def test_each_stage_is_kept_as_long_as_it_says(
    usage: WrittenUsage, packer: UsagePacker, redis_client: Redis
) -> None:
    retention = Retention(days=70, months=6)
    await packer.pack(retention, now=NOW, calendar=UTC)
    await usage.keep(retention.days, now=NOW, calendar=UTC)

    async def seconds(period: str) -> int:
        return int(await redis_client.ttl(keyspace.usage_packed(period, "key")))

    midnight = UTC.midnight_after(NOW, 0) - int(NOW)
    assert abs(await seconds(day(60)) - (midnight + 11 * keyspace.DAY)) <= 60
    assert await seconds(day(90)) == -2  # its month has it
    begin = UTC.begin_of(f"{day(60)[:7]}-01") - int(NOW)
    assert abs(await seconds(day(60)[:7]) - (begin + (6 * 31 + 1) * keyspace.DAY)) <= 60
    assert await seconds(day(399)[:7]) == -2
    assert (await usage.total("key", days_of_month(day(90)[:7])))["key_1"].requests == 8


async def test_months_change_their_retention_too(
    usage: WrittenUsage, packer: UsagePacker, redis_client: Redis
) -> None:
    await packer.pack(Retention(), now=NOW, calendar=UTC)
    shorter = Retention(days=70, months=0)

    await usage.keep_months(shorter.month_days, now=NOW, calendar=UTC)

    begin = UTC.begin_of(f"{day(60)[:7]}-01") - int(NOW)
    name = keyspace.usage_packed(day(60)[:7], "model")
    expected = begin + (70 + 31 + 1) * keyspace.DAY
    assert abs(int(await redis_client.ttl(name)) - expected) <= 60
    assert int(await redis_client.ttl(keyspace.usage_packed(day(399)[:7], "model"))) <= 1


def test_a_month_is_kept_as_long_as_each_of_its_days() -> None:
    assert Retention(days=400, months=1).month_days == 431
    assert Retention(months=0).month_days == 431
    assert Retention().month_days == 36 * 31


async def test_a_hash_of_another_type_stays_and_the_others_are_moved(
    usage: WrittenUsage, packer: UsagePacker, redis_client: Redis
) -> None:
    poisoned = keyspace.usage(day(60), "key", "key_1")
    await redis_client.delete(poisoned)
    await redis_client.rpush(poisoned, "no hash")

    await packer.pack(Retention(), now=NOW, calendar=UTC)

    assert await redis_client.exists(poisoned)
    found = (await usage.read("key", [day(60)]))[day(60)]
    assert sorted(found) == ["key_0", "key_2", "key_3", "key_4"]


async def test_days_are_those_of_the_teams_zone(usage: WrittenUsage, packer: UsagePacker) -> None:
    """Forty days ago it is another day in the east: what is counted there stays one day longer."""
    calendar = Calendar("Pacific/Kiritimati")
    evening = UTC.begin_of(day(0)) + 12 * 3600.0

    await packer.pack(Retention(), now=evening, calendar=calendar)

    found = await usage.read("key", [day(DETAIL_DAYS - 1)])
    assert found[day(DETAIL_DAYS - 1)]["key_1"].requests == 8


@pytest.mark.parametrize(
    ("text", "counters"),
    [
        ("", Counters()),
        ("3 1", Counters(requests=3, errors=1)),
        (" ".join(map(str, range(1, 15))), unpack("1 2 3 4 5 6 7 8 9 10 11")),
        ("2 many 5", Counters(requests=2, input=5)),
    ],
)
def test_a_text_of_another_version_is_read_as_far_as_it_is_known(
    text: str, counters: Counters
) -> None:
    assert unpack(text) == counters


async def test_large_sums_are_exact(redis_client: Redis, packer: UsagePacker) -> None:
    big = 2**52 + 1
    usage = UsageStore(redis_client)
    for age in (60, 61):
        name = keyspace.usage(day(age), "key", "k")
        await redis_client.hset(name, "input", str(big // 2))
        await redis_client.sadd(keyspace.usage_subjects(day(age), "key"), "k")

    await packer.pack(Retention(), now=NOW, calendar=UTC)

    assert (await usage.total("key", days_of_month(day(60)[:7])))["k"].input == big // 2 * 2


async def test_a_year_takes_a_bounded_number_of_round_trips(
    usage: WrittenUsage, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = 0
    execute = redis_client.connection_pool.connection_class.send_packed_command

    async def counted(self: object, *args: object, **kwargs: object) -> None:
        nonlocal trips
        trips += 1
        await execute(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(
        redis_client.connection_pool.connection_class, "send_packed_command", counted
    )
    await usage.read("key", EVERY[:365])

    assert trips <= 2 * (365 // 25 + 1) + 2


def test_the_dates_of_these_tests_are_as_they_say() -> None:
    assert dt.date.fromisoformat(day(60)).month == dt.date.fromisoformat(day(61)).month == 9
