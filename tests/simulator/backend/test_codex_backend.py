"""The backend as a client meets it: answers, refusals, and faults for every row of the table."""

import asyncio
from typing import Any

import httpx
import pytest
import zstandard
from support.requests_upstream import a_function, a_lite_turn, a_turn, events_of, items_of

from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.faults import NAMED
from codex_proapi.simulator.state.refusals import REFUSALS
from codex_proapi.simulator.validation.request_rules import LITE_HEADER


async def ask(
    http: httpx.AsyncClient, sim: Simulator, account: Any = "ada", body: Any = None, **headers: Any
) -> Any:
    return await http.post(
        f"{sim.base_url}/responses",
        headers={**sim.headers(account), **headers},
        json=a_turn() if body is None else body,
    )


async def test_a_good_request_is_answered_with_a_stream(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    answer = await ask(http, sim, body=a_turn("say hello"))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["openai-model"] == "gpt-5.5"
    [message] = items_of(answer.content)
    assert message["content"][0]["text"] == "hello"


async def test_a_lite_request_is_answered_too(sim: Simulator, http: httpx.AsyncClient) -> None:
    answer = await ask(http, sim, body=a_lite_turn("weather in Oslo?"), **{LITE_HEADER: "true"})

    [call] = items_of(answer.content)
    assert call["arguments"] == '{"city":"Oslo"}'


async def test_a_compressed_body_is_read(sim: Simulator, http: httpx.AsyncClient) -> None:
    raw = zstandard.compress(httpx.Request("POST", "http://x", json=a_turn("say hi")).content)
    headers = {**sim.headers("ada"), "content-encoding": "zstd"}

    answer = await http.post(f"{sim.base_url}/responses", headers=headers, content=raw)

    assert answer.status_code == 200
    assert sim.turns[-1].encoding == "zstd"


async def test_a_broken_rule_is_refused_with_limits_in_the_headers(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    answer = await ask(http, sim, body=a_turn(temperature=1))

    assert answer.json() == {"detail": "Unsupported parameter: temperature"}
    assert answer.headers["x-codex-plan-type"] == "plus"
    assert answer.headers["x-request-id"].startswith("req_")
    assert (sim.turns[-1].status, sim.turns[-1].ending) == (400, "refused")


async def test_a_stranger_is_refused_before_the_body_is_judged(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    answer = await ask(http, sim, authorization="Bearer x", body={"nonsense": True})

    assert answer.status_code == 401


async def test_a_spoilt_body_is_refused(sim: Simulator, http: httpx.AsyncClient) -> None:
    url = f"{sim.base_url}/responses"
    answer = await http.post(url, headers=sim.headers("ada"), content=b"{")

    assert answer.status_code == 400


STATUSES = {
    "context_length_exceeded": 400,
    "token_expired": 401,
    "token_invalidated": 401,
    "account_deactivated_403": 403,
    "deactivated_workspace": 402,
    "cloudflare": 403,
    "unsupported_country": 403,
    "no_entitlement": 403,
    "model_not_found": 404,
    "request_timeout": 408,
    "conflict": 409,
    "too_large": 413,
    "unprocessable": 422,
    "too_early": 425,
    "usage_limit_reached": 429,
    "usage_not_included": 429,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "overloaded": 503,
    "gateway_timeout": 504,
    "edge_520": 520,
    "edge_529": 529,
}


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
async def test_every_refusal_can_be_scripted(
    sim: Simulator, http: httpx.AsyncClient, name: Any, status: Any
) -> None:
    sim.script(name)

    assert (await ask(http, sim)).status_code == status
    assert (await ask(http, sim)).status_code == 200


async def test_every_refusal_has_a_fault_of_its_name() -> None:
    assert set(REFUSALS) <= set(NAMED)


async def test_a_fault_is_for_one_account_and_may_have_a_body_of_its_own(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    sim.script(
        "overloaded", account="ben", times=None, status=599, body={"x": 1}, headers={"a": "b"}
    )

    answer = await ask(http, sim, "ben")

    assert (answer.status_code, answer.json(), answer.headers["a"]) == (599, {"x": 1}, "b")
    assert (await ask(http, sim, "ada")).status_code == 200


async def test_a_status_may_be_scripted_without_a_name(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    sim.script("failed", failure="", status=418)

    assert (await ask(http, sim)).json() == {"detail": "scripted"}


async def test_a_failure_may_come_inside_the_200(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("overloaded_in_stream")

    answer = await ask(http, sim)

    assert answer.status_code == 200
    assert events_of(answer.content)[-1]["response"]["error"]["code"] == "server_is_overloaded"
    assert (sim.turns[-1].code, sim.turns[-1].ending) == ("server_is_overloaded", "failed")


async def test_a_marker_in_the_prompt_is_a_fault(sim: Simulator, http: httpx.AsyncClient) -> None:
    answer = await ask(http, sim, body=a_turn("[[fault:usage_limit_reached resets_in=60]] hi"))

    assert answer.json()["error"]["resets_in_seconds"] == 60


@pytest.mark.parametrize(("name", "answered"), [("connection_reset", 0), ("answer_lost", 1)])
async def test_a_connection_may_be_reset(
    sim: Simulator, http: httpx.AsyncClient, name: Any, answered: Any
) -> None:
    sim.script(name)

    with pytest.raises(httpx.TransportError):
        await ask(http, sim)

    assert sim.turns[-1].ending == "dropped"
    assert sim.account("ada").answers == answered


async def test_the_quota_counts_down_and_ends(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.account("ada").used_percent = 99.9
    sim.account("ada").percent_per_request = 0.2

    first = await ask(http, sim)
    second = await ask(http, sim)

    assert first.headers["x-codex-primary-used-percent"] == "100"
    assert second.json()["error"]["type"] == "usage_limit_reached"


async def test_a_client_that_leaves_is_noted(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("slow_headers", delay=30)

    asking = asyncio.ensure_future(ask(http, sim))
    async with asyncio.timeout(60):
        while not sim.turns:
            await asyncio.sleep(0.01)
    asking.cancel()
    async with asyncio.timeout(60):
        while not sim.turns[-1].ending:
            await asyncio.sleep(0.01)

    assert sim.turns[-1].ending == "client_left"


async def test_one_client_name_is_turned_away_from_one_model(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    body = a_turn(model="gpt-5.6-sol")

    shed = await ask(http, sim, body=body, originator="codex-tui")
    served = await ask(http, sim, body=body)

    assert events_of(shed.content)[-1]["type"] == "response.failed"
    assert events_of(served.content)[-1]["type"] == "response.completed"


async def test_a_turn_state_comes_back_to_its_account_only(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    state = (await ask(http, sim)).headers["x-codex-turn-state"]

    mine = await ask(http, sim, **{"x-codex-turn-state": state})
    other = await ask(http, sim, "ben", **{"x-codex-turn-state": state})

    assert (mine.status_code, other.status_code) == (200, 400)


async def test_reasoning_comes_back_to_its_account_only(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    answer = await ask(http, sim, body=a_turn("hi", reasoning={"summary": "auto"}))
    reasoning = next(
        event["item"]
        for event in events_of(answer.content)
        if event["type"] == "response.output_item.done"
    )
    body = a_turn(input=[*a_turn("hi")["input"], reasoning, *a_turn("more")["input"]])

    assert (await ask(http, sim, body=body)).status_code == 200
    refused = await ask(http, sim, "ben", body=body)
    assert refused.json()["error"]["code"] == "invalid_encrypted_content"


async def test_the_models_depend_on_plan_and_version(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    sim.account("cleo").models = ("gpt-5.5",)
    new, old = {"client_version": "0.169.0"}, {"client_version": "0.130.0"}

    async def slugs(account: Any, query: Any) -> Any:
        answer = await http.get(
            f"{sim.base_url}/models", params=query, headers=sim.headers(account)
        )
        return [model["slug"] for model in answer.json()["models"]], answer.headers["etag"]

    mine, etag = await slugs("ada", new)

    assert "gpt-6.1-sol" in mine
    assert (await slugs("ada", new))[1] == etag
    assert "gpt-6.1-sol" not in (await slugs("ada", old))[0]
    assert (await slugs("cleo", new))[0] == ["gpt-5.5"]


async def test_the_models_need_a_version(sim: Simulator, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{sim.base_url}/models", headers=sim.headers("ada"))

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/backend-api/wham/usage", "/api/codex/usage"])
async def test_the_usage_is_that_of_the_account(
    sim: Simulator, http: httpx.AsyncClient, path: Any
) -> None:
    answer = await http.get(f"{sim.auth_url}{path}", headers=sim.headers("ben"))

    assert answer.json()["plan_type"] == "pro"


async def test_the_workspaces_of_a_login_are_listed(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    url = f"{sim.auth_url}/backend-api/wham/accounts/check"
    answer = await http.get(url, headers=sim.headers("ada"))

    assert answer.json()["account_ordering"] == [sim.account("ada").workspace]


READS = [
    ("models", "/backend-api/codex/models?client_version=0.169.0"),
    ("usage", "/backend-api/wham/usage"),
    ("check", "/backend-api/wham/accounts/check"),
]


@pytest.mark.parametrize(("on", "path"), READS)
async def test_reads_can_be_refused_and_dropped(
    sim: Simulator, http: httpx.AsyncClient, on: Any, path: Any
) -> None:
    url = sim.auth_url + path
    sim.script("server_error", on=on)
    sim.script("connection_reset", on=on)

    assert (await http.get(url, headers=sim.headers("ada"))).status_code == 500
    with pytest.raises(httpx.TransportError):
        await http.get(url, headers=sim.headers("ada"))
    assert (await http.get(url)).status_code == 401


ELSEWHERE = [
    ("POST", "/backend-api/codex/responses/compact", 404),
    ("GET", "/backend-api/codex/responses/resp_1", 403),
    ("DELETE", "/backend-api/codex/responses/resp_1", 403),
    ("GET", "/backend-api/codex/responses", 405),
    ("POST", "/backend-api/codex/analytics-events/events", 404),
    ("GET", "/backend-api/nothing", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ELSEWHERE)
async def test_what_this_backend_has_not_is_not_there(
    sim: Simulator, http: httpx.AsyncClient, method: Any, path: Any, status: Any
) -> None:
    assert (await http.request(method, sim.auth_url + path)).status_code == status


async def test_a_websocket_is_told_to_use_http(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("upgrade_required", on="upgrade")
    headers = {**sim.headers("ada"), "upgrade": "websocket", "connection": "upgrade"}

    assert (await http.get(f"{sim.base_url}/responses", headers=headers)).status_code == 426


async def test_bodies_need_not_be_kept(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.world.keep_bodies = False

    await ask(http, sim, body=a_turn("say hi", tools=[a_function()]))

    assert sim.turns[-1].body is None


async def test_another_model_may_answer(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("full_output", answered_model="gpt-5.5-safe")

    answer = await ask(http, sim)

    assert answer.headers["openai-model"] == "gpt-5.5-safe"
    assert events_of(answer.content)[-1]["response"]["output"]
