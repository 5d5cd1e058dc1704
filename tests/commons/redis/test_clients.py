"""Clients from an address; nothing is repeated blindly; failures stop here."""

import asyncio
import contextlib
import pathlib
from typing import Any, cast

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio import RedisCluster as ClusterClient
from redis.asyncio.connection import SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import ResponseError
from support.redis_clients import PATIENCE_SECONDS, connect_patiently
from support.redis_server import RedisServer
from support.redis_sets import RedisCluster, RedisSentinels
from support.store_walk import CIPHER, walk

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.redis.circuit_breaker import is_away
from codex_proapi.commons.redis.clients import (
    BLOCK_SECONDS,
    ask,
    connect,
    connect_blocking,
    mapped,
    text,
)
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable


def settings_of(client: Redis) -> dict[str, Any]:
    return client.connection_pool.connection_kwargs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache:6380/3", {"host": "cache", "port": 6380, "db": 3}),
        ("redis://ada:p%40ss@cache", {"host": "cache", "username": "ada", "password": "p@ss"}),
        ("rediss://cache", {"host": "cache"}),
        ("unix:///run/redis.sock?db=2", {"path": "/run/redis.sock", "db": 2}),
    ],
)
def test_an_address_of_one_server_gives_a_client_of_it(url: str, expected: dict[str, Any]) -> None:
    client = connect(url)

    assert expected.items() <= settings_of(client).items()
    assert isinstance(client.connection_pool, BlockingConnectionPool)


def test_every_client_gives_text_waits_its_turn_and_repeats_nothing() -> None:
    for client in (
        connect("redis://cache"),
        connect("redis+sentinel://a,b:26380/main/2"),
        connect("redis+cluster://a"),
    ):
        settings = (
            client.connection_kwargs if isinstance(client, ClusterClient) else settings_of(client)
        )
        assert settings["decode_responses"] is True
        assert settings["legacy_responses"] is False
        assert settings["protocol"] == 3
        assert settings["socket_timeout"] == 1.0
        assert settings["socket_connect_timeout"] == 1.0


def test_a_sentinel_address_names_the_sentinels_the_service_and_the_database() -> None:
    client = connect(
        "redis+sentinel://ada:pw@s1,s2:26380,[::1]:26381/main/4?sentinel_password=guard"
    )
    pool = client.connection_pool

    assert isinstance(pool, SentinelConnectionPool)
    assert isinstance(pool, BlockingConnectionPool)
    assert pool.service_name == "main"
    addresses = [
        (
            each.connection_pool.connection_kwargs["host"],
            each.connection_pool.connection_kwargs["port"],
        )
        for each in pool.sentinel_manager.sentinels
    ]
    assert addresses == [("s1", 26379), ("s2", 26380), ("::1", 26381)]
    guard = pool.sentinel_manager.sentinels[0].connection_pool.connection_kwargs
    assert guard["password"] == "guard"
    settings = settings_of(client)
    assert (settings["username"], settings["password"], settings["db"]) == ("ada", "pw", 4)


TLS = "ssl_ca_certs=/ca.pem&ssl_check_hostname=no&socket_timeout=7"


def test_an_address_of_sentinels_says_whom_to_trust() -> None:
    client = connect(
        f"rediss+sentinel://s1/main/0?{TLS}&sentinel_username=guard&sentinel_tls=yes",
    )

    guard = cast("SentinelConnectionPool", client.connection_pool).sentinel_manager.sentinels[0]
    about = guard.connection_pool.connection_kwargs
    assert (about["username"], about["ssl_ca_certs"]) == ("guard", "/ca.pem")
    assert guard.connection_pool.connection_class is SSLConnection
    settings = settings_of(client)
    assert (settings["ssl_ca_certs"], settings["ssl_check_hostname"]) == ("/ca.pem", False)
    assert settings["socket_timeout"] == 7.0

    plain = connect(f"rediss+sentinel://s1/main/0?{TLS}").connection_pool
    plain_guard = cast("SentinelConnectionPool", plain).sentinel_manager.sentinels[0]
    assert plain_guard.connection_pool.connection_class is not SSLConnection


def test_an_address_of_a_cluster_says_whom_to_trust() -> None:
    client = connect(f"rediss+cluster://c1:7000?{TLS}")

    settings = cast("ClusterClient", client).connection_kwargs
    assert (settings["ssl_ca_certs"], settings["ssl_check_hostname"]) == ("/ca.pem", False)
    assert settings["socket_timeout"] == 7.0


def test_a_cluster_address_names_its_nodes() -> None:
    client = connect("redis+cluster://ada:pw@c1:7000,c2:7001")

    assert isinstance(client, ClusterClient)
    nodes = [(node.host, node.port) for node in client.nodes_manager.startup_nodes.values()]
    assert nodes == [("c1", 7000), ("c2", 7001)]
    assert client.connection_kwargs["password"] == "pw"


def test_the_client_for_tails_outlasts_a_blocking_read() -> None:
    assert settings_of(connect_blocking("redis://cache"))["socket_timeout"] > BLOCK_SECONDS


def test_the_url_may_say_how_long_a_command_takes() -> None:
    said = settings_of(connect("redis://cache?socket_timeout=4&socket_connect_timeout=3&timeout=9"))

    assert (said["socket_timeout"], said["socket_connect_timeout"]) == (4.0, 3.0)
    for url, wait in (("timeout=9", 9.0), ("socket_timeout=4", 4.0), ("db=1", 1.0)):
        assert connect(f"redis://cache?{url}").connection_pool.timeout == wait  # type: ignore[attr-defined]


def test_no_url_makes_the_client_for_tails_give_up_before_a_blocking_read_ends() -> None:
    short = connect_blocking("redis://cache?socket_timeout=1")

    assert settings_of(short)["socket_timeout"] > BLOCK_SECONDS


async def test_more_commands_than_connections_wait_their_turn(redis_url: str) -> None:
    client = connect(redis_url, timeout=60, max_connections=2)
    got = await asyncio.gather(*(client.incr("n") for _ in range(200)))
    await client.aclose()

    assert sorted(got) == list(range(1, 201))


async def test_a_script_runs_by_its_name_also_after_the_server_forgot_it(
    redis_client: Redis,
) -> None:
    scripts = Scripts(redis_client, "codex_proapi.commons.redis")
    assert await scripts.run("release_lock", ["lock"], ["me"]) == 0
    await redis_client.script_flush()
    await redis_client.set("lock", "me")
    assert await scripts.run("release_lock", ["lock"], ["me"]) == 1
    assert repr(scripts) == "<Scripts ['release_lock']>"


async def test_failures_become_store_unavailable_and_name_no_address() -> None:
    client = connect("redis://:canary@127.0.0.1:9")
    scripts = Scripts(client, "codex_proapi.commons.redis")
    for call in (scripts.run, scripts.repeat):
        with pytest.raises(StoreUnavailable) as caught:
            await call("release_lock", ["lock"], ["me"])
        assert "canary" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
    with pytest.raises(StoreUnavailable):
        await ask(lambda: client.get("x"))
    await client.aclose()


async def test_a_server_that_hangs_is_given_up_after_the_timeout() -> None:
    with RedisServer() as server:
        client = connect(server.url, timeout=1.0)
        assert await client.ping()
        server.freeze()
        with pytest.raises(StoreUnavailable):
            await ask(lambda: client.get("x"))
        server.thaw()
        assert await ask(lambda: client.get("x")) is None
        await client.aclose()


async def test_a_client_recovers_by_itself_when_its_server_returns() -> None:
    with RedisServer() as server:
        client = connect(server.url)
        await client.ping()
        server.kill()
        with pytest.raises(StoreUnavailable):
            await ask(lambda: client.get("x"))
        server.start()
        assert await ask(lambda: client.get("x")) is None
        await client.aclose()


async def test_a_broken_read_is_asked_once_more_and_a_wrong_one_is_not() -> None:
    asked: list[Exception] = []

    async def read(error: Exception) -> str:
        asked.append(error)
        if len(asked) == 1:
            raise error
        return "answer"

    assert await ask(lambda: read(ConnectionBroken())) == "answer"
    asked.clear()
    with pytest.raises(StoreUnavailable):
        await ask(lambda: read(ResponseError()))
    assert len(asked) == 1


async def test_what_timed_out_is_not_repeated() -> None:
    with RedisServer() as server:
        client, patient_client = connect(server.url, timeout=1.0), connect_patiently(server.url)
        scripts = Scripts(client, "codex_proapi.commons.redis")
        await scripts.run("release_lock", ["lock"], ["me"])
        before = (await patient_client.info("stats"))["total_connections_received"]
        server.freeze()
        with pytest.raises(StoreUnavailable):
            await scripts.repeat("release_lock", ["lock"], ["me"])
        server.thaw()

        # Another try would have needed a connection of its own: a time-out ends the one it had.
        after = (await patient_client.info("stats"))["total_connections_received"]
        assert after == before
        await client.aclose()
        await patient_client.aclose()


def test_a_code_is_named_and_no_more_of_a_reply() -> None:
    with pytest.raises(StoreUnavailable, match=r"^Redis: OOM$"), mapped():
        raise ResponseError("OOM canary")
    with pytest.raises(StoreUnavailable, match=r"^Redis: ResponseError$"), mapped():
        raise ResponseError("canary OOM")


async def test_a_cluster_without_a_node_is_away_like_any_redis() -> None:
    client = connect("redis+cluster://127.0.0.1:9")
    with pytest.raises(StoreUnavailable) as caught:
        await ask(lambda: client.get("x"))
    assert is_away(caught.value)
    await client.aclose()


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), mapped():
        raise KeyError


def test_a_reply_is_text_whatever_the_types_say() -> None:
    assert [text("a"), text(b"a"), text(1)] == ["a", "a", "1"]


async def test_everything_works_on_one_server(redis_url: str) -> None:
    client, blocking_redis = connect(redis_url), connect_blocking(redis_url)
    await walk(client, blocking_redis)
    await client.aclose()
    await blocking_redis.aclose()


async def test_everything_works_on_a_real_cluster() -> None:
    with RedisCluster() as cluster:
        client, blocking_redis = connect(cluster.url), connect_blocking(cluster.url)
        await walk(client, blocking_redis)
        await client.aclose()
        await blocking_redis.aclose()


async def test_everything_goes_on_after_a_real_failover() -> None:
    """A primary dies without a word; its replica takes over, and no process restarts."""
    with RedisSentinels() as servers:
        async with (
            contextlib.aclosing(connect(servers.url, timeout=PATIENCE_SECONDS)) as client,
            contextlib.aclosing(connect_blocking(servers.url)) as blocking_redis,
        ):
            await it_goes_on(servers, client, blocking_redis)


async def it_goes_on(servers: RedisSentinels, client: Redis, blocking_redis: Redis) -> None:
    await walk(client, blocking_redis)
    store = AccountStore(client, CIPHER)
    before = await store.list()
    servers.wait_for_replica()

    servers.kill(servers.primary)
    with pytest.raises(StoreUnavailable):
        await store.version()
    while True:
        try:
            await store.rename(before[0].id, "after")
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            break

    assert [account.name for account in await store.list()] == ["after"]
    # Each new connection asks the sentinels, which have a second: on a busy machine another crowd does.
    got: list[Any] = [None]
    for crowd in range(60):
        asked = (client.incr(f"n-{crowd}") for _ in range(200))
        got = await asyncio.gather(*asked, return_exceptions=True)
        if not any(isinstance(each, BaseException) for each in got):
            break
    assert sorted(got) == list(range(1, 201))


async def test_a_script_is_repeated_after_a_lost_connection_never_after_an_error_of_its_own(
    redis_client: Redis, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_scripts"
    package.mkdir()
    (package / "count.lua").write_text(
        "redis.call('INCR', KEYS[1]) return redis.call('HGET', KEYS[1], 'x')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    scripts = Scripts(redis_client, "some_scripts")

    with pytest.raises(StoreUnavailable):
        await scripts.repeat("count", ["runs"])
    assert await redis_client.get("runs") == "1"

    execute, broken = scripts._execute, [ConnectionBroken("lost")]

    async def break_once(*args: Any) -> Any:
        if broken:
            raise broken.pop()
        return await execute(*args)

    scripts._execute = break_once
    await redis_client.set("runs", "7")
    with pytest.raises(StoreUnavailable):
        await scripts.repeat("count", ["runs"])
    assert (await redis_client.get("runs"), broken) == ("8", [])


async def test_a_script_includes_what_several_share(
    redis_client: Redis, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "sharing_scripts"
    package.mkdir()
    (package / "shared.lua").write_text("local function twice(x) return 2 * x end\n")
    (package / "four.lua").write_text("-- Gives four.\n-- include shared.lua\nreturn twice(2)\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert await Scripts(redis_client, "sharing_scripts").run("four", []) == 4


@pytest.mark.parametrize("arguments", [(), ("--appendonly", "yes", "--appendfsync", "always")])
async def test_a_durable_script_waits_for_what_the_server_has_and_never_fails_for_it(
    arguments: tuple[str, ...],
) -> None:
    with RedisServer(*arguments) as server:
        client = connect(server.url)
        scripts = Scripts(client, "codex_proapi.commons.redis")
        await client.set("lock", "mine")

        assert await scripts.run("release_lock", ["lock"], ["mine"], durably=True) == 1
        stats: Any = await client.info("commandstats")
        assert ("cmdstat_waitaof" in stats, "cmdstat_wait" in stats) == (True, False)
        if arguments:
            server.kill()
            server.start()
            await client.connection_pool.disconnect()
        assert await client.get("lock") is None
        await client.sadd("lock", "of another type")
        with pytest.raises(StoreUnavailable):
            await scripts.run("release_lock", ["lock"], ["mine"], durably=True)
        await client.aclose()
