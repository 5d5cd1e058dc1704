"""Keys and settings for models that no account offers, over the API."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.console_scene import FERNET, a_catalogue
from support.consoles import console_settings, running, script
from support.logins import a_login

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.redis import keyspace

NOW = 1_795_000_000
OFFERED = "gpt-6.1-sol, gpt-6-astra, gpt-6-sol, gpt-5.5"


@pytest.fixture
async def api(redis_url: str, redis_client: Redis) -> AsyncIterator[httpx.AsyncClient]:
    account = await AccountStore(redis_client, CredentialCipher((FERNET,))).add(
        a_login(exp=NOW + 9999)
    )
    await redis_client.set(keyspace.catalogue(account.id), a_catalogue())
    settings = console_settings(redis_url, encryption_keys=(FERNET,))
    async with running(settings, clock=Clock(NOW)) as console, script(console) as client:
        yield client


def error_of(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()["error"]
    return {name: body[name] for name in ("code", "param", "message")}


def _fault(param: str) -> dict[str, str]:
    message = f"No account offers nope. Offered are {OFFERED}."
    return {"code": "model_not_found", "param": param, "message": message}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"allowed_models": ["gpt-5.5", "nope"]}, "allowed_models"),
        ({"default_model": "nope"}, "default_model"),
    ],
)
async def test_a_key_for_an_unknown_model_is_refused_and_not_made(
    api: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    refused = await api.post("/api/keys", json={"name": "laptop", **body})

    assert refused.status_code == 400
    assert error_of(refused) == _fault(param)
    assert (await api.get("/api/keys")).json()["keys"] == []

    made = (await api.post("/api/keys", json={"name": "laptop"})).json()["key"]
    changed = await api.patch(f"/api/keys/{made['id']}", json=body)
    assert (changed.status_code, error_of(changed)) == (400, _fault(param))


async def test_a_model_that_has_gone_blocks_no_other_change(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    body = {"name": "laptop", "allowed_models": ["gpt-5.5"], "default_model": "gpt-5.5"}
    made = (await api.post("/api/keys", json=body)).json()["key"]
    await api.patch("/api/settings", json={"model_aliases": {"house": "gpt-5.5"}})
    async for key in redis_client.scan_iter(keyspace.catalogue("*")):
        await redis_client.set(key, a_catalogue("gpt-6-sol"))

    assert (await api.patch(f"/api/keys/{made['id']}", json=body)).status_code == 200
    aliases = {"house": "gpt-5.5", "new": "gpt-6-sol"}
    assert (await api.patch("/api/settings", json={"model_aliases": aliases})).status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"default_model": "nope"}, "default_model"),
        ({"model_aliases": {"good": "gpt-5.5", "gpt-4o": "nope"}}, "model_aliases.gpt-4o"),
    ],
)
async def test_settings_that_lead_to_no_model_are_refused_and_change_nothing(
    api: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    refused = await api.patch("/api/settings", json={"routing": "least_used", **body})

    assert refused.status_code == 400
    assert error_of(refused) == _fault(param)
    assert set((await api.get("/api/settings")).json()["live"].values()) == {None}


async def test_an_alias_of_the_gateways_environment_is_a_name(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    body = {"name": "laptop", "default_model": "house"}
    assert (await api.post("/api/keys", json=body)).status_code == 400

    gateway = Replica(id="g1", service="gateway", model_aliases={"house": "gpt-5.5"})
    await ReplicaStore(redis_client).beat(gateway)

    assert (await api.post("/api/keys", json=body)).status_code == 201
    assert (await api.get("/api/models")).json()["aliases"] == {"house": "gpt-5.5"}
    assert (await api.patch("/api/settings", json={"default_model": "house"})).status_code == 200
    # Aliases of the live settings stand instead of the environment's.
    change = {"model_aliases": {"other": "gpt-5.5"}}
    assert (await api.patch("/api/settings", json=change)).status_code == 200
    again = body | {"default_model": "house", "name": "desk"}
    assert (await api.post("/api/keys", json=again)).status_code == 400


PAIRS = ["model_fallbacks", "small_work_models"]
GOOD = {"model_fallbacks": "gpt-6-sol", "small_work_models": "auxiliary"}


@pytest.mark.parametrize("field", PAIRS)
async def test_pairs_that_lead_to_no_model_are_refused_by_their_name(
    api: httpx.AsyncClient, field: str
) -> None:
    name = GOOD[field]
    made = (await api.post("/api/keys", json={"name": "laptop"})).json()["key"]

    for refused in (
        await api.patch("/api/settings", json={field: {name: "nope"}}),
        await api.post("/api/keys", json={"name": "phone", field: f"{name}=nope"}),
        await api.patch(f"/api/keys/{made['id']}", json={field: f"{name}=nope"}),
    ):
        assert (refused.status_code, error_of(refused)) == (400, _fault(f"{field}.{name}"))


@pytest.mark.parametrize("field", PAIRS)
async def test_a_pair_whose_model_has_gone_may_stay(
    api: httpx.AsyncClient, redis_client: Redis, field: str
) -> None:
    name = GOOD[field]
    key = {"name": "laptop", field: f"{name}=gpt-5.5"}
    made = (await api.post("/api/keys", json=key)).json()["key"]
    set_ = await api.patch("/api/settings", json={field: {name: "gpt-5.5"}})
    assert set_.json()["live"][field] == {name: "gpt-5.5"}
    async for stored in redis_client.scan_iter(keyspace.catalogue("*")):
        await redis_client.set(stored, a_catalogue("gpt-6-sol"))

    assert (await api.patch(f"/api/keys/{made['id']}", json=key)).status_code == 200
    assert (await api.patch("/api/settings", json={field: {name: "gpt-5.5"}})).status_code == 200
    other = {field: {name: "gpt-6-astra"}}
    assert (await api.patch("/api/settings", json=other)).status_code == 400


async def test_what_is_no_class_of_small_work_is_refused(api: httpx.AsyncClient) -> None:
    for refused in (
        await api.patch("/api/settings", json={"small_work_models": {"titles": "gpt-5.5"}}),
        await api.post("/api/keys", json={"name": "a", "small_work_models": "titles=gpt-5.5"}),
    ):
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (400, "small_work_models.titles")
        assert "auxiliary" in error["message"]
