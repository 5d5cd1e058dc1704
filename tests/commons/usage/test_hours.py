"""Usage by the hour: written with the day, read by subject, gone when the day is packed."""

import datetime as dt

import msgspec
import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.counters import UsageKind, UsageStore
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.hours import HourStore
from codex_proapi.commons.usage.packing import Retention, UsagePacker
from codex_proapi.commons.usage.sums import Counters
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

KATHMANDU = Calendar("Asia/Kathmandu")


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def a_record(number: int, when: str, **fields: object) -> ExchangeRecord:
    made = ExchangeRecord(
        request_id=f"req_{number}",
        at=at(when),
        endpoint="chat",
        key_id="key_1",
        account="acc_1",
        sent_model="gpt-5.5",
        tokens=Tokens(input=100, cached=60, output=10),
        first_byte_ms=900,
        total_ms=2000,
        ending=Ending.WHOLE,
    )
    return msgspec.structs.replace(made, **fields)


async def hours_of(
    redis: Redis, kind: UsageKind, *days: str, calendar: Calendar, subjects: list[str] | None = None
) -> dict[str, dict[str, int]]:
    """Tokens by name of the hour and subject."""
    return {
        calendar.told_hour(begin): {name: each.input + each.output for name, each in sums.items()}
        async for begin, sums in HourStore(redis).each_hour(kind, days, subjects=subjects)
    }


async def test_an_exchange_is_counted_in_its_hour_by_key_account_and_model(
    redis_client: Redis,
) -> None:
    writer = SettlementWriter(redis_client)
    writer.calendar = calendar = Calendar("Asia/Shanghai")
    await writer.add(
        [
            a_record(1, "2026-11-24T00:10+08:00"),
            a_record(2, "2026-11-24T00:50+08:00", sent_model="gpt-6 sol"),
            a_record(3, "2026-11-24T23:59+08:00", key_id="", account=""),
        ]
    )
    await writer.add([a_record(4, "2026-11-24T00:59+08:00"), a_record(1, "2026-11-24T00:10+08:00")])

    by_key = await hours_of(redis_client, "key", "2026-11-24", calendar=calendar)
    assert by_key == {
        "2026-11-24T00:00+08:00": {"key_1 gpt-5.5": 220, "key_1 gpt-6 sol": 110},
        "2026-11-24T23:00+08:00": {"open gpt-5.5": 110},
    }
    by_account = await hours_of(redis_client, "account", "2026-11-24", calendar=calendar)
    assert by_account["2026-11-24T23:00+08:00"] == {"none gpt-5.5": 110}
    by_model = await hours_of(redis_client, "model", "2026-11-24", calendar=calendar)
    assert by_model["2026-11-24T00:00+08:00"] == {"gpt-5.5": 220, "gpt-6 sol": 110}
    one = await hours_of(
        redis_client, "key", "2026-11-24", calendar=calendar, subjects=["open", "key_9"]
    )
    assert one == {"2026-11-24T23:00+08:00": {"open gpt-5.5": 110}}


async def test_an_hour_has_every_counter_and_the_day_keeps_its_own(redis_client: Redis) -> None:
    await SettlementWriter(redis_client).add(
        [a_record(1, "2026-11-24T07:10+00:00"), a_record(2, "2026-11-24T08:10+00:00")]
    )

    found = [
        sums["key_1 gpt-5.5"]
        async for _, sums in HourStore(redis_client).each_hour("key", ["2026-11-24"])
    ]
    one = Counters(
        requests=1, input=100, cached=60, output=10, first_bytes=1, first_byte_ms=900, total_ms=2000
    )
    assert found == [one, one]
    usage = UsageStore(redis_client)
    for kind, subject in (("key", "key_1"), ("account", "acc_1"), ("model", "gpt-5.5")):
        day = (await usage.read(kind, ["2026-11-24"]))["2026-11-24"]  # type: ignore[arg-type]
        assert day[subject].requests == 2
    models = (await usage.read_models(["key_1"], ["2026-11-24"]))["2026-11-24"]
    assert [*models] == [("key_1", "gpt-5.5")]


async def test_hours_fit_in_days_where_the_zone_is_off_by_a_quarter_of_one(
    redis_client: Redis,
) -> None:
    writer = SettlementWriter(redis_client)
    writer.calendar = KATHMANDU
    await writer.add([a_record(1, "2026-11-24T00:05+05:45"), a_record(2, "2026-11-24T23:55+05:45")])

    found = await hours_of(redis_client, "model", "2026-11-24", calendar=KATHMANDU)

    assert list(found) == ["2026-11-24T00:00+05:45", "2026-11-24T23:00+05:45"]


async def test_a_day_of_a_clock_change_has_each_of_its_hours_once(redis_client: Redis) -> None:
    berlin = Calendar("Europe/Berlin")
    writer = SettlementWriter(redis_client)
    writer.calendar = berlin
    await writer.add([a_record(1, "2026-10-25T02:30+02:00"), a_record(2, "2026-10-25T02:30+01:00")])

    found = await hours_of(redis_client, "model", "2026-10-25", calendar=berlin)

    assert list(found) == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


async def test_packing_a_day_drops_its_hours_and_keeps_its_sums(redis_client: Redis) -> None:
    await SettlementWriter(redis_client).add([a_record(1, "2026-11-24T07:10+00:00")])
    now = at("2026-11-24T12:00+00:00") + 41 * keyspace.DAY

    moved = await UsagePacker(redis_client).pack(Retention(), now=now, calendar=Calendar("UTC"))

    assert moved == 4
    assert await hours_of(redis_client, "key", "2026-11-24", calendar=Calendar("UTC")) == {}
    sums = (await UsageStore(redis_client).read("key", ["2026-11-24"]))["2026-11-24"]
    assert sums["key_1"].input == 100
    models = (await UsageStore(redis_client).read_models(None, ["2026-11-24"]))["2026-11-24"]
    assert [*models] == [("key_1", "gpt-5.5")]


@pytest.mark.parametrize("kind", ["key", "model"])
async def test_a_hash_of_another_type_is_left_out(redis_client: Redis, kind: UsageKind) -> None:
    await SettlementWriter(redis_client).add(
        [
            a_record(1, "2026-11-24T07:10+00:00"),
            a_record(2, "2026-11-24T07:10+00:00", key_id="key_2", sent_model="odd"),
        ]
    )
    await redis_client.set(keyspace.usage_models("2026-11-24", "key_2"), "a text")
    await redis_client.set(keyspace.usage("2026-11-24", "model", "odd"), "a text")

    found = await hours_of(redis_client, kind, "2026-11-24", calendar=Calendar("UTC"))

    assert [len(sums) for sums in found.values()] == [1]


async def test_a_field_of_an_older_or_newer_form_stops_no_settlement(redis_client: Redis) -> None:
    day = "2026-11-24"
    writer = SettlementWriter(redis_client)
    await writer.add([a_record(1, "2026-11-24T07:10+00:00")])
    [field] = [
        name
        for name in await redis_client.hkeys(keyspace.usage(day, "model", "gpt-5.5"))
        if str(name).startswith("h")
    ]
    for number, odd in enumerate(("3 0 5", "1 0 100 60 0 10 0 0 1 900 2000 7 7", "no numbers", "")):
        await redis_client.hset(keyspace.usage(day, "model", "gpt-5.5"), field, odd)
        assert await writer.add([a_record(10 + number, "2026-11-24T07:20+00:00")]) == 1

    [sums] = [s async for _, s in HourStore(redis_client).each_hour("model", [day])]
    assert sums["gpt-5.5"].requests == 1
