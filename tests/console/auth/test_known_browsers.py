"""Who has signed in before is not locked out by strangers, and strangers do not fill the audit."""

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY, Browser, guarded, running

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.console.auth.known_browsers import KNOWN_SECONDS, KnownBrowsers
from codex_proapi.console.server.middleware import Origin


def an_origin(*, secure: bool = False) -> Origin:
    return Origin(request_id="req_1", client_ip="::1", host="localhost:1455", secure=secure)


@pytest.mark.parametrize("secure", [True, False])
def test_a_cookie_is_read_by_every_replica_until_it_is_old(secure: bool) -> None:
    clock, origin = Clock(), an_origin(secure=secure)
    cookie = KnownBrowsers(Cipher([KEY]), clock=clock).cookie(origin=origin)
    other = KnownBrowsers(Cipher([KEY]), clock=clock)
    assert cookie.value is not None
    sent = {cookie.key: cookie.value}

    known = other.id_of(sent, origin=origin)

    assert len(known) == 32
    assert other.id_of({cookie.key: cookie.value[:-4] + "AAAA"}, origin=origin) == ""
    assert other.id_of(sent, origin=an_origin(secure=not secure)) == ""
    clock.now += KNOWN_SECONDS
    assert other.id_of(sent, origin=origin) == ""


@pytest.mark.parametrize("strange", ["", "x", "gAAAA", "\N{SNOWMAN}", "=" * 4000])
def test_anything_else_is_a_stranger_s(strange: str) -> None:
    browsers = KnownBrowsers(Cipher([KEY]), clock=Clock())
    sealed = Cipher([KEY]).seal_bytes(b"another purpose 1").decode()

    for value in (strange, sealed):
        assert browsers.id_of({"cpa-known-1455": value}, origin=an_origin()) == ""


async def test_strangers_from_everywhere_do_not_lock_the_owner_out(redis_url: str) -> None:
    async with running(guarded(redis_url, host="0.0.0.0")) as console:
        async with Browser(console, peer="198.51.100.1") as owner:
            assert (await owner.sign_in()).status_code == 201
            cookies = owner.cookies
        for number in range(70):
            async with Browser(console, peer=f"203.0.113.{number}") as stranger:
                last = await stranger.sign_in("a wrong password")
        assert last.status_code == 429
        async with Browser(console, peer="198.51.100.2") as new:
            assert (await new.sign_in()).status_code == 429, "a stranger like the others"

        async with Browser(console, peer="203.0.113.69") as owner:
            owner.cookies = cookies
            await owner.delete("/api/session")
            assert (await owner.sign_in()).status_code == 201
            for _ in range(5):
                assert (await owner.sign_in("a wrong password")).status_code == 401
            assert (await owner.sign_in()).status_code == 429, "it has a limit of its own"


async def test_strangers_do_not_wash_the_audit_away(redis_url: str, redis_client: Redis) -> None:
    async with running(guarded(redis_url, host="0.0.0.0")) as console:
        for number in range(60):
            async with Browser(console, peer=f"203.0.113.{number}") as stranger:
                await stranger.sign_in("a wrong password")

        assert await redis_client.xlen(keyspace.audit()) <= 21
        assert await redis_client.xlen(keyspace.logs()) <= 21
