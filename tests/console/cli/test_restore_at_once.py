"""A restore takes place whole or not at all, whenever it is ended."""

import asyncio
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import redis as plain_redis
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support import stored_forms
from support.redis_server import RedisServer
from support.stored_forms import SEALING_KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.cli.archive.file_format import Record, written
from codex_proapi.console.cli.archive.staged_restore import RestoreFailed, StagedRestore
from codex_proapi.console.cli.archive.store_records import lasting_records, shortfall, tally
from codex_proapi.console.cli.commands import run

CIPHER = CredentialCipher([SEALING_KEY])
RECORDS = [
    Record(name="accounts", kind="set", value=["acc_new"]),
    Record(name="account:acc_new", kind="hash", value={"name": "new"}),
    Record(name="usage:2026-11-01:key:k", kind="hash", value={"r": "1"}, milliseconds=9_000_000),
    Record(name="keys-version", kind="string", value="41"),
    *(
        Record(name="logs", kind="stream", value=[[f"{at}-0", {"entry": "x"}]])
        for at in range(1, 4)
    ),
]


def restoring(redis: Redis) -> StagedRestore:
    return StagedRestore(redis, source=CIPHER, target=CIPHER)


async def named(redis: Redis, pattern: str) -> set[str]:
    return {str(name) async for name in redis.scan_iter(match=f"{keyspace.TAG}:{pattern}")}


async def dump_of_ours(redis: Redis) -> dict[str, Any]:
    """Everything stored but what a restore has staged."""
    found = await stored_forms.dump(redis)
    return {n: each for n, each in found.items() if not n.startswith(f"{keyspace.TAG}:restor")}


async def test_until_it_takes_place_nothing_has_changed(redis_client: Redis) -> None:
    await stored_forms.write(redis_client)
    before = await dump_of_ours(redis_client)

    killed = restoring(redis_client)
    await killed.stage(RECORDS)

    assert await dump_of_ours(redis_client) == before
    for name in await named(redis_client, "restor*"):
        assert 0 < await redis_client.ttl(name) <= keyspace.RESTORE_SECONDS, "it goes by itself"

    again = restoring(redis_client)
    await again.stage(RECORDS)
    await again.publish()
    assert await named(redis_client, "account*") == {
        keyspace.accounts(),
        keyspace.account("acc_new"),
        keyspace.accounts_version(),
    }
    assert await redis_client.xlen(keyspace.logs()) == 3
    assert int(await redis_client.get(keyspace.keys_version()) or 0) >= 42
    assert await redis_client.ttl(keyspace.accounts()) == -1, "what lasts has no end any more"
    assert 0 < await redis_client.pttl(keyspace.usage("2026-11-01", "key", "k")) <= 9_000_000
    assert await named(redis_client, "restor*") == set(), "also what the killed one left"
    assert not await shortfall(redis_client, tally(RECORDS))
    with pytest.raises(RestoreFailed, match="nothing was changed"):
        await killed.publish()


async def test_of_two_at_once_the_later_one_takes_place(redis_client: Redis) -> None:
    first, second = restoring(redis_client), restoring(redis_client)
    await first.stage(RECORDS)
    await second.stage(RECORDS[:2])

    with pytest.raises(RestoreFailed, match="another restore"):
        await first.publish()
    assert await named(redis_client, "account*") == set()
    await second.publish()
    assert await redis_client.exists(keyspace.account("acc_new"))


async def test_a_part_that_is_gone_stops_the_whole(redis_client: Redis) -> None:
    await stored_forms.write(redis_client)
    one = restoring(redis_client)
    await one.stage(RECORDS)
    staged = await named(redis_client, "restoring:*:account:acc_new")
    await redis_client.delete(*staged)
    before = await dump_of_ours(redis_client)

    with pytest.raises(RestoreFailed, match="longer than a day"):
        await one.publish()
    assert await dump_of_ours(redis_client) == before


async def test_what_is_not_there_afterwards_is_counted(redis_client: Redis) -> None:
    one = restoring(redis_client)
    await one.stage(RECORDS)
    await one.publish()
    await redis_client.delete(keyspace.account("acc_new"))
    await redis_client.xtrim(keyspace.logs(), maxlen=1, approximate=False)

    assert await shortfall(redis_client, tally(RECORDS)) == {"account": (0, 1), "logs": (1, 3)}


async def test_a_full_redis_refuses_the_whole() -> None:
    with RedisServer() as server:
        client = connect(server.url, timeout=60)
        try:
            await stored_forms.write(client)
            before = await dump_of_ours(client)
            used = int((await client.info("memory"))["used_memory"])
            await client.config_set("maxmemory", used + 200_000)
            big = [
                Record(name=f"account:{n}", kind="hash", value={"x": "x" * 9000})
                for n in range(500)
            ]
            with pytest.raises(StoreUnavailable):
                await restoring(client).stage(big)
            assert await dump_of_ours(client) == before
        finally:
            await client.aclose()


def test_killed_at_any_moment_the_store_is_what_it_was_or_what_was_restored() -> None:
    """The process of the command is killed as soon as Redis shows that it has begun."""
    key = Fernet.generate_key().decode()
    with RedisServer() as target, RedisServer() as origin:
        content = asyncio.run(_backup_of_many(origin.url))
        with plain_redis.Redis.from_url(target.url, decode_responses=True) as client:
            environ = {"REDIS_URL": target.url, "ENCRYPTION_KEYS": key}
            assert run(environ, ["keys", "create", "kept"]) == 0
            keys = target.folder / "keys"
            keys.write_text(SEALING_KEY)
            command = [
                *(sys.executable, "-m", "codex_proapi.console.cli", "restore", "-", "--force"),
                *("--keys", str(keys)),
            ]
            process = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            assert process.stdin
            process.stdin.write(content)
            process.stdin.close()
            deadline = time.monotonic() + 120
            while not client.exists(keyspace.restore()) and process.poll() is None:
                assert time.monotonic() < deadline, "it never began"
            process.send_signal(signal.SIGKILL)
            process.wait()

            names = asyncio.run(_key_names(target.url))
            assert names in ({"kept"}, {f"key {n}" for n in range(900)})
            again = subprocess.run(
                command, check=False, env=environ, input=content, capture_output=True
            )
            assert again.returncode == 0, again.stderr
            assert b"900 API keys" in again.stdout
            assert asyncio.run(_key_names(target.url)) == {f"key {n}" for n in range(900)}


async def _backup_of_many(url: str) -> bytes:
    client = connect(url, timeout=60)
    try:
        pipe = client.pipeline(transaction=False)
        for number in range(900):
            pipe.sadd(keyspace.keys(), f"key_{number}")
            pipe.hset(keyspace.key(f"key_{number}"), mapping={"name": f"key {number}"})
        await pipe.execute()
        records = [record async for record in lasting_records(client)]
        return b"".join(written(records, cipher=CIPHER, now=5.0))
    finally:
        await client.aclose()


async def _key_names(url: str) -> set[str]:
    client = connect(url, timeout=60)
    try:
        found = set()
        async for name in client.scan_iter(match=keyspace.key("*"), count=1000):
            found.add(str(await client.hget(str(name), "name")))
        return found
    finally:
        await client.aclose()
