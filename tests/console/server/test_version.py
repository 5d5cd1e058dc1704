"""Which version runs, and which replicas are alive."""

import asyncio

from redis.asyncio import Redis
from support.consoles import console_settings, running, script

from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.console.version import own_version


async def test_version_and_replicas(redis_url: str, redis_client: Redis) -> None:
    gateway = Replica(id="g1", service="gateway", version="9", in_flight={"acc_1": 2})
    await ReplicaStore(redis_client).beat(gateway)
    async with running(console_settings(redis_url)) as console, script(console) as api:
        version = (await api.get("/api/version")).json()
        async with asyncio.timeout(60):  # the console's own first beat comes with its start
            while len(found := (await api.get("/api/replicas")).json()["replicas"]) < 2:
                await asyncio.sleep(0.01)

    assert version["service"] == "console"
    assert version["version"] == own_version()
    assert [(each["service"], each.get("in_flight", {})) for each in found] == [
        ("console", {}),
        ("gateway", {"acc_1": 2}),
    ]
    left = (await ReplicaStore(redis_client).all())[0]
    assert left == gateway
