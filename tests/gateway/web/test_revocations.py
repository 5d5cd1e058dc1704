import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.gateways import KEY

from commons.accounts.cipher import CredentialCipher
from commons.keys import ApiKey, KeyStore
from commons.live_settings import KeyPolicy
from commons.redis_pool import connect
from gateway.errors import BadKey
from gateway.relay.exchange import Exchange
from gateway.web.floor import Floor
from gateway.web.keys import Admission
from gateway.web.revocations import LOOK_SECONDS, Revocations


class Scene:
    def __init__(self, redis: Redis) -> None:
        self.keys = KeyStore(redis, CredentialCipher((KEY,)))
        self.floor = Floor(most=9)
        admission = Admission(self.keys, policy=KeyPolicy.REQUIRED, clock=Clock())
        self.revocations = Revocations(self.keys, admission=admission, floor=self.floor)

    def enter(self, key: ApiKey) -> Exchange:
        exchange = Exchange(request_id="req_1", endpoint="chat", at=0.0, readers=())
        exchange.key = key
        self.floor.enter(exchange)
        return exchange


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


@pytest.mark.parametrize("deed", ["revoke", "remove"])
async def test_what_is_under_way_for_a_key_taken_back_ends(scene: Any, deed: str) -> None:
    taken, _ = await scene.keys.create("taken")
    kept, _ = await scene.keys.create("kept")
    await scene.revocations.look()
    other = scene.enter(kept)
    ended: list[Any] = []
    scene.enter(taken).interrupt = ended.append

    await scene.keys.patch(kept.id, expires_at=1)
    await scene.revocations.look()
    assert ended == []
    await getattr(scene.keys, deed)(taken.id)
    await scene.revocations.look()

    assert [type(reason) for reason in ended] == [BadKey]
    assert not other.interrupted, "what an expired key has begun goes on"
    assert repr(scene.revocations) == f"<Revocations up to version {await scene.keys.version()}>"


async def test_looking_goes_on_while_redis_is_away() -> None:
    client = connect("unix:///nowhere")
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Scene(client).revocations.run(sleep)

    assert slept == [LOOK_SECONDS] * 3
    await client.aclose()
