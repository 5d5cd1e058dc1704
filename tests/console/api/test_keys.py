"""API keys: shown once, changed, rotated, revoked, and each action on record."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY, console_settings, running, script

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import KeyStore, KeyView
from codex_proapi.console.app import Console

NOW = 1_795_000_000


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url), clock=Clock(NOW)) as console:
        yield console


@pytest.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with script(console) as api:
        yield api


@pytest.fixture
def gateway(redis_client: Redis) -> KeyStore:
    """The keys as a gateway sees them."""
    return KeyStore(redis_client, CredentialCipher([KEY]))


async def make(api: httpx.AsyncClient, **provided: Any) -> dict[str, Any]:
    answer = await api.post("/api/keys", json={"name": "laptop", **provided})
    assert answer.status_code == 201
    body: dict[str, Any] = answer.json()
    return body


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_key_is_shown_once_and_works_at_the_gateway(
    api: httpx.AsyncClient, gateway: KeyStore
) -> None:
    made = await make(
        api, owner="Ada", group="team a", limits={"rpm": 60}, allowed_models=["gpt-6-sol"]
    )
    listed = (await api.get("/api/keys")).json()["keys"]
    found = await gateway.find(made["secret"])

    assert listed == [made["key"]]
    assert made["secret"] not in str(listed)
    assert made["secret"].startswith(made["key"]["prefix"])
    assert found is not None
    assert (found.id, found.owner, found.limits.rpm) == (made["key"]["id"], "Ada", 60)
    assert found.group == made["key"]["group"] == "team a"
    assert made["key"] == {
        **made["key"],
        "name": "laptop",
        "created_at": NOW,
        "expires_at": 0,
        "expired": False,
        "revoked": False,
        "last_used_at": 0,
        "allowed_models": ["gpt-6-sol"],
        "default_model": "",
        "default_effort": "",
        "reasoning_summary": "",
        "allowed_accounts": [],
        "weight": 1.0,
    }


async def test_a_change_reaches_the_gateway_with_its_next_request(
    api: httpx.AsyncClient, gateway: KeyStore
) -> None:
    made = await make(api)
    view = KeyView(gateway)
    await view.find(made["secret"])
    change = {
        "name": "login_service",
        "limits": {"tokens_day": 9, "micro_usd_week": 12_500_000},
        "default_effort": "high",
        "reasoning_summary": "concise",
        "weight": 2.5,
    }
    changed = (await api.patch(f"/api/keys/{made['key']['id']}", json=change)).json()

    assert (changed["name"], changed["limits"]["tokens_day"]) == ("login_service", 9)
    assert changed["limits"]["micro_usd_week"] == 12_500_000
    assert changed["owner"] == made["key"]["owner"]
    assert not view.confirm(await gateway.version())
    found = await view.find(made["secret"])
    assert found is not None
    assert (found.default_effort, found.weight) == ("high", 2.5)
    assert found.reasoning_summary == "concise"


async def test_a_rotated_key_keeps_its_id_and_its_old_secret_ends(
    api: httpx.AsyncClient, gateway: KeyStore
) -> None:
    made = await make(api)
    where = f"/api/keys/{made['key']['id']}/rotate"
    gentle = (await api.post(where, json={"overlap_seconds": 3600})).json()
    assert await gateway.find(made["secret"]) is not None
    hard = (await api.post(where, json={})).json()

    assert gentle["key"]["id"] == hard["key"]["id"] == made["key"]["id"]
    assert len({made["secret"], gentle["secret"], hard["secret"]}) == 3
    assert await gateway.find(gentle["secret"]) is None
    assert await gateway.find(hard["secret"]) is not None


async def test_a_revoked_key_stays_in_the_list_until_it_is_forgotten(
    api: httpx.AsyncClient, gateway: KeyStore
) -> None:
    made = await make(api)
    where = f"/api/keys/{made['key']['id']}"
    assert (await api.delete(where)).status_code == 204
    assert (await api.delete(where)).status_code == 204
    found = await gateway.find(made["secret"])
    assert found is not None
    assert found.revoked
    for refused in (
        await api.patch(where, json={"name": "x"}),
        await api.post(f"{where}/rotate", json={}),
    ):
        assert code_of(refused) == (409, "key_revoked")

    assert (await api.delete(where, params={"forget": "true"})).status_code == 204
    assert (await api.get("/api/keys")).json() == {"keys": []}
    assert await gateway.find(made["secret"]) is None


async def test_every_deed_is_recorded_once_and_without_the_key(api: httpx.AsyncClient) -> None:
    made = await make(api)
    where = f"/api/keys/{made['key']['id']}"
    await api.patch(where, json={"allowed_models": ["m"], "limits": {"rpm": 1}})
    rotated = (await api.post(f"{where}/rotate", json={})).json()
    await api.delete(where)
    await api.delete(where)
    await api.delete(where, params={"forget": "true"})

    audit = await api.get("/api/audit")
    assert [kept["deed"]["action"] for kept in reversed(audit.json()["deeds"])] == [
        *("key.made", "key.changed", "key.rotated", "key.revoked", "key.removed"),
    ]
    for secret in (made["secret"], rotated["secret"]):
        assert secret not in audit.text
        assert secret not in (await api.get("/api/logs")).text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "k", "owner": "a\x1b[31mb"}, "owner"),
        ({"name": "x" * 101}, "name"),
        ({"name": "k", "expires_at": NOW}, "expires_at"),
        ({"name": "k", "expires_at": -1}, "expires_at"),
        ({"name": "k", "limits": {"rpm": -1}}, "limits"),
        ({"name": "k", "default_effort": "HIGH; DROP"}, "default_effort"),
        ({"name": "k", "reasoning_summary": "loud"}, "reasoning_summary"),
        ({"name": "k", "allowed_models": [""]}, "allowed_models"),
        ({"name": "k", "weight": 0.05}, "weight"),
        ({"name": "k", "weight": 101}, "weight"),
    ],
)
async def test_a_wrong_field_is_named(
    api: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await api.post("/api/keys", json=body)

    assert code_of(answer) == (400, "invalid_value")
    assert (answer.json()["error"]["param"] or "").startswith(param)


async def test_an_expiry_may_be_set_lifted_and_runs_out(
    api: httpx.AsyncClient, console: Console
) -> None:
    made = await make(api, expires_at=NOW + 60)
    where = f"/api/keys/{made['key']['id']}"
    assert code_of(await api.patch(where, json={"expires_at": NOW - 1})) == (400, "invalid_value")
    console._clock.pass_(60)  # type: ignore[attr-defined]
    assert (await api.get("/api/keys")).json()["keys"][0]["expired"] is True

    assert (await api.patch(where, json={"expires_at": 0})).json()["expired"] is False


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")],
)
async def test_an_unknown_key_is_404(api: httpx.AsyncClient, method: str, path: str) -> None:
    body: dict[str, str] | None = None if method == "DELETE" else {}
    answer = await api.request(method, f"/api/keys/key_1{path}", json=body)

    assert code_of(answer) == (404, "unknown_key")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"limit": {"rpm": 5}}, "limit"),
        ({"limits": {"rmp": 5}}, "limits.rmp"),
        ({"alowed_models": ["gpt-6-sol"]}, "alowed_models"),
    ],
)
async def test_a_misspelt_limit_is_refused_and_makes_no_key_without_one(
    api: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    made = (await make(api))["key"]
    created = await api.post("/api/keys", json={"name": "second", **body})
    changed = await api.patch(f"/api/keys/{made['id']}", json=body)
    kept = (await api.get("/api/keys")).json()["keys"]

    for refused in (created, changed):
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert [key["name"] for key in kept] == ["laptop"]
