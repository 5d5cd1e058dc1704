"""The backend's own web search, for clients of every dialect and on every model."""

from typing import Any

import pytest
from support.gateways import a_chat, a_response, stage

from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.leniency import Leniency

CLASSIC, LITE = "gpt-5.5", "gpt-6.1-sol"
ASK = "search the web for cats"
FUNCTION = {"name": "look", "parameters": {"type": "object", "properties": {}}}
SEARCH = {"type": "web_search"}
SEARCH_OF_ANTHROPIC = {"type": "web_search_20250305", "name": "web_search"}
OF_ANTHROPIC = {"name": "look", "input_schema": FUNCTION["parameters"]}
ASKINGS: dict[str, Any] = {
    "/v1/chat/completions": a_chat(ASK, tools=[SEARCH, {"type": "function", "function": FUNCTION}]),
    "/v1/responses": a_response(ASK, tools=[SEARCH, {"type": "function", **FUNCTION}]),
    "/v1/messages": {
        **a_chat(ASK),
        "max_tokens": 100,
        "tools": [SEARCH_OF_ANTHROPIC, OF_ANTHROPIC],
    },
}


@pytest.mark.parametrize("model", [CLASSIC, LITE])
@pytest.mark.parametrize("path", ASKINGS)
async def test_a_search_is_made_on_every_model(redis_url: str, path: str, model: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post(path, json={**ASKINGS[path], "model": model})

        assert answer.status_code == 200, answer.text
        sent = [tool["type"] for tool in play.sim.turns[-1].body["tools"]]
        assert sorted(sent) == ["function", "web_search"]
        assert "x-dropped-parameters" not in answer.headers
        assert "cats" in answer.text


@pytest.mark.parametrize("path", ASKINGS)
async def test_where_the_classic_shape_is_refused_the_rest_is_asked_in_the_other(
    redis_url: str, path: str
) -> None:
    async with stage(redis_url, "ada") as play:
        no = {
            "error": {
                "message": "Unsupported value.",
                "code": "unsupported_value",
                "param": "tools",
            }
        }
        play.sim.script(Fault(status=400, body=no))

        answer = await play.client.post(path, json={**ASKINGS[path], "model": LITE})

        assert answer.status_code == 200, answer.text
        assert play.asked("ada") == 2
        assert "web_search" not in str(play.sim.turns[-1].body)
        assert answer.headers["x-dropped-parameters"] == "tools.web_search"


FORCED: dict[str, Any] = {
    "/v1/chat/completions": {"tool_choice": SEARCH},
    "/v1/responses": {"tool_choice": "required", "tools": [SEARCH]},
    "/v1/messages": {"tool_choice": {"type": "tool", "name": "web_search"}},
}


@pytest.mark.parametrize("path", ASKINGS)
async def test_a_forced_search_is_made_or_refused_by_name(redis_url: str, path: str) -> None:
    async with stage(redis_url, "ada") as play:
        forced = {**ASKINGS[path], **FORCED[path], "model": LITE}
        assert (await play.client.post(path, json=forced)).status_code == 200

        play.sim.world.leniency = Leniency(classic_on_lite=False)
        refused = [await play.client.post(path, json=forced)]
        free = await play.client.post(path, json={**ASKINGS[path], "model": LITE})
        refused.append(await play.client.post(path, json=forced))

        assert free.status_code == 200, "and the shape that was answered is remembered"
        for answer in refused:
            assert answer.status_code == 400, answer.text
            error = answer.json()["error"]
            assert error["type"] == "invalid_request_error"
            assert LITE in error["message"]
            assert "forced web search" in error["message"]
            assert path == "/v1/messages" or error["param"] == "tool_choice"
        records = [record for record in await play.records(4) if record.status == 400]
        assert [r.attempts[-1].verdict for r in records] == ["give_up"] * 2, "and not tried again"


async def test_a_model_that_refuses_searches_is_not_asked_for_each_one_again(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.world.leniency = Leniency(classic_on_lite=False)
        asking = {**ASKINGS["/v1/responses"], "model": LITE}

        answers = [
            await play.client.post("/v1/responses", json={**asking, "stream": stream})
            for stream in (False, True, False)
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 200]
        dropped = {answer.headers["x-dropped-parameters"] for answer in answers}
        assert dropped == {"tools.web_search"}
        assert {record.dropped for record in await play.records(3)} == {("tools.web_search",)}
        assert play.asked("ada") == 4  # only the first one was refused
        counted = play.replicas[0].gateway.metrics.exposition().decode()
        for cause, times in (("refused", 1), ("remembered", 2)):
            labels = f'cause="{cause}",shape="lite",web_search="yes"'
            assert f"gateway_shape_changes_total{{{labels}}} {times}.0" in counted
