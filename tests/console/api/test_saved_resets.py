"""Saved resets over the API: listed, redeemed with a confirmation, audited."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import console_settings, running, script

from codex_proapi.console.app import Console
from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.accounts import SavedReset

NOW = 1_795_000_000


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(clock=Clock(NOW)) as sim:
        sim.account("ada").saved_resets = [SavedReset(id="c1", expires_at=NOW + 86_400)]
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


@pytest.fixture
async def path(api: httpx.AsyncClient, sim: Simulator) -> str:
    added = await api.post("/api/accounts", json={"access_token": sim.account("ada").access_key})
    return f"/api/accounts/{added.json()['id']}"


async def test_resets_are_listed_and_then_shown_with_the_account(
    api: httpx.AsyncClient, path: str
) -> None:
    before = (await api.get(path)).json()["saved_resets"]

    listed = (await api.get(f"{path}/resets")).json()

    assert before is None
    assert listed["available"] == 1
    assert listed["resets"][0] | {"granted_at": 0} == {
        "id": "c1",
        "status": "available",
        "kind": "codex_rate_limits",
        "granted_at": 0,
        "expires_at": NOW + 86_400,
        "usable": True,
        "pending": False,
        "redeemed_at": 0,
        "redeemed_by": "",
    }
    assert (await api.get(path)).json()["saved_resets"]["resets"][0]["id"] == "c1"


async def test_a_confirmed_redemption_is_done_once_and_audited(
    api: httpx.AsyncClient, path: str, sim: Simulator
) -> None:
    body = {"reset_id": "c1", "confirm": True}

    first = (await api.post(f"{path}/resets/redeem", json=body)).json()
    second = (await api.post(f"{path}/resets/redeem", json=body)).json()

    assert (first["windows"], first["first"], second["first"]) == (1, True, False)
    assert first["request_id"] == second["request_id"]
    assert sim.account("ada").resets_redeemed == 1
    text = (await api.get("/api/audit")).text
    assert text.count("account.reset_redeemed") == 1
    assert first["request_id"] in text
    metrics = (await api.get("/metrics")).text
    assert 'console_reset_redemptions_total{outcome="reset"} 1.0' in metrics


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "reset_id"),
        ({"reset_id": "c1"}, "confirm"),
        ({"reset_id": "c1", "confirm": False}, "confirm"),
        ({"reset_id": "c1", "confirm": "yes"}, "confirm"),
        ({"reset_id": "", "confirm": True}, "reset_id"),
        ({"reset_id": 7, "confirm": True}, "reset_id"),
        ({"reset_id": "x" * 201, "confirm": True}, "reset_id"),
    ],
)
async def test_without_a_confirmation_or_an_id_nothing_is_sent(
    api: httpx.AsyncClient, path: str, sim: Simulator, body: dict[str, Any], param: str
) -> None:
    answer = await api.post(f"{path}/resets/redeem", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert sim.account("ada").resets_redeemed == 0


async def test_a_failure_is_audited_with_its_code(
    api: httpx.AsyncClient, path: str, sim: Simulator
) -> None:
    sim.script("bare_502", on="resets", times=None)

    answer = await api.post(f"{path}/resets/redeem", json={"reset_id": "c1", "confirm": True})

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "resets_unreadable")
    assert "account.reset_failed" in (await api.get("/api/audit")).text


async def test_an_unknown_account_is_404(api: httpx.AsyncClient, redis_client: Redis) -> None:
    del redis_client
    body = {"reset_id": "c1", "confirm": True}

    assert (await api.get("/api/accounts/acc_1/resets")).status_code == 404
    assert (await api.post("/api/accounts/acc_1/resets/redeem", json=body)).status_code == 404
