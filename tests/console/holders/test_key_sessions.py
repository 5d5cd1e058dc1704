"""Sessions begun with an API key: they last as long as the key, and not too long."""

from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.console_scene import FERNET

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.console.holders.key_sessions import (
    ABSOLUTE_SECONDS,
    IDLE_SECONDS,
    KeySessions,
)


class Scene:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.clock = Clock()
        self.keys = KeyStore(redis, CredentialCipher((FERNET,)))
        self.sessions = KeySessions(redis, self.keys, clock=self.clock)

    async def begun(self, **facts: Any) -> tuple[str, ApiKey, str]:
        """A session's cookie, its key, and the key's secret."""
        key, secret = await self.keys.create("mine", **facts)
        begun = await self.sessions.begin(secret)
        assert begun is not None
        assert begun[1].id == key.id
        return begun[0], key, secret


@pytest.fixture
def scene(redis_client: Redis) -> Scene:
    return Scene(redis_client)


async def test_a_session_gives_the_key_it_was_begun_with(scene: Scene) -> None:
    sid, key, _ = await scene.begun()
    other, another, _ = await scene.begun()

    found, others = await scene.sessions.find(sid), await scene.sessions.find(other)

    assert found is not None
    assert others is not None
    assert (found.id, others.id) == (key.id, another.id)


@pytest.mark.parametrize("sid", ["", "x", "x" * 43, "x" * 44, "\u4e2d" * 43])
async def test_what_is_no_session_gives_nothing(scene: Scene, sid: str) -> None:
    await scene.begun()

    assert await scene.sessions.find(sid) is None


async def test_secrets_that_are_not_good_begin_nothing(scene: Scene) -> None:
    key, secret = await scene.keys.create("gone")
    await scene.keys.revoke(key.id)
    _, expired = await scene.keys.create("late", expires_at=int(scene.clock()) - 1)

    for wrong in (secret, expired, "", "cpa-nothing", "\ud800"):
        assert await scene.sessions.begin(wrong) is None


async def test_it_ends_when_the_key_is_revoked(scene: Scene) -> None:
    sid, key, _ = await scene.begun()

    await scene.keys.revoke(key.id)

    assert await scene.sessions.find(sid) is None


async def test_it_ends_when_the_key_is_deleted(scene: Scene) -> None:
    sid, key, _ = await scene.begun()

    await scene.keys.remove(key.id)

    assert await scene.sessions.find(sid) is None


@pytest.mark.parametrize("overlap", [0, 3600])
async def test_it_ends_when_the_key_gets_another_secret(scene: Scene, overlap: int) -> None:
    sid, key, _ = await scene.begun()

    fresh = await scene.keys.rotate(key.id, overlap=overlap)

    assert fresh is not None
    assert await scene.sessions.find(sid) is None
    assert await scene.sessions.begin(fresh) is not None


async def test_one_begun_with_the_old_secret_ends_with_that(scene: Scene) -> None:
    key, old = await scene.keys.create("mine")
    await scene.keys.rotate(key.id, overlap=3600)
    begun = await scene.sessions.begin(old)
    assert begun is not None
    assert await scene.sessions.find(begun[0]) is not None

    await scene.redis.delete(*[name async for name in scene.redis.scan_iter("*key-digest:*")])

    assert await scene.sessions.find(begun[0]) is None


async def test_it_ends_when_the_key_expires(scene: Scene) -> None:
    sid, _, _ = await scene.begun(expires_at=int(scene.clock()) + 60)
    assert await scene.sessions.find(sid) is not None

    scene.clock.pass_(61)

    assert await scene.sessions.find(sid) is None


async def test_it_ends_without_use(scene: Scene) -> None:
    sid, _, _ = await scene.begun()

    scene.clock.pass_(IDLE_SECONDS + 1)

    assert await scene.sessions.find(sid) is None


async def test_it_ends_after_some_hours_however_busy(scene: Scene) -> None:
    sid, _, _ = await scene.begun()
    for _ in range(ABSOLUTE_SECONDS // (IDLE_SECONDS - 60)):
        scene.clock.pass_(IDLE_SECONDS - 60)
        assert await scene.sessions.find(sid) is not None

    scene.clock.pass_(IDLE_SECONDS - 60)

    assert await scene.sessions.find(sid) is None


async def test_it_is_ended_once(scene: Scene) -> None:
    sid, _, _ = await scene.begun()

    assert await scene.sessions.end(sid)
    assert not await scene.sessions.end(sid)
    assert await scene.sessions.find(sid) is None


async def test_redis_has_neither_the_cookie_nor_the_secret(scene: Scene) -> None:
    sid, _, secret = await scene.begun()
    [name] = [str(each) async for each in scene.redis.scan_iter("*key-session:*")]

    kept = await scene.redis.get(name)

    assert sid not in name + str(kept)
    assert secret not in name + str(kept)
    assert 0 < await scene.redis.ttl(name) <= IDLE_SECONDS


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"key_id": 1}'])
async def test_a_record_that_cannot_be_read_is_no_session(scene: Scene, kept: str) -> None:
    sid, _, _ = await scene.begun()
    [name] = [each async for each in scene.redis.scan_iter("*key-session:*")]
    await scene.redis.set(name, kept)

    assert await scene.sessions.find(sid) is None
