import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.gateways import KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.redis.clients import connect
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.auth.revocation import CHECK_SECONDS, RevocationWatcher
from codex_proapi.gateway.errors import BadKey
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.server.in_flight import InFlight


class Scene:
    def __init__(self, redis: Redis) -> None:
        self.keys = KeyStore(redis, CredentialCipher((KEY,)))
        self.in_flight = InFlight(most=9)
        authenticator = Authenticator(self.keys, policy=KeyPolicy.REQUIRED, clock=Clock())
        self.revocations = RevocationWatcher(
            self.keys, authenticator=authenticator, in_flight=self.in_flight
        )

    def enter(self, key: ApiKey) -> Exchange:
        exchange = Exchange(request_id="req_1", endpoint="chat", at=0.0, readers=(), key=key)
        self.in_flight.enter(exchange)
        return exchange


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


@pytest.mark.parametrize("deed", ["revoke", "remove"])
async def test_what_is_under_way_for_a_key_taken_back_ends(scene: Any, deed: str) -> None:
    taken, _ = await scene.keys.create("taken")
    kept, _ = await scene.keys.create("kept")
    await scene.revocations.check()
    other = scene.enter(kept)
    mine = scene.enter(taken)
    mine.task = asyncio.ensure_future(asyncio.Event().wait())

    await scene.keys.patch(kept.id, expires_at=1)
    await scene.revocations.check()
    assert not mine.interrupted
    await getattr(scene.keys, deed)(taken.id)
    await scene.revocations.check()

    assert isinstance(mine.interruption, BadKey)
    assert not other.interrupted, "what an expired key has begun goes on"
    assert (
        repr(scene.revocations) == f"<RevocationWatcher up to version {await scene.keys.version()}>"
    )


async def test_looking_goes_on_while_redis_is_away() -> None:
    client = connect("unix:///nowhere")
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Scene(client).revocations.run(sleep)

    assert slept == [CHECK_SECONDS] * 3
    await client.aclose()
