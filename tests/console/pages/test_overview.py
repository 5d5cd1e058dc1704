"""The dashboard and the models, for scripts."""

from redis.asyncio import Redis
from support.clock import Clock
from support.console_scene import FERNET, Scene, a_catalogue
from support.consoles import console_settings, running, script

from codex_proapi.commons.redis import keyspace

NOW = 1_795_000_000.0


async def test_a_console_with_data_tells_how_it_is(redis_url: str, redis_client: Redis) -> None:
    await Scene(redis_client, now=NOW).fill()
    settings = console_settings(redis_url, encryption_keys=(FERNET,))
    async with running(settings, clock=Clock(NOW)) as console, script(console) as api:
        body = (await api.get("/api/dashboard")).json()

    assert body["total"] == 6
    assert 0 < body["ready"] < 6
    assert body["verdict"] in {"attention", "failing"}
    assert body["figures"]["requests"] > 0
    assert len(body["accounts"]) == 6
    assert any(each["needs_attention"] for each in body["accounts"])
    assert body["pool"]
    assert body["shortage"] == {"sharing": 0, "queued": 0}


async def test_an_empty_console_says_so(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        body = (await api.get("/api/dashboard")).json()
        models = (await api.get("/api/models")).json()

    assert (body["total"], body["verdict"], body["in_flight"]) == (0, "down", None)
    assert models == {"models": [], "default_model": None, "aliases": {}, "disabled": []}


async def test_models_come_from_the_accounts_and_names_from_the_settings(
    redis_url: str, redis_client: Redis
) -> None:
    scene = Scene(redis_client, now=NOW)
    await scene.people()
    await redis_client.set(keyspace.catalogue(scene.ids[0]), a_catalogue("gpt-7-test"))
    settings = console_settings(redis_url, encryption_keys=(FERNET,))
    async with running(settings, clock=Clock(NOW)) as console, script(console) as api:
        await api.patch("/api/settings", json={"model_aliases": {"gpt-5": "gpt-6-sol"}})
        body = (await api.get("/api/models")).json()

    (model,) = [each for each in body["models"] if each["id"] == "gpt-7-test"]
    assert model["accounts"] == [scene.ids[0]]
    assert body["aliases"] == {"gpt-5": "gpt-6-sol"}
