"""Redis is away while a token is renewed: the login survives, and its spent token is never sent again."""

import asyncio
import signal
import time
from typing import Any

import pytest
from support.gateways import a_chat, stage
from support.redis_server import RedisServer

from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.redis import keyspace

LOCK_SECONDS = 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that end within a second; the saver pauses as long as in life."""
    pace = Pace(lock=LOCK_SECONDS, patience=60.0, poll=2.0, settle=2.0)
    defaults: Any = CredentialRefresher.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "pace", pace)


@pytest.mark.usefixtures("quick")
async def test_redis_is_away_longer_than_the_lock_lives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        async with stage(server.url) as play:
            [ada] = await play.log_in("ada", expires_in=-60)
            await play.add_replica()
            play.sim.script("token_slow", on="token", delay=1)
            first = asyncio.ensure_future(play.chat())
            await play.until(
                lambda: any(each.path == "/oauth/token" for each in play.sim.world.requests)
            )
            server.kill(signal.SIGKILL)
            ends = time.monotonic() + LOCK_SECONDS
            await play.until(lambda: "credential.unsaved" in capsys.readouterr().out)
            await play.until(lambda: time.monotonic() > ends)
            breakers = [each.gateway.stores.redis.breaker for each in play.replicas]
            await play.until(lambda: all(breaker.shut for breaker in breakers))
            server.start()

            asked = [
                asyncio.ensure_future(
                    play.client.post(f"{each.url}/v1/chat/completions", json=a_chat())
                )
                for each in play.replicas * 3
            ]
            await asyncio.gather(first, *asked)
            client = play.redis
            await client.connection_pool.disconnect()
            while await client.hget(keyspace.credential(ada), "generation") == "1":
                await asyncio.sleep(0.05)
            await play.until(lambda: not any(breaker.shut for breaker in breakers))
            for each in play.replicas:
                last = await play.client.post(f"{each.url}/v1/chat/completions", json=a_chat())
                assert last.status_code == 200, last.text
            assert len(play.sim.token_calls) == 1
            assert await play.state_of(ada) == "active"
