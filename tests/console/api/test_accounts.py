"""Accounts over the API: added, shown, changed, removed, and never a token in an answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import console_settings, running, script
from support.logins import an_access_token

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.app import Console

NOW = 1_795_000_000
LATER = NOW + 864_000


def auth_json(**tokens: str) -> dict[str, Any]:
    access = an_access_token(exp=LATER)
    provided = {"access_token": access, "refresh_token": "rt_1", "id_token": access, **tokens}
    return {"OPENAI_API_KEY": None, "tokens": provided}


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url), clock=Clock(NOW)) as console:
        yield console


@pytest.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with script(console) as api:
        yield api


async def add(api: httpx.AsyncClient, **provided: Any) -> httpx.Response:
    return await api.post("/api/accounts", json={"auth_json": auth_json(), **provided})


async def test_an_auth_json_becomes_an_account_without_its_tokens(api: httpx.AsyncClient) -> None:
    answer = await add(api)

    account = answer.json()
    assert answer.status_code == 201
    assert account == {
        "id": account["id"],
        "name": "ada@example.com",
        "email": "ada@example.com",
        "plan": "plus",
        "workspace": "ws-1",
        "source": "auth_json",
        "kind": "chatgpt",
        "paused": False,
        "weight": 1.0,
        "state": "active",
        "state_reason": "",
        "token_expires_at": LATER,
        "created_at": NOW,
        "last_used_at": 0,
        "last_error": "",
        "last_error_at": 0,
        "owner": "",
        "closed": None,
        "in_flight": 0,
        "cooldowns": [],
        "saved_resets": None,
        "quota": None,
    }
    assert (await api.get("/api/accounts")).json() == {"accounts": [account]}
    assert (await api.get(f"/api/accounts/{account['id']}")).json() == account


async def test_the_text_of_an_auth_json_will_do(api: httpx.AsyncClient) -> None:
    answer = await add(api, auth_json=f"\ufeff {json.dumps(auth_json())}\n", name="Ada's")

    assert (answer.status_code, answer.json()["name"]) == (201, "Ada's")


async def test_a_file_that_is_none_is_refused_with_its_fault(api: httpx.AsyncClient) -> None:
    answer = await add(api, auth_json={"OPENAI_API_KEY": "sk-1", "tokens": None})

    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["code"], error["param"]) == ("auth_json_api_key", "auth_json")
    assert error["request_id"] == answer.headers["x-request-id"]


async def test_what_a_token_says_of_its_owner_stands_in_one_line(api: httpx.AsyncClient) -> None:
    token = an_access_token(exp=LATER, email="a\n\x1b[31m\u202e" + "x" * 500, plan="p\n" * 300)
    file = auth_json(access_token=token, id_token=token)
    preview = (await api.post("/api/accounts/preview", json={"auth_json": file})).json()
    account = (await add(api, auth_json=file)).json()

    assert account["email"].startswith("a [31m x")
    assert (len(account["name"]), len(account["email"]), account["plan"]) == (
        100,
        254,
        "p " * 31 + "p",
    )
    assert (preview["email"], preview["plan"]) == (account["email"], account["plan"])


async def test_a_preview_saves_nothing(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/accounts/preview", json={"auth_json": auth_json()})

    assert answer.json()["email"] == "ada@example.com"
    assert (await api.get("/api/accounts")).json() == {"accounts": []}


async def test_the_same_login_again_renews_the_account_in_place(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    first = (await add(api)).json()
    await api.patch(f"/api/accounts/{first['id']}", json={"name": "Mine", "paused": True})
    again = (await add(api)).json()

    assert (again["id"], again["name"], again["paused"]) == (first["id"], "Mine", True)
    assert (await actions(redis_client))[-1] == "account.renewed"


async def test_renewing_refuses_another_identity(api: httpx.AsyncClient) -> None:
    answer = await add(api, account="acc_000000000000")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "other_identity")


async def test_an_account_is_renamed_paused_and_weighed(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    answer = await api.patch(
        f"/api/accounts/{account['id']}", json={"name": " Bob ", "paused": True, "weight": 2.5}
    )

    changed = answer.json()
    assert (changed["name"], changed["paused"], changed["weight"]) == ("Bob", True, 2.5)
    assert await actions(redis_client) == ["account.added", "account.changed"]


async def test_pausing_and_resuming_have_names_of_their_own_in_the_audit(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    await api.patch(f"/api/accounts/{account['id']}", json={"paused": True})
    await api.patch(f"/api/accounts/{account['id']}", json={"paused": False})

    assert await actions(redis_client) == ["account.added", "account.paused", "account.resumed"]


async def test_a_removed_account_is_gone_with_its_credential(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    answer = await api.delete(f"/api/accounts/{account['id']}", params={"logout": "false"})

    assert answer.status_code == 204
    assert await redis_client.exists(keyspace.credential(account["id"])) == 0
    assert (await api.get(f"/api/accounts/{account['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/accounts/acc_1"),
        ("PATCH", "/api/accounts/acc_1"),
        ("DELETE", "/api/accounts/acc_1"),
        ("POST", "/api/accounts/acc_1/test"),
        ("POST", "/api/accounts/acc_1/refresh"),
        ("POST", "/api/accounts/acc_1/use-again"),
    ],
)
async def test_an_unknown_account_is_404(api: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await api.request(method, path, json={} if method in {"PATCH", "POST"} else None)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_account")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"weight": -1}, "weight"),
        ({"paused": "yes"}, "paused"),
    ],
)
async def test_a_wrong_value_is_named(
    api: httpx.AsyncClient, change: dict[str, Any], param: str
) -> None:
    account = (await add(api)).json()
    answer = await api.patch(f"/api/accounts/{account['id']}", json=change)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", param)


async def test_cooldowns_are_shown_with_reason_and_end(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    cooldown = Cooldown(
        until=NOW + 60.0, since=float(NOW), reason=CooldownReason.QUOTA, code="usage_limit_reached"
    )
    await CooldownStore(redis_client).cool(account["id"], cooldown, model="gpt-6-sol")

    shown = (await api.get(f"/api/accounts/{account['id']}")).json()
    assert shown["cooldowns"] == [
        {
            "model": "gpt-6-sol",
            "until": NOW + 60.0,
            "since": float(NOW),
            "reason": "quota",
            "code": "usage_limit_reached",
        }
    ]


async def test_an_account_that_works_is_not_ended_by_a_renewal_that_cannot_be(
    api: httpx.AsyncClient,
) -> None:
    account = (await add(api, auth_json=auth_json(refresh_token=""))).json()

    answer = await api.post(f"/api/accounts/{account['id']}/refresh")
    after = (await api.get(f"/api/accounts/{account['id']}")).json()

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "credential_unavailable")
    assert (after["state"], after["token_expires_at"]) == ("active", LATER)


async def test_an_account_that_no_key_opens_can_be_removed(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    await redis_client.hset(keyspace.credential(account["id"]), "sealed", "under another key")

    again = await add(api)
    answer = await api.delete(f"/api/accounts/{account['id']}")

    assert (again.status_code, again.json()["error"]["code"]) == (409, "credential_locked")
    assert answer.status_code == 204
    assert (await api.get("/api/accounts")).json()["accounts"] == []
    assert (await add(api)).status_code == 201


async def test_a_body_larger_than_any_auth_json_is_413(api: httpx.AsyncClient) -> None:
    answer = await add(api, auth_json="x" * 600_000)

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def actions(redis: Redis) -> list[str]:
    rows: Any = await redis.xrange(keyspace.audit())
    return [json.loads(fields["deed"])["action"] for _, fields in rows]


async def test_a_change_that_changes_nothing_leaves_no_record(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    for change in ({}, {"paused": False}, {"name": account["name"]}):
        assert (await api.patch(f"/api/accounts/{account['id']}", json=change)).status_code == 200

    assert await actions(redis_client) == ["account.added"]


async def test_an_account_is_used_again_before_its_time(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    account = (await add(api)).json()
    cooldown = Cooldown(
        until=NOW + 60.0, since=float(NOW), reason=CooldownReason.ENTITLEMENT, code="forbidden"
    )
    await CooldownStore(redis_client).cool(account["id"], cooldown)
    await redis_client.hset(
        keyspace.account(account["id"]), mapping={"state": "deactivated", "state_reason": "x"}
    )

    used = (await api.post(f"/api/accounts/{account['id']}/use-again")).json()

    assert (used["cooldowns"], used["state"]) == ([], "active")
    assert (await actions(redis_client))[-1:] == ["account.used_again"]
