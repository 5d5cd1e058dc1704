"""Usage adds up: each request once, whatever is repeated, killed or restarted."""

import asyncio
import contextlib
import json
import random
import signal
import sys
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from support.exchanges import AT, a_record
from support.pretended import pretended_time
from support.redis_server import RedisServer
from support.usage import WrittenUsage

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.counters import (
    SLOT_SECONDS,
    Counters,
    UsageStore,
    day_of,
)
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import MOST_AT_ONCE, SettlementWriter

DAY = "2026-11-18"
WORKER = Path(__file__).parents[2] / "support" / "usage_worker.py"

RECORD = ExchangeRecord(
    request_id="req_1",
    at=AT,
    endpoint="chat",
    key_id="key_1",
    asked_model="gpt-4",
    sent_model="gpt-5.5",
    answered_model="gpt-5.5-2026-10-01",
    account="acc_1",
    attempts=(
        AttemptRecord(
            account="acc_2", verdict="next_account", status=429, code="usage_limit_reached"
        ),
        AttemptRecord(account="acc_1", verdict="committed", status=200),
    ),
    tokens=Tokens(input=100, cached=60, cache_write=10, output=40, reasoning=25),
    first_byte_ms=500,
    total_ms=2000,
    ending=Ending.WHOLE,
)
COUNTED = Counters(
    requests=1,
    errors=0,
    input=100,
    cached=60,
    cache_write=10,
    output=40,
    reasoning=25,
    first_bytes=1,
    first_byte_ms=500,
    total_ms=2000,
)


@pytest.fixture
def usage(redis_client: Redis) -> WrittenUsage:
    return WrittenUsage(redis_client)


async def test_an_exchange_is_counted_for_its_key_account_and_model(usage: WrittenUsage) -> None:
    assert await usage.add([RECORD]) == 1

    assert await usage.read("key", [DAY]) == {DAY: {"key_1": COUNTED}}
    assert await usage.read("account", [DAY]) == {DAY: {"acc_1": COUNTED}}
    assert await usage.read("model", [DAY]) == {DAY: {"gpt-5.5-2026-10-01": COUNTED}}
    assert await usage.series([DAY]) == {1_795_000_000 - 1_795_000_000 % SLOT_SECONDS: COUNTED}


async def test_it_is_counted_once_and_logged_once_however_often_it_is_added(
    usage: WrittenUsage, redis_client: Redis
) -> None:
    assert await usage.add([RECORD, RECORD]) == 1
    assert await usage.add([RECORD]) == 0

    assert await usage.read("key", [DAY]) == {DAY: {"key_1": COUNTED}}
    (stored,) = await LogStream(redis_client).page()
    assert stored.entry.exchange == RECORD


async def test_a_batch_is_summed(usage: WrittenUsage) -> None:
    numbers = range(3 * MOST_AT_ONCE + 7)

    assert await usage.add([a_record(number) for number in numbers]) == len(numbers)

    assert await usage.series([DAY]) == {1_794_999_900: truth_of(numbers)}


async def test_nothing_is_added_by_nothing(usage: WrittenUsage, redis_client: Redis) -> None:
    assert await usage.add([]) == 0
    assert await redis_client.keys("*") == []


@pytest.mark.parametrize(
    ("ending", "errors"),
    [
        (Ending.WHOLE, 0),
        (Ending.SHORT, 0),
        (Ending.ABANDONED, 0),
        (Ending.REFUSED, 1),
        (Ending.BROKEN, 1),
    ],
)
async def test_refused_and_broken_exchanges_are_errors(
    usage: WrittenUsage, ending: Ending, errors: int
) -> None:
    await usage.add([ExchangeRecord(request_id="r", at=AT, endpoint="chat", ending=ending)])

    assert await usage.read("key", [DAY]) == {DAY: {"open": Counters(requests=1, errors=errors)}}
    assert list((await usage.read("account", [DAY]))[DAY]) == ["none"]
    assert list((await usage.read("model", [DAY]))[DAY]) == ["none"]


async def test_days_are_those_of_utc_and_slots_five_minutes(usage: WrittenUsage) -> None:
    midnight = 1_795_046_400
    for number, at in enumerate([midnight - 0.5, midnight, midnight + 299, midnight + 300]):
        await usage.add(
            [
                ExchangeRecord(
                    request_id=f"r{number}", at=at, endpoint="chat", key_id="k", ending=Ending.WHOLE
                )
            ]
        )

    days = ["2026-11-18", "2026-11-19"]
    counted = await usage.read("key", days)
    assert [counted[day]["k"].requests for day in days] == [1, 3]
    series = await usage.series(days)
    assert {at - midnight: each.requests for at, each in series.items()} == {-300: 1, 0: 2, 300: 1}
    assert [day_of(midnight - 0.5), day_of(midnight)] == days


async def test_a_keys_tokens_are_told_by_day_as_its_budgets_count_them(usage: WrittenUsage) -> None:
    tokens = Tokens(input=100, cached=80, output=20, reasoning=15)
    record = ExchangeRecord(
        request_id="r", at=AT, endpoint="chat", key_id="k", tokens=tokens, ending=Ending.WHOLE
    )
    await usage.add([record])

    assert await usage.tokens("k", ["2026-01-01", DAY]) == [0, 120]
    assert await usage.tokens("k", []) == []


async def test_named_subjects_are_read_also_without_counters(usage: WrittenUsage) -> None:
    await usage.add([RECORD])

    assert await usage.read("key", [DAY], subjects=["key_1", "key_2"]) == {
        DAY: {"key_1": COUNTED, "key_2": Counters()}
    }
    assert await usage.read("key", ["2026-11-17"]) == {"2026-11-17": {}}


async def test_what_an_account_and_a_key_did_last_is_noted(
    usage: WrittenUsage, redis_client: Redis
) -> None:
    key, _ = await KeyStore(redis_client, CredentialCipher(["A" * 43 + "="])).create("laptop")
    for account in ("acc_1", "acc_2"):
        await redis_client.hset(keyspace.account(account), "id", account)
    record = ExchangeRecord(
        request_id="r",
        at=AT,
        endpoint="chat",
        key_id=key.id,
        attempts=RECORD.attempts,
        ending=Ending.WHOLE,
    )

    await usage.add([record])

    at = str(int(AT))
    assert await redis_client.hgetall(keyspace.account("acc_1")) == {
        "id": "acc_1",
        "last_used_at": at,
        "last_error": "",
    }
    assert await redis_client.hgetall(keyspace.account("acc_2")) == {
        "id": "acc_2",
        "last_error": "usage_limit_reached",
        "last_error_at": at,
    }
    assert await redis_client.hget(keyspace.key(key.id), "last_used_at") == at
    assert await redis_client.get(keyspace.accounts_version()) is None


async def test_a_removed_account_does_not_come_back_by_being_counted(
    usage: WrittenUsage, redis_client: Redis
) -> None:
    await usage.add([RECORD])

    assert await redis_client.exists(keyspace.account("acc_1"), keyspace.key("key_1")) == 0


async def test_a_key_is_counted_by_model_too(usage: WrittenUsage) -> None:
    await usage.add([a_record(number) for number in range(20)])

    by_model = (await usage.read_models(["key_1", "key_2", "key_9"], [DAY]))[DAY]
    by_key = (await usage.read("key", [DAY]))[DAY]
    everybody = (await usage.read_models(None, [DAY]))[DAY]
    assert {key for key, _ in everybody} == set(by_key)
    assert by_model.items() <= everybody.items()
    for key_id, counters in by_key.items():
        total = Counters()
        for (owner, _), each in by_model.items():
            if owner == key_id:
                total.add(each)
        assert key_id not in {"key_1", "key_2"} or total == counters


async def test_tokens_that_upstream_did_not_tell_are_kept_apart(usage: WrittenUsage) -> None:
    record = ExchangeRecord(
        request_id="r", at=AT, endpoint="chat", key_id="k", estimated=70, ending=Ending.ABANDONED
    )
    await usage.add([record])

    assert (await usage.read("key", [DAY]))[DAY] == {"k": Counters(requests=1, estimated=70)}


async def test_a_shorter_retention_holds_for_what_is_there_and_for_what_comes(
    usage: WrittenUsage, redis_client: Redis
) -> None:
    ages = {"old": 41, "last": 40, "today": 0}
    for name, age in ages.items():
        at = AT - age * keyspace.DAY
        await usage.add([msgspec.structs.replace(RECORD, request_id=name, at=at)])

    await usage.keep(40, now=AT)

    days = {name: day_of(AT - age * keyspace.DAY) for name, age in ages.items()}
    left = {name: sorted(await redis_client.keys(f"*usage*{day}*")) for name, day in days.items()}
    assert [name for name in left["old"] if "series" not in str(name)] == []
    assert await usage.read("key", days.values()) == {
        days["old"]: {},
        days["last"]: {"key_1": COUNTED},
        days["today"]: {"key_1": COUNTED},
    }
    midnight = keyspace.DAY - int(AT) % keyspace.DAY
    for kept, age in (("last", 40), ("today", 0)):
        seconds = midnight + (40 - age) * keyspace.DAY
        for found in left[kept]:
            brief = "series" in str(found) or (
                "usage-models" in str(found) and "acc_" in str(found)
            )
            if not brief:
                assert seconds - 3600 <= await redis_client.ttl(found) <= seconds, found

    usage.writer.days = 40
    await usage.add([msgspec.structs.replace(RECORD, request_id="next")])
    ends = await redis_client.ttl(keyspace.usage(days["today"], "model", RECORD.answered_model))
    # From the begin of its slot on: the end may be later by a slot, never earlier.
    assert midnight + 40 * keyspace.DAY - 5 <= ends <= midnight + 40 * keyspace.DAY + SLOT_SECONDS


async def test_everything_that_is_counted_expires(usage: WrittenUsage, redis_client: Redis) -> None:
    await usage.add([RECORD])

    for name in await redis_client.keys("*"):
        if name not in {keyspace.logs(), keyspace.log_index()}:  # as long as the log is
            assert await redis_client.ttl(name) > 0, name


async def test_large_sums_are_exact(usage: WrittenUsage) -> None:
    big = 2**40 + 1
    for number in range(2):
        record = ExchangeRecord(
            request_id=f"r{number}",
            at=AT,
            endpoint="chat",
            key_id="k",
            tokens=Tokens(input=big),
            ending=Ending.WHOLE,
        )
        await usage.add([record])

    assert (await usage.read("key", [DAY]))[DAY]["k"].input == 2 * big


async def test_without_redis_the_caller_keeps_the_batch() -> None:
    client = connect("unix:///nowhere")
    with pytest.raises(StoreUnavailable):
        await WrittenUsage(client).add([RECORD])
    await client.aclose()
    assert repr(SettlementWriter(client)) == "<SettlementWriter, kept for 400 days>"
    assert repr(UsageStore(client)) == "<UsageStore>"


def truth_of(numbers: range) -> Counters:
    """What the exchanges with these numbers add up to."""
    total = Counters()
    for number in numbers:
        record = a_record(number)
        total.add(
            Counters(
                requests=1,
                errors=int(record.ending is Ending.REFUSED),
                input=record.tokens.input,
                cached=record.tokens.cached,
                output=record.tokens.output,
                reasoning=record.tokens.reasoning,
                first_bytes=int(record.first_byte_ms > 0),
                first_byte_ms=record.first_byte_ms,
                total_ms=100,
            )
        )
    return total


async def test_figures_are_exact_after_killed_writers_and_restarts_of_redis() -> None:
    """Each record is added by two processes; some die in the middle, and Redis restarts."""
    chance = random.Random(7)
    total = range(2000)
    parts = [list(total)[part::4] for part in range(4)]
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        doomed = [await start_worker(server.url, part) for part in parts]
        for worker in doomed:
            assert worker.stdout is not None
            for _ in range(chance.randint(0, 3)):
                await worker.stdout.readline()
        server.kill(signal.SIGKILL)
        for worker in doomed[::2]:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
        server.start()
        survivors = [await start_worker(server.url, part) for part in parts]
        server.kill(signal.SIGKILL)
        server.start()
        for worker in doomed:
            await worker.communicate()
        for worker in survivors:
            await worker.communicate()
            assert worker.returncode == 0

        client = connect(server.url)
        usage = WrittenUsage(client)
        assert await usage.series([DAY]) == {1_794_999_900: truth_of(total)}
        by_key = (await usage.read("key", [DAY]))[DAY]
        assert sum(each.input for each in by_key.values()) == truth_of(total).input
        assert await client.xlen(keyspace.logs()) == len(total)
        await client.aclose()


async def start_worker(redis_url: str, numbers: list[int]) -> asyncio.subprocess.Process:
    orders = json.dumps({"redis_url": redis_url, "numbers": numbers})
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        orders,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(WORKER.parents[1]), **pretended_time()},
    )
