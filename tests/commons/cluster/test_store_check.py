"""A process checks the stored data before it serves, while it serves, and as soon as Redis answers."""

import asyncio

from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.redis_server import RedisServer

from codex_proapi.commons.cluster.encryption_seal import EncryptionSeal, WrongEncryptionKeys
from codex_proapi.commons.cluster.schema import SchemaTooOld
from codex_proapi.commons.cluster.store_check import CHECK_SECONDS, RETRY_SECONDS, StoreCheck
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import StoreRefused

CIPHER, OTHER = (Cipher([Fernet.generate_key().decode()]) for _ in range(2))


async def refusal_of(check: StoreCheck, sleep: "Sleep") -> StoreRefused:
    found: list[StoreRefused] = []
    await asyncio.wait_for(check.run(found.append, sleep), 60)
    (refusal,) = found
    return refusal


class Sleep:
    """Sleeps no time; does something the second time."""

    def __init__(self, then: object) -> None:
        self._then = then
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 2:
            result = self._then()  # type: ignore[operator]
            if asyncio.iscoroutine(result):
                await result
        await asyncio.sleep(0)


async def test_while_redis_is_away_it_is_checked_as_soon_as_it_returns() -> None:
    with RedisServer() as server:
        client = connect(server.url)
        await client.hset(keyspace.schema(), mapping={"version": "9", "least": "9"})
        await client.save()
        server.kill()
        sleep = Sleep(server.start)

        refusal = await refusal_of(StoreCheck(client, CIPHER), sleep)

        assert isinstance(refusal, SchemaTooOld)
        assert sleep.slept[0] == RETRY_SECONDS
        await client.aclose()


async def test_data_that_is_restored_while_it_serves_is_checked_again(redis_client: Redis) -> None:
    async def another_version() -> None:
        await redis_client.hset(keyspace.schema(), mapping={"version": "9", "least": "9"})

    async def other_keys() -> None:
        await redis_client.flushall()
        await EncryptionSeal(redis_client, OTHER).check()

    for restore, expected in ((other_keys, WrongEncryptionKeys), (another_version, SchemaTooOld)):
        await redis_client.flushall()
        sleep = Sleep(restore)
        refusal = await refusal_of(StoreCheck(redis_client, CIPHER), sleep)
        assert isinstance(refusal, expected)
        assert sleep.slept == [CHECK_SECONDS, CHECK_SECONDS]


async def test_data_that_is_lost_is_begun_anew(redis_client: Redis) -> None:
    check = StoreCheck(redis_client, CIPHER)
    await check.check()
    before = set(await redis_client.keys("*"))
    await redis_client.flushall()

    await check.check()

    assert set(await redis_client.keys("*")) == before == {keyspace.schema(), keyspace.seal()}
