"""What an administrator ends is on disk before the answer: a failover brings none of it back."""

from collections.abc import Awaitable, Callable, Iterator

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY
from support.redis_clients import connect_patiently
from support.redis_server import RedisServer

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.auth.sessions import Sessions

Deed = Callable[[Redis], Awaitable[object]]


@pytest.fixture(scope="module")
def appending() -> Iterator[RedisServer]:
    """A store that appends its writes to a file, as the shipped ones do."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "everysec") as server:
        yield server


async def revoke_key(redis: Redis) -> object:
    keys = KeyStore(redis, CredentialCipher((KEY,)))
    key, _ = await keys.create("Laptop")
    return await keys.revoke(key.id)


async def remove_key(redis: Redis) -> object:
    keys = KeyStore(redis, CredentialCipher((KEY,)))
    key, _ = await keys.create("Laptop")
    return await keys.remove(key.id)


async def end_session(redis: Redis) -> object:
    sessions = Sessions(redis, clock=Clock())
    _, session = await sessions.begin(ip="", agent="", sign_outs=0)
    return await sessions.end(session.id)


async def end_all_sessions(redis: Redis) -> object:
    sessions = Sessions(redis, clock=Clock())
    await sessions.begin(ip="", agent="", sign_outs=0)
    return await sessions.end_all()


async def change_password(redis: Redis) -> object:
    await Administrator(redis, Passwords(), clock=Clock()).change("correct horse battery staple")
    return True


@pytest.mark.parametrize(
    "deed", [revoke_key, remove_key, end_session, end_all_sessions, change_password]
)
async def test_a_deed_waits_until_it_is_on_disk(appending: RedisServer, deed: Deed) -> None:
    redis = connect_patiently(appending.url)
    try:
        before = await _waits(redis)
        assert await deed(redis)
        assert await _waits(redis) > before
    finally:
        await redis.aclose()


async def _waits(redis: Redis) -> int:
    """How often somebody waited for the file of what was written."""
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_waitaof", {}).get("calls", 0))
