"""Anthropic Messages, from the first header to the settled record."""

import asyncio
from typing import Any

import httpx
import pytest
from support.gateways import Stage, stage
from support.strict_messages import StrictReader

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.simulator.state.faults import Fault

SESSION = {"x-claude-code-session-id": "c31942fe-df27-445f-b1be-9600de4a4726"}
VERSION = {"anthropic-version": "2023-06-01"}
THINKING = {"type": "adaptive"}


def tool(name: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city"],
    }
    return {"name": name, "description": "d", "input_schema": schema}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


async def ask(
    play: Stage, content: Any = "say hello", *, headers: Any = None, **fields: Any
) -> httpx.Response:
    body = {"model": "gpt-5.5", "max_tokens": 64, "messages": [user(content)], **fields}
    return await play.client.post(
        "/v1/messages?beta=true", json=body, headers={**VERSION, **(headers or {})}
    )


def read(answer: httpx.Response) -> StrictReader:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return StrictReader().read(answer.content)


async def test_a_message_is_answered_and_settled_once(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await ask(play)

        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["content"] == [{"type": "text", "text": "hello"}]
        assert (body["stop_reason"], body["model"]) == ("end_turn", "gpt-5.5")
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        [record] = await play.records()
        assert (record.ending, record.endpoint) == (Ending.WHOLE, "messages")
        usage = body["usage"]
        assert record.tokens.total == (
            usage["input_tokens"]
            + usage["cache_read_input_tokens"]
            + usage["cache_creation_input_tokens"]
            + usage["output_tokens"]
        )


async def test_a_stream_says_the_same_as_the_answer_in_one_piece(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        whole = (await ask(play, "count to 20", thinking=THINKING)).json()
        reader = read(await ask(play, "count to 20", thinking=THINKING, stream=True))

        assert reader.stopped
        assert [block["type"] for block in reader.content] == ["thinking", "text"]
        assert reader.content[1] == whole["content"][1]
        assert reader.content[0]["thinking"] == whole["content"][0]["thinking"]


@pytest.mark.parametrize("model", ["gpt-5.5", "claude-opus-5-5", "claude-haiku-4-5"])
async def test_a_turn_with_parallel_calls_and_their_results(redis_url: str, model: str) -> None:
    async with stage(redis_url, "ada") as play:
        tools = [tool("get_weather"), tool("get_time")]
        prompt = "call get_weather and get_time for Oslo"
        asked: dict[str, Any] = {
            "model": model, "tools": tools, "thinking": THINKING, "headers": SESSION
        }  # fmt: skip
        first = read(await ask(play, prompt, stream=True, **asked))
        calls = [block for block in first.content if block["type"] == "tool_use"]
        assert first.message is not None
        assert first.message["stop_reason"] == "tool_use"
        assert calls

        results = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": f"{call['name']} is 7"}
            for call in reversed(calls)
        ]
        messages = [
            user(prompt),
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [*results, {"type": "text", "text": "go on"}]},
        ]
        second = await ask(play, messages=messages, **asked)

        assert second.status_code == 200, second.text
        assert second.json()["id"] != first.message["id"]
        sent = play.sim.turns[-1].body["input"]
        kinds = [item["type"] for item in sent]
        assert kinds.count("reasoning") == 1
        assert kinds.count("function_call") == kinds.count("function_call_output") == len(calls)


async def test_thinking_of_another_account_is_not_sent(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        asked = {"thinking": THINKING, "headers": SESSION}
        first = read(await ask(play, stream=True, **asked))
        foreign = {**first.content[0], "signature": "cpa1:0123456789ab:gAAAAAforeign"}
        messages = [
            user("say hello"),
            {"role": "assistant", "content": [foreign, *first.content[1:]]},
            user("say again"),
        ]
        second = await ask(play, messages=messages, **asked)

        assert second.status_code == 200, second.text
        assert len(play.sim.turns) == 2
        assert "reasoning" not in [item["type"] for item in play.sim.turns[-1].body["input"]]


async def test_a_sub_agent_has_a_cache_lane_of_its_own(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        for headers in (SESSION, {**SESSION, "x-claude-code-agent-id": "a1"}, SESSION):
            assert (await ask(play, headers=headers)).status_code == 200

        main, sub, again = (turn.body["prompt_cache_key"] for turn in play.sim.turns)
        assert main == again != sub


async def test_a_stop_sequence_ends_the_message(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        reader = read(await ask(play, "count to 20", stop_sequences=["7"], stream=True))

        assert reader.message is not None
        assert reader.content == [{"type": "text", "text": "1 2 3 4 5 6 "}]
        assert (reader.message["stop_reason"], reader.message["stop_sequence"]) == (
            "stop_sequence",
            "7",
        )
        [record] = await play.records()
        assert record.ending is Ending.WHOLE


async def test_a_stream_that_breaks_off_ends_with_an_error(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("failed_after_words", words=3, pace=0.05)

        reader = read(await ask(play, "count to 20", stream=True))

        assert not reader.stopped
        assert reader.error is not None
        assert reader.error["type"] == "api_error"
        [record] = await play.records()
        assert record.ending is Ending.BROKEN


@pytest.mark.parametrize("stream", [True, False])
async def test_a_spent_account_is_passed_over(redis_url: str, stream: bool) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("usage_limit_reached", times=1)

        answer = await ask(play, stream=stream)

        assert answer.status_code == 200, answer.text
        assert len(play.sim.turns) == 2


async def test_errors_have_anthropics_shape(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        refused = await ask(play)
        assert refused.status_code == 401
        assert refused.json()["error"]["type"] == "authentication_error"
        assert refused.json()["request_id"] == refused.headers["request-id"]
        assert refused.headers["x-should-retry"] == "false"

        _, secret = await play.make_key()
        for headers in ({"x-api-key": secret}, {"authorization": f"Bearer {secret}"}):
            assert (await ask(play, headers=headers)).status_code == 200
        key = {"x-api-key": secret}
        unknown = await ask(play, headers=key, model="claude-nothing")
        bad = await ask(play, headers=key, messages=[])
        listed = await play.client.get("/v1/models", headers=VERSION)

        assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")
        assert (bad.status_code, bad.json()["error"]["type"]) == (400, "invalid_request_error")
        assert listed.json()["error"]["type"] == "authentication_error"


async def test_an_overflow_begins_compaction(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("context_length_exceeded")

        answer = await ask(play)

        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("prompt is too long")


async def test_a_limit_of_the_key_is_told(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key(limits=Limits(rpm=1))
        key = {"x-api-key": secret}

        assert (await ask(play, headers=key)).status_code == 200
        second = await ask(play, headers=key)

        assert second.status_code == 429
        assert second.json()["error"]["type"] == "rate_limit_error"
        assert int(second.headers["retry-after"]) <= 60


async def test_tokens_are_counted_without_an_account_or_a_record(redis_url: str) -> None:
    async with stage(redis_url) as play:
        body = {"model": "gpt-5.5", "messages": [user("a" * 4000)]}
        counts = await asyncio.gather(
            *(play.client.post("/v1/messages/count_tokens?beta=true", json=body) for _ in range(30))
        )
        bad = await play.client.post("/v1/messages/count_tokens", json={"messages": 7})
        method = await play.client.get("/v1/messages/count_tokens")

        assert {count.status_code for count in counts} == {200}
        assert {count.json()["input_tokens"] for count in counts} == {1004}
        assert (bad.status_code, bad.json()["error"]["type"]) == (400, "invalid_request_error")
        assert method.status_code == 405
        assert play.sim.turns == []


async def test_models_are_listed_in_the_shape_of_whoever_asks(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        theirs = (await play.client.get("/v1/models?limit=1000", headers=VERSION)).json()
        openai = (await play.client.get("/v1/models")).json()
        one = await play.client.get("/v1/models/claude-gpt-5.5", headers=VERSION)

        assert theirs["has_more"] is False
        assert all(entry["type"] == "model" for entry in theirs["data"])
        assert "claude-gpt-5.5" in [entry["id"] for entry in theirs["data"]]
        assert openai["object"] == "list"
        assert one.json()["id"] == "claude-gpt-5.5"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models?limit=1", 200),
        ("/v1/models?limit=0", 400),
        ("/v1/models/nothing", 404),
        ("/v1/files", 404),
        ("/v1/messages", 405),
    ],
)
async def test_every_answer_has_its_id_where_anthropics_sdk_looks(
    redis_url: str, path: str, status: int
) -> None:
    async with stage(redis_url) as play:
        answer = await play.client.get(path, headers=VERSION)

        assert answer.status_code == status
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        if status != 200:
            assert answer.json()["request_id"] == answer.headers["request-id"]


async def test_somebody_is_there(redis_url: str) -> None:
    async with stage(redis_url) as play:
        assert (await play.client.head("/api/hello")).status_code == 200


async def test_a_summary_calls_no_tool(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        words = "CRITICAL: Respond with TEXT ONLY. call get_weather for Oslo"
        answer = await ask(play, words, tools=[tool("get_weather")])

        assert answer.status_code == 200, answer.text
        assert [block["type"] for block in answer.json()["content"]] == ["text"]


async def test_a_full_replica_says_so(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.replicas[0].gateway.in_flight._most = 0

        answer = await ask(play)

        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded_error")


async def test_a_budget_that_is_spent_is_told_once_and_not_tried_again(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key(limits=Limits(tokens_day=1))
        key = {"x-api-key": secret}

        assert (await ask(play, headers=key)).status_code == 200
        await play.records()
        second = await ask(play, headers=key)

        assert (second.status_code, second.json()["error"]["type"]) == (429, "billing_error")
        assert second.headers["x-should-retry"] == "false"
        assert second.headers["anthropic-ratelimit-unified-status"] == "rejected"


async def test_an_answer_in_one_piece_that_breaks_off_is_given_by_another_account(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("truncated", cut_after=2600, cut="close")

        answer = await ask(play, "write 400 words", thinking=THINKING)

        assert answer.status_code == 200, answer.text
        assert [block["type"] for block in answer.json()["content"]] == ["thinking", "text"]
        assert {turn.account for turn in play.sim.turns} == {"ada", "ben"}


async def test_a_running_stream_is_whole_though_its_replica_drains(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("slow", pace=0.01)
        asking = asyncio.ensure_future(ask(play, "count to 40", stream=True))
        await play.until(lambda: len(play.replicas[0].gateway.in_flight))
        play.replicas[0].server.should_exit = True

        assert read(await asking).stopped


SEARCH_TOOL = {
    "name": "ToolSearch",
    "description": "finds tools",
    "input_schema": {"type": "object"},
}
WEATHER = {**tool("mcp__w__get_weather"), "defer_loading": True}
FOUND = [{"type": "tool_reference", "tool_name": "mcp__w__get_weather"}]
PROMPT = "Use the tool search (the ToolSearch tool) and then use the mcp__w__get_weather tool"


async def discover(play: Stage, model: str) -> list[Any]:
    """A search, its result and the call of what it found; gives the bodies upstream got."""
    before = len(play.sim.turns)
    first = await ask(play, PROMPT, model=model, tools=[tool("Bash"), SEARCH_TOOL], headers=SESSION)
    [call] = [block for block in first.json()["content"] if block["type"] == "tool_use"]
    assert call["name"] == "ToolSearch"
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": FOUND}
    messages = [user(PROMPT), {"role": "assistant", "content": [call]}, user([result])]
    tools = [tool("Bash"), SEARCH_TOOL, WEATHER]
    second = await ask(play, model=model, tools=tools, messages=messages, headers=SESSION)
    [used] = [block for block in second.json()["content"] if block["type"] == "tool_use"]
    assert used["name"] == "mcp__w__get_weather"
    return [turn.body for turn in play.sim.turns[before:]]


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.2-sol"])
async def test_a_discovered_tool_leaves_the_cached_prefix_as_it_was(
    redis_url: str, model: str
) -> None:
    async with stage(redis_url, "ada") as play:
        first, second = await discover(play, model)

        assert second.get("tools") == first.get("tools")
        assert second["input"][: len(first["input"])] == first["input"]
        kinds = [item["type"] for item in second["input"]]
        assert kinds[-2:] == ["tool_search_call", "tool_search_output"]


async def test_a_model_that_refuses_the_native_search_gets_it_as_text_from_then_on(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        error = {"message": "Invalid value: 'tool_search'.", "param": "tools[1].type"}
        play.sim.script(Fault(status=400, body={"error": error}))

        refused, *others = await discover(play, "gpt-5.5")

        assert [each["type"] for each in refused["tools"]] == ["function", "tool_search"]
        for body in others:
            assert {each["type"] for each in body["tools"]} == {"function"}
        names = [each["name"] for each in others[-1]["tools"]]
        assert names == ["Bash", "ToolSearch", "mcp__w__get_weather"]
        assert len(others) == 2
