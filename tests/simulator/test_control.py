"""The port for tests in other processes."""

import httpx
from support.requests_upstream import a_turn

from codex_proapi.simulator import Simulator


async def test_a_fault_is_scripted_over_http(sim: Simulator, http: httpx.AsyncClient) -> None:
    made = await http.post(
        f"{sim.auth_url}/_simulator/faults",
        json={"fault": "usage_limit_reached", "account": "ada", "times": None, "resets_in": 60},
    )
    url, headers = f"{sim.base_url}/responses", sim.headers("ada")
    answers = [await http.post(url, headers=headers, json=a_turn()) for _ in range(2)]

    assert made.status_code == 201
    assert [answer.status_code for answer in answers] == [429, 429]
    assert answers[0].json()["error"]["resets_in_seconds"] == 60


async def test_a_wrong_fault_is_explained(sim: Simulator, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{sim.auth_url}/_simulator/faults", json={"fault": "flood"})

    assert answer.status_code == 400
    assert "no fault is called 'flood'" in answer.json()["error"]


async def test_faults_are_listed_and_forgotten(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("overloaded")
    listed = (await http.get(f"{sim.auth_url}/_simulator/faults")).json()
    await http.delete(f"{sim.auth_url}/_simulator/faults")

    assert listed["rules"][0]["fault"]["refusal"] == "overloaded"
    assert "cloudflare" in listed["names"]
    assert sim.world.faults.rules == []


async def test_what_arrived_is_told_and_forgotten(sim: Simulator, http: httpx.AsyncClient) -> None:
    await http.post(f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn("say x"))
    url = f"{sim.auth_url}/_simulator/requests"
    [told] = (await http.get(url, params={"path": "/responses"})).json()

    assert (told["account"], told["status"], told["ending"]) == ("ada", 200, "whole")
    assert told["body"]["model"] == "gpt-5.5"
    await http.delete(url)
    assert (await http.get(url)).json() == []
    assert (await http.get(f"{sim.auth_url}/_simulator/token_calls")).json() == []


async def test_accounts_are_listed_changed_and_made(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    url = f"{sim.auth_url}/_simulator/accounts"

    await http.post(f"{url}/ada", json={"used_percent": 100, "models": ["gpt-5.5"]})
    await http.post(f"{url}/dan", json={"plan": "free"})
    names = [account["name"] for account in (await http.get(url)).json()]

    assert names == ["ada", "ben", "cleo", "dan"]
    assert (sim.account("ada").used_percent, sim.account("ada").models) == (100, ("gpt-5.5",))
    assert sim.account("dan").plan == "free"


async def test_a_login_gives_an_auth_json(sim: Simulator, http: httpx.AsyncClient) -> None:
    url = f"{sim.auth_url}/_simulator/accounts/ada/login"

    fresh = (await http.post(url)).json()
    expired = (await http.post(url, json={"expires_in": -60})).json()

    assert fresh["auth_mode"] == "chatgpt"
    assert set(fresh["tokens"]) == {"id_token", "access_token", "refresh_token", "account_id"}
    assert fresh["tokens"]["access_token"] != expired["tokens"]["access_token"]


async def test_a_device_code_is_decided(sim: Simulator, http: httpx.AsyncClient) -> None:
    _, approved = sim.world.logins.begin_device(now=0)
    _, denied = sim.world.logins.begin_device(now=0)
    url = f"{sim.auth_url}/_simulator/device"

    await http.post(f"{url}/{approved.user_code}", json={"login": "ada"})
    await http.post(f"{url}/{denied.user_code}", json={"login": "deny"})

    assert approved.approved_by is sim.account("ada")
    assert denied.denied
    assert (await http.post(f"{url}/NONE-1", json={"login": "ada"})).status_code == 404
