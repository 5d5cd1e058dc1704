"""What has changed lately, told to those who follow."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.console.live import changes as looking
from codex_proapi.console.live.changes import Changes, Topic
from codex_proapi.console.live.log_broadcast import LogBroadcast


@pytest.fixture
async def changes(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Changes]:
    monkeypatch.setattr(looking, "CHECK_SECONDS", 0.01)
    changes = Changes(redis_client, LogBroadcast(LogStream(redis_client)))
    async with Tasks() as tasks:
        tasks.start(changes.run(), name="changes")
        await until(lambda: changes._seen)
        yield changes
        changes.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


async def next_topics(changes: Changes, *, touch: object) -> frozenset[Topic]:
    """What a follower hears after something was touched."""
    following = changes.follow(patience=0.05)
    await anext(following)
    await touch  # type: ignore[misc]
    async with asyncio.timeout(60):
        async for topics in following:
            if topics:
                await following.aclose()
                return topics
    return frozenset()


async def test_each_thing_is_named_when_it_changes(changes: Changes, redis_client: Redis) -> None:
    touches = {
        Topic.ACCOUNTS: redis_client.incr(keyspace.accounts_version()),
        Topic.KEYS: redis_client.incr(keyspace.keys_version()),
        Topic.SETTINGS: redis_client.hset(keyspace.settings(), "routing", '"affinity"'),
    }
    for topic, touch in touches.items():
        assert await next_topics(changes, touch=touch) == {topic}


async def test_a_cooldown_is_a_change_of_the_accounts(
    changes: Changes, redis_client: Redis
) -> None:
    touch = redis_client.hset(keyspace.cooldowns(), "acc_1", "{}")

    assert await next_topics(changes, touch=touch) == {Topic.ACCOUNTS}


async def test_nobody_looks_while_nobody_follows(changes: Changes, redis_client: Redis) -> None:
    following = changes.follow(patience=0.02)
    await anext(following)
    await following.aclose()

    async def looks() -> int:
        return int((await redis_client.info("commandstats"))["cmdstat_hgetall"]["calls"])

    async with asyncio.timeout(60):  # one may be under way
        before = -1
        while before != (before := await looks()):
            await asyncio.sleep(0.05)
    assert repr(changes) == "<Changes for 0 followers>"


async def test_closing_ends_who_follows(changes: Changes) -> None:
    heard: list[frozenset[Topic]] = []

    async def follow() -> None:
        async for topics in changes.follow(patience=600):
            heard.append(topics)

    following = asyncio.ensure_future(follow())
    await until(lambda: changes._followers)
    changes.close()
    async with asyncio.timeout(60):
        await following

    assert heard == [frozenset()]


async def test_what_changed_before_anybody_followed_is_told_to_who_comes_first(
    changes: Changes, redis_client: Redis
) -> None:
    await redis_client.incr(keyspace.keys_version())

    async with asyncio.timeout(60):
        async for topics in changes.follow(patience=0.05):
            if topics:
                break

    assert topics == {Topic.KEYS}
