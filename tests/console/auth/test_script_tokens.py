"""Admin tokens for scripts: shown once, known by digest, ended at once."""

from typing import Any

from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.auth.script_tokens import ScriptTokens

NOW = 1_795_000_000


async def test_a_token_is_found_by_its_secret_on_every_replica(redis_client: Redis) -> None:
    token, secret = await ScriptTokens(redis_client, clock=Clock(NOW)).create("backup")
    other = ScriptTokens(redis_client, clock=Clock(NOW))

    assert await other.find(secret) == token
    assert (token.name, token.created_at, token.expires_at) == ("backup", NOW, 0)
    assert secret.startswith(token.prefix)
    assert len(secret) == len("cpadm-") + 43
    assert await other.find(secret + "x") is None
    assert await other.find("") is None


async def test_redis_does_not_know_the_secret(redis_client: Redis) -> None:
    _, secret = await ScriptTokens(redis_client, clock=Clock(NOW)).create("backup")
    (digest,) = await redis_client.smembers(keyspace.admin_tokens())
    kept = await redis_client.hgetall(keyspace.admin_token(str(digest)))

    assert secret[10:] not in f"{digest!r} {kept}"


async def test_a_token_ends_with_its_time(redis_client: Redis) -> None:
    clock = Clock(NOW)
    tokens = ScriptTokens(redis_client, clock=clock)
    # Redis' own clock must not end it before the test's does.
    token, secret = await tokens.create("brief", expires_at=4_000_000_000)
    assert await tokens.lives(token.id)
    clock.now = 4_000_000_000

    assert await tokens.find(secret) is None
    assert not await tokens.lives(token.id)
    assert await tokens.all() == []


async def test_a_revoked_token_is_nobody(redis_client: Redis) -> None:
    tokens = ScriptTokens(redis_client, clock=Clock(NOW))
    token, secret = await tokens.create("one")
    kept, _ = await tokens.create("two")

    assert await tokens.revoke(token.id)
    assert await tokens.find(secret) is None
    assert await tokens.all() == [kept]
    assert not await tokens.revoke(token.id)


async def test_a_token_of_another_type_hides_no_other(redis_client: Redis) -> None:
    tokens = ScriptTokens(redis_client, clock=Clock(NOW))
    token, secret = await tokens.create("one")
    await redis_client.set(keyspace.admin_token("odd"), "no hash")
    await redis_client.sadd(keyspace.admin_tokens(), "odd", "gone")

    assert await tokens.all() == [token]
    assert await tokens.lives(token.id)
    assert not await tokens.lives("odd")
    assert await tokens.find(secret) == token


async def test_a_revocation_waits_for_the_disk(redis_client: Redis) -> None:
    """A failover must not bring a revoked token back."""
    tokens = ScriptTokens(redis_client, clock=Clock(NOW))
    token, secret = await tokens.create("deploy")
    await redis_client.config_resetstat()

    assert await tokens.revoke(token.id)
    stats: Any = await redis_client.info("commandstats")
    assert "cmdstat_waitaof" in stats
    assert await tokens.find(secret) is None
    assert not await tokens.revoke(token.id)
