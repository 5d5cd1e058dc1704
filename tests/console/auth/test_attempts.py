"""How often a sign-in may be tried. The library's storage runs on our own Redis client."""

import asyncio

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.errors import TooMany


async def tries(attempts: Attempts, count: int, *, ip: str, what: str = "sign_in") -> list[int]:
    """The waits that so many tries were told; 0 is a try let through."""
    waits = []
    for _ in range(count):
        try:
            await attempts.count(what, ip=ip)
            waits.append(0)
        except TooMany as error:
            waits.append(error.retry_after or -1)
    return waits


async def test_five_tries_a_minute_from_one_address(redis_client: Redis) -> None:
    waits = await tries(Attempts(redis_client), 8, ip="203.0.113.9")

    assert waits[:5] == [0] * 5
    assert all(0 < wait <= 60 for wait in waits[5:])


async def test_the_wait_grows_from_window_to_window(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    for _ in range(2):
        assert await tries(attempts, 5, ip="203.0.113.9") == [0] * 5
        async for name in redis_client.scan_iter(f"{keyspace.attempts()}*/1/minute"):
            await redis_client.delete(name)
    (wait,) = await tries(attempts, 1, ip="203.0.113.9")

    assert 60 < wait <= 900


async def test_replicas_count_together_and_at_once(redis_client: Redis) -> None:
    one, other = Attempts(redis_client), Attempts(redis_client)
    found = await asyncio.gather(
        *(each.count("sign_in", ip="203.0.113.9") for each in (one, other) * 10),
        return_exceptions=True,
    )

    assert sum(each is None for each in found) == 5


async def test_addresses_and_doors_are_counted_apart(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    await tries(attempts, 6, ip="203.0.113.9")

    assert await tries(attempts, 1, ip="203.0.113.10") == [0]
    assert await tries(attempts, 1, ip="203.0.113.9", what="setup") == [0]


async def test_an_ipv6_subscriber_is_one_address(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    for number in range(5):
        await attempts.count("sign_in", ip=f"2001:db8::{number}")

    assert (await tries(attempts, 1, ip="2001:db8::ffff"))[0] > 0
    assert await tries(attempts, 1, ip="2001:db8:0:1::1") == [0]


async def test_many_addresses_together_meet_a_limit_too(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    waits = [
        wait for number in range(70) for wait in await tries(attempts, 1, ip=f"198.51.100.{number}")
    ]

    assert waits[:60] == [0] * 60
    assert all(wait > 0 for wait in waits[60:])


async def test_a_success_begins_the_address_anew(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    await tries(attempts, 6, ip="203.0.113.9")
    await attempts.forgive("sign_in", ip="203.0.113.9")

    assert await tries(attempts, 5, ip="203.0.113.9") == [0] * 5


async def test_the_counters_are_ours_and_end_by_themselves(redis_client: Redis) -> None:
    await Attempts(redis_client).count("sign_in", ip="not an address")
    names = [name async for name in redis_client.scan_iter()]

    assert all(str(name).startswith(keyspace.attempts()) for name in names)
    assert all([0 < await redis_client.ttl(name) <= 86_400 for name in names])


async def test_a_known_browser_is_counted_by_itself(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    await tries(attempts, 6, ip="203.0.113.9")

    for _ in range(5):
        await attempts.count("sign_in", ip="203.0.113.9", browser="b1")
    with pytest.raises(TooMany):
        await attempts.count("sign_in", ip="203.0.113.9", browser="b1")
    await attempts.count("sign_in", ip="203.0.113.9", browser="b2")
    await attempts.forgive("sign_in", ip="203.0.113.9", browser="b1")
    await attempts.count("sign_in", ip="203.0.113.9", browser="b1")
    assert (await tries(attempts, 1, ip="203.0.113.9"))[0] > 0


async def test_refusals_are_news_ever_more_rarely(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)

    one = [await attempts.refused("sign_in", ip="203.0.113.9") for _ in range(12)]
    many = [await attempts.refused("sign_in", ip=f"198.51.100.{n}") for n in range(100)]

    assert one == [1] + [0] * 8 + [10] + [0] * 2
    assert many[:8] == [1] * 8
    assert [count for count in many[8:] if count] == [100], "all together, from the twentieth on"


async def test_redis_away_closes_the_door() -> None:
    client = connect("unix:///nowhere/at/all")
    with pytest.raises(StoreUnavailable):
        await Attempts(client).count("sign_in", ip="203.0.113.9")
    await client.aclose()


async def test_what_cannot_be_guessed_is_limited_by_address_only(redis_client: Redis) -> None:
    attempts = Attempts(redis_client)
    for number in range(80):
        await attempts.count("link", ip=f"198.51.100.{number}", guessable=False)
    for _ in range(5):
        await attempts.count("link", ip="203.0.113.9", guessable=False)

    with pytest.raises(TooMany):
        await attempts.count("link", ip="203.0.113.9", guessable=False)
