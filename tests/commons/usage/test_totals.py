"""Sums over many days: Redis adds up what is not packed, by subject."""

import datetime as dt

import pytest
from redis.asyncio import Redis
from support.usage import WrittenUsage

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.calendar import UTC
from codex_proapi.commons.usage.counters import CountedKind
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.packing import Retention, UsagePacker
from codex_proapi.commons.usage.sums import Counters, Sums, merge
from codex_proapi.commons.usage.token_counts import Tokens

NOW = dt.datetime.fromisoformat("2026-11-24T12:00+00:00").timestamp()
DAYS = list(UTC.days_back(NOW, 60))


@pytest.fixture
async def usage(redis_client: Redis) -> WrittenUsage:
    """Two months of three keys, the older days packed."""
    usage = WrittenUsage(redis_client)
    await usage.add(
        [
            ExchangeRecord(
                request_id=f"req_{back} {number}",
                at=NOW - back * keyspace.DAY,
                endpoint="chat",
                key_id=f"key_{number % 3}",
                account=f"acc_{number % 2}",
                sent_model=f"model {number % 2}",
                tokens=Tokens(input=back + number, output=1),
                ending=Ending.WHOLE,
            )
            for back in range(60)
            for number in range(5)
        ]
    )
    await UsagePacker(redis_client).pack(Retention(), now=NOW, calendar=UTC)
    return usage


async def day_by_day(
    usage: WrittenUsage, kind: CountedKind, days: list[str], subjects: list[str] | None
) -> Sums:
    sums: Sums = {}
    async for _, found in usage.each_day(kind, days, subjects=subjects):
        merge(sums, found)
    return sums


@pytest.mark.parametrize("subjects", [None, ["key_1"], ["key_1", "key_9"], []])
@pytest.mark.parametrize("kind", ["key", "key-model"])
@pytest.mark.parametrize("days", [DAYS, DAYS[:7], DAYS[45:], DAYS[:1], []])
async def test_a_total_is_the_sum_of_its_days(
    usage: WrittenUsage, kind: CountedKind, days: list[str], subjects: list[str] | None
) -> None:
    total = await usage.total(kind, days, subjects=subjects)

    assert total == await day_by_day(usage, kind, days, subjects)
    assert bool(total) == bool(days and subjects != [])


async def test_hashes_of_another_type_are_left_out(
    usage: WrittenUsage, redis_client: Redis
) -> None:
    await redis_client.set(keyspace.usage(DAYS[0], "account", "acc_0"), "a text")
    await redis_client.set(keyspace.usage_subjects(DAYS[1], "account"), "a text")

    total = await usage.total("account", DAYS[:3])

    assert (total["acc_0"].requests, total["acc_1"].requests) == (6, 6)


async def test_accounts_are_told_apart_by_models(usage: WrittenUsage) -> None:
    found = await usage.models_of_accounts(["acc_0", "acc_7"], DAYS[:2])

    assert {name: each.requests for name, each in found.items()} == {"acc_0 model 0": 6}


async def test_many_days_of_many_keys_take_few_round_trips(
    usage: WrittenUsage, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = 0
    connection = redis_client.connection_pool.connection_class
    plain = connection.send_packed_command

    async def counted(self: object, *args: object, **kwargs: object) -> None:
        nonlocal trips
        trips += 1
        await plain(self, *args, **kwargs)  # type: ignore[arg-type]

    await usage.total("key", DAYS[:30])
    monkeypatch.setattr(connection, "send_packed_command", counted)
    await usage.total("key", DAYS[:30])

    assert trips <= 5


def test_every_counter_is_added() -> None:
    names = Counters.__struct_fields__
    one = Counters(**{name: number for number, name in enumerate(names)})
    two = Counters(**{name: 100 * number for number, name in enumerate(names)})
    one.add(two)

    assert [getattr(one, name) for name in names] == [101 * n for n in range(len(names))]
