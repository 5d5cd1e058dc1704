"""Sockets to the backend that stay with a conversation, whatever dialect its client speaks."""

from typing import Any

import pytest
from support.gateways import Stage, a_response, events_of, stage
from support.sockets import CODEX, create, socket_to, user

from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.gateway.settings import TransportSetting

SOCKETS = {"upstream_transport": TransportSetting.WEBSOCKET}
TOOL = {
    "name": "get_weather",
    "description": "d",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def sent(play: Stage) -> list[tuple[int, int, bool]]:
    """Connection, number of items and whether it refers to an answer, of every frame."""
    return [
        (turn.connection, len(turn.body["input"]), "previous_response_id" in turn.body)
        for turn in play.sim.turns
    ]


async def ways(play: Stage, count: int) -> list[str]:
    return [record.transport_why for record in await play.records(count)]


async def test_a_codex_client_over_http_sends_what_is_new(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        items: list[Any] = []
        for word in ("one", "two", "three"):
            items.append(user(f"say {word}"))
            answer = await play.client.post(
                "/v1/responses",
                json=a_response(items, stream=True, instructions="Be brief."),
                headers=CODEX,
            )
            events = events_of(answer.content)
            items += [e["item"] for e in events if e["type"] == "response.output_item.done"]

        assert sent(play) == [(1, 1, False), (1, 1, True), (1, 1, True)]
        assert play.sim.turns[-1].context[0] == items[0]
        assert await ways(play, 3) == [
            "new socket, full input; as set",
            "kept socket, incremental input; as set",
            "kept socket, incremental input; as set",
        ]


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.6-sol"])
async def test_a_responses_client_sends_what_is_new(redis_url: str, model: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        items: list[Any] = [{"role": "user", "content": "say one"}]
        for word in ("two", "three"):
            body = a_response(items, model=model, include=["reasoning.encrypted_content"])
            answer = (await play.client.post("/v1/responses", json=body)).json()
            items += [*answer["output"], {"role": "user", "content": f"say {word}"}]

        assert [each[2] for each in sent(play)] == [False, True]
        assert len({each[0] for each in sent(play)}) == 1


async def test_a_messages_client_with_a_tool_sends_what_is_new(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        messages: list[Any] = [{"role": "user", "content": "get_weather in Paris"}]
        for _ in range(2):
            answer = await play.client.post(
                "/v1/messages",
                json={
                    "model": "gpt-5.5",
                    "max_tokens": 2048,
                    "thinking": {"type": "adaptive"},
                    "tools": [TOOL],
                    "messages": messages,
                },
                headers={"anthropic-version": "2023-06-01"},
            )
            content = answer.json()["content"]
            messages.append({"role": "assistant", "content": content})
            calls = [part for part in content if part["type"] == "tool_use"]
            results = [
                {"type": "tool_result", "tool_use_id": part["id"], "content": "sunny"}
                for part in calls
            ]
            messages.append({"role": "user", "content": results or "thanks"})

        assert sent(play) == [(1, 1, False), (1, 1, True)]


async def test_a_chat_client_whose_model_does_not_reason_sends_what_is_new(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script("no_reasoning", times=None)
        messages: list[Any] = []
        for word in ("one", "two"):
            messages.append({"role": "user", "content": f"say {word}"})
            answer = await play.client.post(
                "/v1/chat/completions",
                json={"model": "gpt-5.5", "messages": messages},
            )
            messages.append(answer.json()["choices"][0]["message"])

        assert sent(play) == [(1, 1, False), (1, 1, True)]


async def test_a_chat_client_that_returns_no_reasoning_sends_everything(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        messages: list[Any] = []
        for word in ("one", "two"):
            messages.append({"role": "user", "content": f"say {word}"})
            answer = await play.client.post(
                "/v1/chat/completions", json={"model": "gpt-5.5", "messages": messages}
            )
            messages.append(answer.json()["choices"][0]["message"])

        assert sent(play) == [(1, 1, False), (1, 3, False)]
        assert (await ways(play, 2))[1] == "kept socket, full input; as set"


async def test_a_client_over_websocket_sends_what_is_new_on_both_sides(redis_url: str) -> None:
    async with (
        stage(redis_url, "ada", **SOCKETS) as play,
        socket_to(play.replicas[0].url) as socket,
    ):
        last = (await socket.turn(say="say one"))[-1]["response"]["id"]
        for word in ("two", "three"):
            await socket.send(create(say=f"say {word}", previous_response_id=last))
            last = (await socket.answer())[-1]["response"]["id"]

        assert sent(play) == [(1, 1, False), (1, 1, True), (1, 1, True)]
        assert [len(turn.context) for turn in play.sim.turns] == [1, 4, 7]


async def test_another_account_gets_everything_over_a_socket_of_its_own(redis_url: str) -> None:
    async with (
        stage(redis_url, "ada", "ben", **SOCKETS) as play,
        socket_to(play.replicas[0].url) as socket,
    ):
        last = (await socket.turn(say="say one"))[-1]["response"]["id"]
        first = play.sim.turns[0].account
        play.sim.script("usage_limit_reached", account=first)
        await socket.send(create(say="say two", previous_response_id=last))
        await socket.answer()

        other = play.sim.turns[-1]
        assert other.account != first
        assert "previous_response_id" not in other.body
        assert other.connection != play.sim.turns[0].connection
        assert other.context[0]["content"][0]["text"] == "say one"


async def test_two_keys_with_one_session_have_sockets_of_their_own(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS, api_key_policy=KeyPolicy.REQUIRED) as play:
        secrets = [(await play.make_key())[1] for _ in range(2)]
        body = a_response([user("say one")], stream=True, instructions="Be brief.")
        for secret in secrets:
            answer = await play.client.post(
                "/v1/responses", json=body, headers={**CODEX, "authorization": f"Bearer {secret}"}
            )
            assert answer.status_code == 200

        assert [each[0] for each in sent(play)] == [1, 2]


async def test_the_sockets_of_a_key_and_an_account_end_with_them(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS, api_key_policy=KeyPolicy.REQUIRED) as play:
        [account] = [each.id for each in await play.accounts.list()]
        key, secret = await play.make_key()
        kept, other = await play.make_key()
        for each in (secret, other):
            headers = {"authorization": f"Bearer {each}"}
            assert (await play.chat(headers=headers)).status_code == 200
        sockets = play.replicas[0].gateway.upstream.sockets.sockets
        await play.until(lambda: sockets.waiting == 2)

        await play.keys.revoke(key.id)
        await play.until(lambda: sockets.waiting == 1)
        assert sockets.key_ids() == {kept.id}
        await play.accounts.pause(account)
        await play.until(lambda: len(sockets) == 0)


async def test_a_drain_closes_what_waits(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        assert (await play.chat()).status_code == 200
        gateway = play.replicas[0].gateway
        await play.until(lambda: gateway.upstream.sockets.sockets.waiting == 1)
        gateway.begin_drain()

        assert len(gateway.upstream.sockets.sockets) == 0
