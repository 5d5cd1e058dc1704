"""Accounts by a personal access token over the API: asked whose it is, kept sealed, never in an answer."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import console_settings, running, script

from codex_proapi.console.app import Console
from codex_proapi.simulator import Simulator

NOW = 1_795_000_000


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(clock=Clock(NOW)) as sim:
        yield sim


@pytest.fixture
async def console(redis_url: str, sim: Simulator) -> AsyncIterator[Console]:
    provided = {"codex_auth_url": sim.auth_url, "codex_base_url": sim.base_url}
    async with running(console_settings(redis_url, **provided), clock=Clock(NOW)) as console:
        yield console


@pytest.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with script(console) as api:
        yield api


async def add(api: httpx.AsyncClient, **provided: Any) -> httpx.Response:
    return await api.post("/api/accounts", json=provided)


async def test_a_token_becomes_an_account_of_its_own_kind(
    api: httpx.AsyncClient, sim: Simulator, redis_client: Redis
) -> None:
    token = sim.account("cleo").access_key

    answer = await add(api, access_token=f" {token} ", name="Team", expires_at=NOW + 86_400)

    account = answer.json()
    assert answer.status_code == 201
    assert (account["kind"], account["source"]) == ("personal_token", "access_token")
    assert (account["name"], account["email"], account["plan"]) == (
        *("Team", "cleo@example.org"),
        "team",
    )
    assert account["workspace"] == sim.account("cleo").workspace
    assert account["token_expires_at"] == NOW + 86_400
    assert token not in answer.text + (await api.get("/api/accounts")).text
    assert token not in str(await redis_client.xrange("codex-proapi:{v1}:log"))
    metrics = (await api.get("/metrics")).text
    assert 'console_logins_total{outcome="done",way="access_token"} 1.0' in metrics


async def test_no_end_is_made_up(api: httpx.AsyncClient, sim: Simulator) -> None:
    answer = await add(api, access_token=sim.account("ada").access_key)

    assert answer.json()["token_expires_at"] == 0


async def test_without_an_email_the_account_is_called_by_its_id(
    api: httpx.AsyncClient, sim: Simulator
) -> None:
    sim.script("access_only", on="whoami", absent=("email",))

    account = (await add(api, access_token=sim.account("ada").access_key)).json()

    assert (account["email"], account["name"]) == ("", account["id"])


async def test_a_preview_names_the_owner_and_saves_nothing(
    api: httpx.AsyncClient, sim: Simulator
) -> None:
    body = {"access_token": sim.account("ada").access_key}

    preview = (await api.post("/api/accounts/preview", json=body)).json()

    assert (preview["email"], preview["kind"]) == ("ada@example.com", "personal_token")
    assert preview["expires_at"] == 0
    assert (await api.get("/api/accounts")).json() == {"accounts": []}


@pytest.mark.parametrize("where", ["tokens", ""])
async def test_an_auth_json_with_a_personal_token_is_one(
    api: httpx.AsyncClient, sim: Simulator, where: str
) -> None:
    inside = {"personal_access_token": sim.account("ada").access_key}
    content = {where: inside} if where else inside

    answer = await add(api, auth_json=content)

    assert (answer.status_code, answer.json()["kind"]) == (201, "personal_token")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("sk-proj-0123456789", "invalid_access_token"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.x", "invalid_access_token"),
        ("at-", "invalid_access_token"),
        ("at-1234 56789012", "invalid_access_token"),
        ("at-12345678\nx: y", "invalid_access_token"),
        ("at-nobody-has-this-token", "access_token_refused"),
    ],
)
async def test_what_is_no_token_or_nobodys_is_refused_by_name(
    api: httpx.AsyncClient, token: str, code: str
) -> None:
    answer = await add(api, access_token=token)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, "access_token")
    assert len(token) < 8 or token not in answer.text


@pytest.mark.parametrize(
    ("fault", "changes", "status", "code"),
    [
        ("token_error", {}, 502, "authorization_unreachable"),
        ("bare_404", {}, 502, "authorization_unreachable"),
        ("bare_403", {}, 400, "access_token_refused"),
        ("html_403", {}, 400, "exchange_forbidden"),
        ("challenge_200", {}, 502, "authorization_unreachable"),
        ("access_only", {"absent": ("chatgpt_user_id",)}, 400, "access_token_names_nobody"),
        ("access_only", {"absent": ("chatgpt_account_id",)}, 400, "access_token_names_nobody"),
        ("account_deactivated", {}, 400, "account_deactivated"),
    ],
)
async def test_each_odd_answer_of_whoami_has_its_meaning(
    api: httpx.AsyncClient,
    sim: Simulator,
    fault: str,
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    sim.script(fault, on="whoami", **changes)

    answer = await add(api, access_token=sim.account("ada").access_key)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (await api.get("/api/accounts")).json() == {"accounts": []}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "auth_json"),
        ({"access_token": "at-12345678", "auth_json": {}}, "access_token"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": "at-" + "x" * 9000}, "access_token"),
        ({"access_token": 7}, "access_token"),
        ({"access_token": "at-12345678", "expires_at": NOW}, "expires_at"),
        ({"access_token": "at-12345678", "expires_at": -1}, "expires_at"),
        ({"access_token": "at-12345678", "expires_at": "soon"}, "expires_at"),
    ],
)
async def test_odd_bodies_name_their_parameter(
    api: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    for path in ("/api/accounts", "/api/accounts/preview"):
        answer = await api.post(path, json=body)

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_token_is_replaced_by_the_same_owners_only(
    api: httpx.AsyncClient, sim: Simulator
) -> None:
    ada = sim.account("ada")
    account = (await add(api, access_token=ada.access_key)).json()
    ada.access_key_number += 1

    other = await add(api, access_token=sim.account("ben").access_key, account=account["id"])
    again = await add(api, access_token=ada.access_key, account=account["id"])

    assert (other.status_code, other.json()["error"]["code"]) == (409, "other_identity")
    assert (again.status_code, again.json()["id"]) == (201, account["id"])


async def test_a_deleted_token_is_found_out_by_a_test_and_the_account_needs_another(
    api: httpx.AsyncClient, sim: Simulator
) -> None:
    account = (await add(api, access_token=sim.account("ada").access_key)).json()
    path = f"/api/accounts/{account['id']}"
    passed = (await api.post(f"{path}/test", json={})).json()
    sim.account("ada").access_key_number += 1

    failed = (await api.post(f"{path}/test", json={})).json()

    assert passed["passed"]
    assert [step["code"] for step in failed["steps"]] == ["", "access_token_refused"]
    shown = (await api.get(path)).json()
    assert (shown["state"], shown["state_reason"]) == ("revoked", "access_token_refused")


async def test_nothing_is_revoked_at_openai_when_it_is_removed(
    api: httpx.AsyncClient, sim: Simulator
) -> None:
    account = (await add(api, access_token=sim.account("ada").access_key)).json()

    assert (await api.delete(f"/api/accounts/{account['id']}")).status_code == 204

    assert not [request for request in sim.requests if "revoke" in request.path]


async def test_a_test_asks_no_answer_of_an_account_that_its_owner_has_closed(
    api: httpx.AsyncClient, sim: Simulator
) -> None:
    account = (await add(api, access_token=sim.account("ada").access_key)).json()
    path = f"/api/accounts/{account['id']}"
    await api.put(f"{path}/terms", json={"paused": True})

    report = (await api.post(f"{path}/test", json={"answer": True})).json()

    assert report["steps"][-1] == {
        "name": "answer",
        "passed": False,
        "milliseconds": 0,
        "code": "closed_by_paused",
        "facts": {},
    }
    assert not report["passed"]
    assert sim.turns == []
